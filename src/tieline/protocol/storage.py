"""Payload that is read where it will stay → the message, without a copy of the whole.

The compiled `_storage` replaces the class when it is there, and what is read into is then the
`bytes` or `str` itself.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING


class _Storage:
    """Grows as the bytes come, by no more than `target` says.

    Views of it are let go of before anything else is called. Owned by one thread at a time.
    """

    #: Does it gather small messages as quickly as what is made for that?
    is_quick = False

    def __init__(self, is_text: bool) -> None:
        self._is_text = is_text
        self._bytes = BytesIO()
        self._capacity = 0
        #: How many bytes are in.
        self.size = 0

    def add(self, piece: bytes | memoryview) -> None:
        """Copy a piece that was read elsewhere."""
        self._bytes.seek(self.size)
        self._bytes.write(piece)
        self.size += len(piece)
        self._capacity = max(self._capacity, self.size)

    def reserve(self, room: int) -> None:
        """Make room for so many bytes in all."""
        if room > self._capacity:
            self._capacity = room
            self._bytes.seek(room - 1)
            self._bytes.write(b"\0")

    def target(self, wanted: int, most: int, first: int) -> memoryview:
        """Memory for the next bytes, `most` at most.

        There is room for all that is `wanted` in the end only when a sixteenth of it is in, or it
        is `first` bytes or less.
        """
        if self._capacity == self.size:
            self.reserve(self.size + min(wanted, max(first, 15 * self.size)))
        stop = min(self._capacity, self.size + wanted, self.size + most)
        return self._bytes.getbuffer()[self.size : stop]

    def received(self, count: int) -> None:
        """So many bytes were read to `target`."""
        if not 0 <= count <= self._capacity - self.size:
            raise ValueError(f"{count} bytes are more than there was room for")
        self.size += count

    def is_ascii(self, start: int) -> bool:
        """Are all bytes from `start` on ASCII?"""
        return bytes(self._bytes.getbuffer()[start : self.size]).isascii()

    def cut(self, start: int) -> bytes:
        """Take the bytes from `start` on out again."""
        piece = bytes(self._bytes.getbuffer()[start : self.size])
        self.size = start
        return piece

    def take(self) -> str | bytes:
        """All of it; what is text must be ASCII. The storage is empty then."""
        self._bytes.truncate(self.size)
        taken = str(self._bytes.getbuffer(), "ascii") if self._is_text else self._bytes.getvalue()
        self._bytes = BytesIO()
        self._capacity = self.size = 0
        return taken


if TYPE_CHECKING:
    Storage = _Storage
else:
    try:
        from tieline.protocol._storage import Storage
    except ImportError:
        Storage = _Storage
