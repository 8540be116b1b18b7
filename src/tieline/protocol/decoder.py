# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Bytes → frame headers, and where each frame's payload lies (RFC 6455 section 5.2)."""

from __future__ import annotations

from tieline.errors import ProtocolError
from tieline.protocol.masking import apply_mask


class FrameDecoder:
    """Walks through a byte stream frame by frame, without copying it.

    `feed` hands over a piece of the stream. `read_header` moves to the payload of the next frame
    and leaves what the header said in the attributes. `available` says how much of the payload is
    in the piece; `take` consumes it. A header that the end of a piece cuts is kept; payload never.

    Owned by one thread at a time. After a `ProtocolError` the stream can't be continued.
    """

    def __init__(self, expect_masked: bool) -> None:
        self.prepare_decoder(expect_masked)

    def prepare_decoder(self, expect_masked: bool) -> None:
        """`__init__` for those that are more than this: compiled, a call as any other."""
        # The piece in work: `view` is `data` for C, which sees a pointer there.
        self.data: bytes | bytearray = b""
        self.view: bytes | bytearray = b""
        self.position = 0
        self.end = 0
        # The frame in work. `remaining` counts the payload bytes not yet taken.
        self.in_frame = False
        self.fin = False
        self.rsv1 = False
        self.opcode = 0
        self.remaining = 0
        # Turned to the next byte of its payload.
        self.key = b""
        # A header that was cut: its first `kept` bytes. Most connections never see one.
        self.head: bytearray | None = None
        self.kept = 0
        self.expect_masked = expect_masked
        #: permessage-deflate was negotiated: RSV1 marks a compressed message (RFC 7692 section 6).
        self.allow_rsv1 = False
        #: Once true, received bytes are thrown away: the peer's Close came, or a rule was broken.
        self.is_deaf = False
        #: Statistics: headers read since the start.
        self.frames = 0

    def feed(self, data: bytes | bytearray, end: int) -> None:
        """Hand over ``data[:end]``; it must stay unchanged until it is consumed."""
        if self.position != self.end:
            raise RuntimeError(f"{self.end - self.position} bytes of the last piece are unread")
        if not isinstance(data, (bytes, bytearray)):
            raise TypeError(f"expected bytes or bytearray, got {type(data).__name__}")
        if end < 0 or end > len(data):
            raise ValueError(f"end={end} is not within the {len(data)} bytes given")
        self.data = data
        self.view = data
        self.position = 0
        self.end = end

    def has_unread(self) -> bool:
        """Is there something left of the last piece?"""
        return self.position != self.end

    def keep(self) -> None:
        """Copy what is unread of the last piece, which may change from now on."""
        if not isinstance(self.data, bytes):  # those cannot change, and many calls cost one copy
            self.data = self.view = bytes(memoryview(self.data)[self.position : self.end])
            self.end -= self.position
            self.position = 0

    def release(self) -> None:
        """Let go of the last piece: nothing more will be read."""
        self.position = self.end
        self.in_frame = False
        self.feed(b"", 0)

    def read_header(self) -> bool:
        """Read the next frame's header. False: the piece ended before the header did."""
        if self.kept:
            return self._complete_header()
        size = self._parse(self.view, self.position, self.end - self.position)
        if size:
            self.position += size
            self.frames += 1
            self.in_frame = True
            return True
        if self.position < self.end:
            self._keep_head()
        return False

    def _keep_head(self) -> None:
        """What is left of the piece is the beginning of a header."""
        head = self.head
        if head is None:
            head = self.head = bytearray(14)
        while self.position < self.end:
            head[self.kept] = self.view[self.position]
            self.kept += 1
            self.position += 1

    def _complete_header(self) -> bool:
        """Add the bytes that a cut header lacks."""
        head = self.head
        assert head is not None
        while self.position < self.end:
            head[self.kept] = self.view[self.position]
            self.kept += 1
            self.position += 1
            if self._parse(head, 0, self.kept):
                self.kept = 0
                self.frames += 1
                self.in_frame = True
                return True
        return False

    def _parse(self, view: bytes | bytearray, position: int, available: int) -> int:
        """Parse a header at `position`; return its size in bytes, or 0 when it is not complete."""
        if available < 2:
            return 0
        first = view[position]
        second = view[position + 1]
        # Before the rest of the header is there: the peer may send no more.
        self._check(first, second)
        length = second & 0x7F
        size = 2
        if length == 126:
            size = 4
            if available < size:
                return 0
            length = view[position + 2] << 8 | view[position + 3]
            if length < 126:
                raise ProtocolError(f"expected the shortest length form, got {length} in 16 bits")
        elif length == 127:
            size = 10
            if available < size:
                return 0
            if view[position + 2] & 0x80:
                raise ProtocolError("expected a frame length below 2**63 (RFC 6455 section 5.2)")
            length = 0
            for i in range(2, 10):
                length = length << 8 | view[position + i]
            if length < 0x10000:
                raise ProtocolError(f"expected the shortest length form, got {length} in 64 bits")
        if second & 0x80:
            size += 4
            if available < size:
                return 0
        if self.expect_masked:
            self.key = bytes([view[position + i] for i in range(size - 4, size)])
        self.fin = first & 0x80 != 0
        self.rsv1 = first & 0x40 != 0
        self.opcode = first & 0x0F
        self.remaining = length
        return size

    def _check(self, first: int, second: int) -> None:
        """The rules for a header's first two bytes."""
        opcode = first & 0x0F
        # One comparison for what nearly every frame is: no RSV bit, a data opcode.
        if first & 0x70 == 0 and opcode <= 2:
            pass
        elif first & 0x70 == 0x40 and self.allow_rsv1 and (opcode == 1 or opcode == 2):
            pass
        elif first & 0x70:
            raise _bad_rsv(first, self.allow_rsv1)
        elif opcode < 8 or opcode > 10:
            raise ProtocolError(f"expected a known opcode, got reserved {opcode:#x}")
        else:
            if second & 0x7F > 125:
                raise ProtocolError(
                    "expected a control frame of at most 125 bytes, got a longer one"
                )
            if not first & 0x80:
                raise ProtocolError(
                    f"expected an unfragmented control frame, got opcode {opcode:#x} without FIN"
                )
        if (second & 0x80 != 0) != self.expect_masked:
            if self.expect_masked:
                raise ProtocolError(
                    "expected a masked frame from the client (RFC 6455 section 5.1)"
                )
            raise ProtocolError("expected no mask on the server's frame (RFC 6455 section 5.1)")

    def available(self) -> int:
        """How many bytes of the frame's payload are in the piece."""
        if self.remaining < self.end - self.position:
            return self.remaining
        return self.end - self.position

    def take(self) -> bytes | memoryview:
        """Consume the payload bytes that are there; return them unmasked."""
        count = self.available()
        start = self.position
        payload: bytes | memoryview = memoryview(self.data)[start : start + count]
        if self.expect_masked:
            payload = apply_mask(payload, self.key, 0)
            self.key = self.key[count & 3 :] + self.key[: count & 3]
        self.advance(count)
        return payload

    def take_bytes(self) -> bytes:
        """The same as `take`, as a copy."""
        if self.expect_masked:
            return bytes(self.take())
        start = self.position
        stop = start + self.available()
        self.advance(stop - start)
        return bytes(self.view[start:stop])

    def received(self, count: int) -> None:
        """So many bytes of the payload, behind what is here, came another way."""
        if self.position != self.end or count > self.remaining:
            raise RuntimeError(
                f"expected no unread bytes and at most {self.remaining}, got {count}"
            )
        self.remaining -= count
        if self.remaining == 0:
            self.in_frame = False

    def advance(self, count: int) -> None:
        """Move past `count` bytes of the payload that the caller has read at `position`."""
        self.position += count
        self.remaining -= count
        if self.remaining == 0:
            self.in_frame = False


def _bad_rsv(first: int, allow_rsv1: bool) -> ProtocolError:
    """What is wrong with a header's RSV bits."""
    if not allow_rsv1 or first & 0x30:
        return ProtocolError(
            f"expected no RSV bit without a negotiated extension, got {first & 0x70:#04x}"
        )
    return ProtocolError(
        "expected RSV1 (compressed) on the first frame of a data message only, got it with opcode "
        f"{first & 0x0F:#x}"
    )
