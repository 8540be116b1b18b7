"""The numbers of RFC 6455: opcodes, close codes and limits, under the frame they live in.

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-------+-+-------------+-------------------------------+
|F|R|R|R| opcode|M| Payload len |    Extended payload length    |
|I|S|S|S|  (4)  |A|     (7)     |            (16/64)            |
|N|V|V|V|       |S|             |  (if payload len is 126/127)  |
| |1|2|3|       |K|             |                               |
+-+-+-+-+-------+-+-------------+-------------------------------+
|   masking key, 4 bytes, if MASK is set (client to server)     |
+---------------------------------------------------------------+
|   payload                                                     |
+---------------------------------------------------------------+
"""

from __future__ import annotations

from enum import IntEnum


class Opcode(IntEnum):
    """What a frame carries (RFC 6455 section 5.2)."""

    description: str

    CONTINUATION = 0x0, "a further fragment of the message"
    TEXT = 0x1, "a text message, or its first fragment"
    BINARY = 0x2, "a binary message, or its first fragment"
    CLOSE = 0x8, "the sender will send nothing more"
    PING = 0x9, "asks for a Pong with the same payload"
    PONG = 0xA, "answers a Ping, or is a one-way heartbeat"

    def __new__(cls, value: int, description: str = "") -> Opcode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    @property
    def is_control(self) -> bool:
        """Close, Ping and Pong: never fragmented, at most 125 bytes (section 5.5)."""
        return self >= 0x8


# Those that every connection sees, by names of their own: see `state`.
CLOSE, PING, PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG


class CloseCode(IntEnum):
    """Why a connection was closed (RFC 6455 section 7.4.1 and the IANA registry)."""

    description: str

    NORMAL_CLOSURE = 1000, "the purpose of the connection is fulfilled"
    GOING_AWAY = 1001, "an endpoint is going away: a server shuts down, a program ends"
    PROTOCOL_ERROR = 1002, "the peer broke a rule of the protocol"
    UNSUPPORTED_DATA = 1003, "the endpoint cannot accept this type of data"
    NO_STATUS_RCVD = 1005, "the Close frame had no code (never sent)"
    ABNORMAL_CLOSURE = 1006, "the connection ended without a Close frame (never sent)"
    INVALID_FRAME_PAYLOAD_DATA = (
        1007,
        "a message's content does not fit its type, such as bad UTF-8",
    )
    POLICY_VIOLATION = 1008, "a message violates the endpoint's policy"
    MESSAGE_TOO_BIG = 1009, "a message is too big to process"
    MANDATORY_EXTENSION = 1010, "the server did not negotiate an extension that the client needs"
    INTERNAL_ERROR = 1011, "the endpoint met an unexpected condition"
    SERVICE_RESTART = 1012, "the service restarts; connect again after a while"
    TRY_AGAIN_LATER = 1013, "the service is overloaded; connect again later"
    BAD_GATEWAY = 1014, "a gateway got an invalid answer from its upstream server"
    TLS_HANDSHAKE = 1015, "the TLS handshake failed (never sent)"

    def __new__(cls, value: int, description: str = "") -> CloseCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member


#: 5.2: the reserved bit that permessage-deflate took, in a frame's first byte.
RSV1 = 0x40

#: 5.5: a control frame's payload is at most this many bytes.
MAX_CONTROL_PAYLOAD = 125

#: A Close frame spends two of those on the code.
MAX_CLOSE_REASON = MAX_CONTROL_PAYLOAD - 2

#: 5.2: the most significant bit of a 64-bit length is 0. Stands for "no limit" too, so that no
#: comparison ever meets a negative number.
MAX_PAYLOAD_LENGTH = 2**63 - 1

#: 7.4.2: reserved for this protocol, but meaningful only inside a program, never in a frame.
_NEVER_ON_THE_WIRE = frozenset({1004, 1005, 1006, 1015})


def is_sendable_close_code(code: int) -> bool:
    """True for the codes that may stand in a Close frame (RFC 6455 section 7.4).

    1000-1014 without 1004, 1005 and 1006; 3000-3999 (registered by libraries and frameworks);
    4000-4999 (private use). The same codes are accepted from the peer.
    """
    return (1000 <= code <= 1014 and code not in _NEVER_ON_THE_WIRE) or 3000 <= code <= 4999


def describe_close_code(code: int) -> str:
    """A code in words, such as ``1001 (going away)``."""
    try:
        return f"{code} ({CloseCode(code).name.replace('_', ' ').lower()})"
    except ValueError:
        if 3000 <= code <= 3999:
            return f"{code} (registered)"
        if 4000 <= code <= 4999:
            return f"{code} (private use)"
        return f"{code} (unknown)"
