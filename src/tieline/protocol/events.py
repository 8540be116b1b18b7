"""What a driver is told by `Connection.next_event`.

A run of data messages is a plain ``list`` of ``str`` and ``bytes``: no object per message.
Everything else is one of the classes below. What users are given of them, `Close`, `CloseInfo`,
`Frame` and `AnsweredPing`, is frozen, and so is what connections share; what only a driver sees is
not, since that is made ten times faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from tieline.protocol.wire import Opcode, describe_close_code

if TYPE_CHECKING:
    from tieline.errors import ConnectError
    from tieline.headers import HTTPRequest
    from tieline.protocol.handshake import HandshakeResponse


class Close(NamedTuple):
    """The content of a Close frame. A frame without a code counts as 1005."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class CloseInfo:
    """How a connection ended (RFC 6455 section 7.1)."""

    #: The code that the peer's Close frame held; 1005 when that was empty; 1006 when none came.
    code: int
    #: The reason in the peer's Close frame, or "".
    reason: str
    #: The Close frame that this side sent, or None.
    sent: Close | None
    #: The Close frame that the peer sent, or None.
    received: Close | None
    #: True when both Close frames were exchanged.
    clean: bool
    #: Who began: "local", "remote", or "none" when the link ended without either.
    initiator: Literal["local", "remote", "none"]
    #: What broke the connection, or None after an orderly close.
    error: Exception | None = None

    def __str__(self) -> str:
        text = describe_close_code(self.code)
        if self.reason:
            text += f" {self.reason!r}"
        if self.initiator != "none":
            text += f", begun by the {self.initiator} side"
        if not self.clean:
            text += ", without a closing handshake"
        if self.error is not None:
            text += f": {self.error}"
        return text


class Frame(NamedTuple):
    """One frame as it was received, unmasked (RFC 6455 section 5.2)."""

    opcode: Opcode
    payload: bytes
    fin: bool = True
    rsv1: bool = False
    rsv2: bool = False
    rsv3: bool = False

    def __str__(self) -> str:
        shown = self.payload[:32]
        more = "..." if len(self.payload) > len(shown) else ""
        return (
            f"{self.opcode.name}{'' if self.fin else ' (not final)'}"
            f" {shown!r}{more} [{len(self.payload)} bytes]"
        )


class MessageChunk(NamedTuple):
    """The next part of a message that is handed out as it comes: text is cut at characters."""

    data: str | bytes
    is_last: bool


@dataclass(slots=True)
class RequestReceived:
    """Server role: a valid upgrade request came; `accept()` or `reject()` answers it."""

    request: HTTPRequest
    subprotocols: tuple[str, ...]


@dataclass(slots=True)
class Opened:
    """Client role: the server accepted the upgrade; messages may be sent."""

    response: HandshakeResponse


@dataclass(slots=True)
class HandshakeFailed:
    """No WebSocket connection came about. The driver closes the stream."""

    error: ConnectError


@dataclass(slots=True)
class FrameReceived:
    """A frame before it is processed (only with ``inspect_frames``).

    It is processed by the next call of `next_event`, unless `skip_frame` is called before.
    """

    frame: Frame


@dataclass(slots=True)
class PingReceived:
    """The Pong is already queued."""

    data: bytes


class AnsweredPing(NamedTuple):
    """A Ping that a Pong answered: what `send_ping` was given, and the round trip in seconds."""

    token: object
    round_trip: float


@dataclass(slots=True)
class PongReceived:
    """``answered`` holds the Pings that this Pong and its place in the stream answer (5.5.3)."""

    data: bytes
    answered: tuple[AnsweredPing, ...]


@dataclass(slots=True)
class PingSent:
    """The keepalive has queued a Ping of its own."""

    data: bytes


@dataclass(slots=True)
class HeartbeatDue:
    """`heartbeat_interval` is over: the driver sends the application's own heartbeat now."""


@dataclass(frozen=True, slots=True)
class ClosingStarted:
    """A Close frame was received or the connection was failed: messages can't be sent any more."""

    sent: Close | None
    received: Close | None
    error: Exception | None


@lru_cache(maxsize=64)
def closing_in_order(sent: Close | None, received: Close | None) -> ClosingStarted:
    """The same event for all connections that end with the same words: nearly all do."""
    return ClosingStarted(sent, received, None)


@dataclass(slots=True)
class Closed:
    """The last event: the driver writes what `data_to_send` still holds and closes the stream."""

    info: CloseInfo


Event = (
    RequestReceived
    | Opened
    | HandshakeFailed
    | FrameReceived
    | MessageChunk
    | PingReceived
    | PongReceived
    | PingSent
    | HeartbeatDue
    | ClosingStarted
    | Closed
)
