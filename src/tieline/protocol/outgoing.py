# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Messages and control frames → the bytes to write: the write side of one connection."""

from __future__ import annotations

from collections.abc import Callable

from tieline.errors import ConnectionClosed, OptionError, ProtocolError
from tieline.protocol.big_frame import BIG, BigFrame
from tieline.protocol.close import encode_close
from tieline.protocol.deflater import Deflater
from tieline.protocol.encoder import FrameEncoder
from tieline.protocol.events import AnsweredPing, Close, CloseInfo
from tieline.protocol.pings import PingLog
from tieline.protocol.wire import CLOSE, MAX_CONTROL_PAYLOAD, PING, PONG, RSV1, Opcode

Data = bytes | bytearray | memoryview


class Outgoing(FrameEncoder):
    """Encodes what is to be sent and keeps it, in order, until `take`.

    Open between the opening handshake and this side's Close frame: after that nothing may be sent
    (RFC 6455 section 5.5.1). Owned by one thread at a time, and a signal handler may come on top of
    it: hence a frame is encoded before `_ready` is looked at, and queued after all else is noted.
    """

    def __init__(self, random_bytes: Callable[[int], bytes] | None) -> None:
        FrameEncoder.__init__(self, random_bytes)
        #: True while messages can be sent.
        self.is_open = False
        #: How the connection ended, once it has.
        self.close_info: CloseInfo | None = None
        #: Compresses messages, once that was negotiated.
        self.deflater: Deflater | None = None
        # What was sent last of all.
        self._closed_with: Close | None = None
        self._ready: list[bytes | bytearray | BigFrame] | None = None
        # The opcode of the message that is being sent in fragments, or 0; is it compressed?
        self._fragmenting = 0
        self._fragments_compressed = False
        # A payload is being compressed: what a signal handler sends now is not.
        self._compressing = False
        # The deflater has seen a payload that the peer will not: it was interrupted.
        self._is_ahead = False
        self._pings: PingLog | None = None
        #: The peer does not read, see `set_congested`.
        self.is_congested = False
        # It gets one Pong, for the last of its Pings.
        self._held_pong: bytes | None = None
        # Statistics.
        self._messages = 0
        self._payload_bytes = 0
        self._pongs_sent = 0

    def take(self) -> list[bytes | bytearray | BigFrame]:
        """What to write, in order; each is handed out once."""
        # Nothing happens in between: a signal handler may send on top of any other line.
        ready, self._ready = self._ready, None
        return [] if ready is None else ready

    def take_bytes(self) -> list[bytes | bytearray]:
        """The same, as bytes only: what big frames hold is masked all at once."""
        return [item.whole() if isinstance(item, BigFrame) else item for item in self.take()]

    @property
    def is_empty(self) -> bool:
        """True when `take` would return nothing."""
        return not self._ready

    def _queue(self, frame: bytes | bytearray | BigFrame) -> None:
        if self._ready is None:
            self._ready = []
        self._ready.append(frame)

    def message(self, opcode: int, payload: Data, compress: bool | None = None) -> BigFrame | None:
        """A whole message in one frame; `compress`: None leaves it to its size.

        Returns a big frame. It refers to the payload, which must not change until all of it was
        written, or its `own` was called.
        """
        self.check_open()
        if self._fragmenting:
            raise ProtocolError("a fragmented message is being sent: finish it before the next one")
        size, deflater = len(payload), self.deflater
        if (
            deflater is not None
            and compress is not False
            and (compress or size >= deflater.threshold)
            and not self._compressing
        ):
            self._compressed(deflater, opcode, payload, True, 0)
            return None
        big: BigFrame | None = None
        if size < BIG:
            frame: bytearray | BigFrame = self.encode(opcode, payload)
        else:
            frame = big = self._big_frame(opcode, payload, True)
        self._messages += 1
        self._payload_bytes += size
        self._queue(frame)
        return big

    def fragment(
        self, opcode: int, payload: Data, fin: bool, compress: bool = False
    ) -> BigFrame | None:
        """One frame of a message (5.4): the first has its opcode, the others CONTINUATION.

        The first one's `compress` is for all of them. Returns what `message` does.
        """
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
        if self._fragmenting:
            compress = self._fragments_compressed
        deflater = self.deflater
        fragmenting = 0 if fin else self._fragmenting or opcode
        if compress and deflater is not None and not self._compressing:
            self._compressed(deflater, opcode, payload, fin, fragmenting)
            return None
        size = len(payload)
        frame = self._frame(opcode, payload, fin)
        self._fragments_compressed = False
        self._fragmenting = fragmenting
        self._messages += 1 if fin else 0
        self._payload_bytes += size
        # Without a call: a message of a signal handler's may not come between the fragments.
        if self._ready is None:
            self._ready = []
        self._ready += [frame]
        return frame if isinstance(frame, BigFrame) else None

    def compresses(self, size: int, compress: bool | None) -> bool:
        """Is a message of so many bytes compressed, given its sender's choice?"""
        deflater = self.deflater
        return (
            deflater is not None
            and compress is not False
            and (bool(compress) or size >= deflater.threshold)
        )

    def _frame(self, opcode: int, payload: Data, fin: bool) -> bytearray | BigFrame:
        if len(payload) < BIG:
            return self.encode(opcode, payload, fin)
        return self._big_frame(opcode, payload, fin)

    def _big_frame(self, opcode: int, payload: Data, fin: bool) -> BigFrame:
        header = self.encode_header(opcode, len(payload), fin)
        return BigFrame(header, payload, self.masked)

    def _compressed(
        self, deflater: Deflater, opcode: int, payload: Data, fin: bool, fragmenting: int
    ) -> None:
        """Queue a compressed frame; or, interrupted, nothing: then the context begins anew.

        The peer's context is the sum of what is queued, in that order. So nothing else may be
        compressed on top of this.
        """
        size = len(payload)
        self._compressing = True
        try:
            if self._is_ahead:
                deflater.reset()
            self._is_ahead = True
            # RFC 7692 section 6: RSV1 marks the message, so it is on its first frame only.
            bits = RSV1 if opcode else 0
            frame = self._frame(opcode | bits, deflater.compress(payload, last=fin), fin)
            # From here on there is no call for an interrupt to come with.
            self._messages += 1 if fin else 0
            self._payload_bytes += size
            self._fragments_compressed = True
            self._fragmenting = fragmenting
            if self._ready is None:
                self._ready = []
            self._ready += [frame]
            self._is_ahead = False
        finally:
            self._compressing = False

    @property
    def is_fragmenting(self) -> bool:
        """True between the first and the last fragment of a message."""
        return self._fragmenting != 0

    def ping(self, data: bytes, now: float, token: object = None) -> None:
        """A Ping; `token` comes back when its Pong does."""
        self._check_control(data)
        frame = self.encode(PING, data)
        fresh = PingLog()
        if self._pings is None:  # no signal handler comes in before the next line
            self._pings = fresh
        self._pings.sent(data, now, token)
        self._queue(frame)

    def pong(self, data: bytes) -> None:
        """An unasked Pong: a one-way heartbeat (5.5.3)."""
        self._check_control(data)
        frame = self.encode(PONG, data)
        self._pongs_sent += 1
        self._queue(frame)

    def answer_ping(self, data: bytes) -> None:
        """5.5.2: a Pong as soon as is practical, if one may still be sent."""
        if self.is_congested:
            self._held_pong = data
        elif self.is_open:
            self.pong(data)

    def set_congested(self, congested: bool) -> None:
        """The peer does not read. Of the Pongs that it asks for meanwhile only the last is kept.

        5.5.3 allows it, and a peer that pings without reading could otherwise fill the memory.
        """
        self.is_congested = congested
        if not congested and self._held_pong is not None:
            data, self._held_pong = self._held_pong, None
            self.answer_ping(data)

    def pong_received(self, data: bytes, now: float) -> tuple[AnsweredPing, ...]:
        """The Pings that a Pong answers."""
        return () if self._pings is None else self._pings.answered(data, now)

    def close(self, close: Close) -> None:
        """The Close frame: the last of all. An interrupt comes before anything is done."""
        frame = self.encode(CLOSE, encode_close(close))
        # Without a call: signals are handled after those, and the caller has yet to note this one.
        self.is_open = False
        self._closed_with = close
        if self._ready is None:
            self._ready = []
        self._ready += [frame]

    def raw(self, data: bytes) -> None:
        """Bytes of the opening handshake."""
        self._queue(data)

    def counters(self) -> dict[str, int]:
        """Statistics since the start, by their names in `Traffic`."""
        return {
            "messages_sent": self._messages,
            "frames_sent": self.frames,
            "payload_bytes_sent": self._payload_bytes,
            "pings_sent": 0 if self._pings is None else self._pings.count,
            "pongs_sent": self._pongs_sent,
        }

    def check_open(self) -> None:
        """Raise ConnectionClosed unless messages can be sent."""
        if not self.is_open:
            ended, said = "", self._closed_with
            if self.close_info is not None:
                ended = f": {self.close_info}"
            elif said is not None and said.reason:  # an error's text, mostly
                ended = f": {said.reason}"
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
