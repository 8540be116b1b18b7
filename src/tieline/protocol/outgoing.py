"""Messages and control frames → the bytes to write: the write side of one connection."""

from __future__ import annotations

from collections.abc import Callable

from tieline.errors import ConnectionClosed, OptionError, ProtocolError
from tieline.protocol.close import encode_close
from tieline.protocol.encoder import FrameEncoder
from tieline.protocol.events import AnsweredPing, Close, CloseInfo
from tieline.protocol.pings import PingLog
from tieline.protocol.wire import MAX_CONTROL_PAYLOAD, Opcode

Data = bytes | bytearray | memoryview


class Outgoing:
    """Encodes what is to be sent and keeps it, in order, until `take`.

    Open between the opening handshake and this side's Close frame: after that nothing may be sent
    (RFC 6455 section 5.5.1). Owned by one thread at a time, and a signal handler may come on top of
    it: hence a frame is encoded before `_ready` is looked at, and queued after all else is noted.
    """

    def __init__(self, random_bytes: Callable[[int], bytes] | None) -> None:
        #: True while messages can be sent.
        self.is_open = False
        #: How the connection ended, once it has.
        self.close_info: CloseInfo | None = None
        self._encoder = FrameEncoder(random_bytes)
        self._ready: list[bytes | bytearray] = []
        # The opcode of the message that is being sent in fragments, or 0.
        self._fragmenting = 0
        self._pings = PingLog()
        # A peer that does not read gets one Pong, for the last of its Pings.
        self._congested = False
        self._held_pong: bytes | None = None
        # Statistics.
        self._messages = 0
        self._payload_bytes = 0
        self._pings_sent = 0
        self._pongs_sent = 0

    def take(self) -> list[bytes | bytearray]:
        """What to write, in order; each byte string is handed out once."""
        fresh: list[bytes | bytearray] = []
        # Nothing happens in between: a signal handler may send on top of any other line.
        ready, self._ready = self._ready, fresh
        return ready

    @property
    def is_empty(self) -> bool:
        """True when `take` would return nothing."""
        return not self._ready

    def message(self, opcode: int, payload: Data) -> None:
        """A whole message in one frame."""
        self.check_open()
        if self._fragmenting:
            raise ProtocolError("a fragmented message is being sent: finish it before the next one")
        frame = self._encoder.encode(opcode, payload)
        self._messages += 1
        self._payload_bytes += len(payload)
        self._ready.append(frame)

    def fragment(self, opcode: int, payload: Data, fin: bool) -> None:
        """One frame of a message (5.4): the first has its opcode, the others CONTINUATION."""
        self.check_open()
        if opcode not in (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY):
            # A Close that got through here would leave the connection open behind it.
            raise OptionError(
                f"opcode: expected TEXT, BINARY or CONTINUATION for a message's frame, "
                f"got {opcode:#x}: Close, Ping and Pong have calls of their own"
            )
        if (opcode == Opcode.CONTINUATION) != bool(self._fragmenting):
            raise ProtocolError(
                "expected CONTINUATION frames until the message is finished with fin=True"
                if self._fragmenting
                else "expected TEXT or BINARY for a message's first frame, got CONTINUATION"
            )
        size = len(payload)
        frame = self._encoder.encode(opcode, payload, fin)
        self._fragmenting = 0 if fin else self._fragmenting or opcode
        self._messages += 1 if fin else 0
        self._payload_bytes += size
        self._ready.append(frame)

    @property
    def is_fragmenting(self) -> bool:
        """True between the first and the last fragment of a message."""
        return self._fragmenting != 0

    def ping(self, data: bytes, now: float, token: object = None) -> None:
        """A Ping; `token` comes back when its Pong does."""
        self._check_control(data)
        frame = self._encoder.encode(Opcode.PING, data)
        self._pings.sent(data, now, token)
        self._pings_sent += 1
        self._ready.append(frame)

    def pong(self, data: bytes) -> None:
        """An unasked Pong: a one-way heartbeat (5.5.3)."""
        self._check_control(data)
        frame = self._encoder.encode(Opcode.PONG, data)
        self._pongs_sent += 1
        self._ready.append(frame)

    def answer_ping(self, data: bytes) -> None:
        """5.5.2: a Pong as soon as is practical, if one may still be sent."""
        if self._congested:
            self._held_pong = data
        elif self.is_open:
            self.pong(data)

    def set_congested(self, congested: bool) -> None:
        """The peer does not read. Of the Pongs that it asks for meanwhile only the last is kept.

        5.5.3 allows it, and a peer that pings without reading could otherwise fill the memory.
        """
        self._congested = congested
        if not congested and self._held_pong is not None:
            data, self._held_pong = self._held_pong, None
            self.answer_ping(data)

    def pong_received(self, data: bytes, now: float) -> tuple[AnsweredPing, ...]:
        """The Pings that a Pong answers."""
        return self._pings.answered(data, now)

    def close(self, close: Close) -> None:
        """The Close frame: the last of all. An interrupt comes before anything is done."""
        frame = self._encoder.encode(Opcode.CLOSE, encode_close(close))
        # Not `append`: signals are handled after calls, and the caller has yet to note this one.
        self.is_open = False
        self._ready += [frame]

    def raw(self, data: bytes) -> None:
        """Bytes of the opening handshake."""
        self._ready.append(data)

    def counters(self) -> dict[str, int]:
        """Statistics since the start, by their names in `Traffic`."""
        return {
            "messages_sent": self._messages,
            "frames_sent": self._encoder.frames,
            "payload_bytes_sent": self._payload_bytes,
            "pings_sent": self._pings_sent,
            "pongs_sent": self._pongs_sent,
        }

    def check_open(self) -> None:
        """Raise ConnectionClosed unless messages can be sent."""
        if not self.is_open:
            ended = f": {self.close_info}" if self.close_info is not None else ""
            raise ConnectionClosed(
                f"nothing can be sent, the connection is closing or closed{ended}", self.close_info
            )

    def _check_control(self, data: bytes) -> None:
        self.check_open()
        if len(data) > MAX_CONTROL_PAYLOAD:
            raise OptionError(
                f"a Ping or Pong holds at most {MAX_CONTROL_PAYLOAD} bytes, got {len(data)}: "
                "send a message instead"
            )
