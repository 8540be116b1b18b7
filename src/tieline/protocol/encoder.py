# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Frame → bytes, header and masked payload in one buffer (RFC 6455 section 5.2)."""

from __future__ import annotations

from collections.abc import Callable

from tieline.protocol.masking import mask_into

#: Masking keys are drawn from the system's random source this many bytes at a time: few at first,
#: since many connections send next to nothing and the most costs as much as several system calls.
_FIRST_POOL_SIZE = 32
_POOL_SIZE = 4096


class FrameEncoder:
    """Writes frames for one side of a connection.

    `random_bytes` must be unpredictable (5.3: a page must not be able to choose what appears on the
    wire); None writes unmasked frames, which is the server's way. Owned by one thread at a time.
    """

    def __init__(self, random_bytes: Callable[[int], bytes] | None) -> None:
        self.random_bytes = random_bytes
        self.masked = random_bytes is not None
        self.pool = b""
        self.used = 0
        #: Statistics: frames written since the start.
        self.frames = 0

    def encode(
        self, opcode: int, payload: bytes | bytearray | memoryview, fin: bool = True
    ) -> bytearray:
        """One frame. `payload` is a contiguous run of bytes; its length decides the header."""
        length = len(payload)
        if length < 126:
            start = 2
        elif length < 0x10000:
            start = 4
        else:
            start = 10
        mask_bit = 0
        if self.masked:
            mask_bit = 0x80
            start += 4
        frame = bytearray(start + length)
        head = frame
        head[0] = opcode | 0x80 if fin else opcode
        if length < 126:
            head[1] = mask_bit | length
        elif length < 0x10000:
            head[1] = mask_bit | 126
            head[2] = length >> 8
            head[3] = length & 0xFF
        else:
            head[1] = mask_bit | 127
            rest = length
            for i in range(9, 1, -1):
                head[i] = rest & 0xFF
                rest >>= 8
        self.frames += 1
        if self.masked:
            key = self._next_key()
            key_bytes = key
            for i in range(4):
                head[start - 4 + i] = key_bytes[i]
            mask_into(frame, start, payload, key)
        else:
            frame[start:] = payload
        return frame

    def encode_header(self, opcode: int, length: int, fin: bool = True) -> bytes:
        """The header of a frame whose payload is masked as it is written (`BigFrame`).

        Its last four bytes are the key, if there is one. Only for payloads of 64 KiB and more.
        """
        if length < 0x10000:
            raise ValueError(f"expected a length of 65536 and more, got {length}")
        first = opcode | 0x80 if fin else opcode
        key = self._next_key() if self.masked else b""
        self.frames += 1
        return bytes((first, 0xFF if self.masked else 0x7F)) + length.to_bytes(8, "big") + key

    def _next_key(self) -> bytes:
        """A fresh key: never derived from an earlier one, never used twice."""
        if self.used + 4 > len(self.pool):
            self._refill()
        self.used += 4
        return self.pool[self.used - 4 : self.used]

    def _refill(self) -> None:
        assert self.random_bytes is not None
        pool = self.random_bytes(
            min(_POOL_SIZE, 8 * len(self.pool)) if self.pool else _FIRST_POOL_SIZE
        )
        if len(pool) < 4:  # who takes a key looks no more
            raise ValueError(f"a masking key takes 4 random bytes, got {len(pool)}")
        self.pool = pool
        self.used = 0
