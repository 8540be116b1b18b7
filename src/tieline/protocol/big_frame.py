"""A big payload → its frame in pieces, each masked when it is about to be written."""

from __future__ import annotations

from tieline.protocol.masking import mask_into

#: Payloads of so many bytes are masked while they are written. Smaller ones are masked when they
#: are sent, and wait as that.
BIG = 256 * 1024

#: Bytes of one piece: enough that the cost of a system call, and of waking the peer with each of
#: them, vanishes, and little enough that a cache still holds it when the kernel copies it.
PIECE = 1024 * 1024


def is_borrowed(payload: bytes | bytearray | memoryview) -> bool:
    """Could its owner change it?"""
    memory = payload.obj if isinstance(payload, memoryview) else payload
    return not isinstance(memory, bytes)


class BigFrame:
    """One frame of which no more than a piece is ever copied. Guarded by its owner's lock.

    Its length is what was not handed out yet. Until then it refers to the payload, so memory that
    may change is given back with `own`.
    """

    def __init__(
        self, header: bytes, payload: bytes | bytearray | memoryview, masked: bool
    ) -> None:
        self._header = header
        # XOR with nothing is a copy, which is what an unmasked piece has to be.
        self._key = header[-4:] if masked else bytes(4)
        #: Could the owner of the payload change it?
        self.is_borrowed = is_borrowed(payload)
        # A view, so that who tries to resize the memory meanwhile learns that it is in use.
        self._rest = memoryview(payload)
        self._offset = 0  # of the rest, within the payload
        self._buffer = bytearray()

    def __len__(self) -> int:
        return len(self._header) + len(self._rest)

    def next_piece(self) -> bytearray:
        """The next bytes to write. The next call may overwrite them."""
        header, rest = self._header, self._rest
        piece = rest[: PIECE - len(header)]
        size = len(header) + len(piece)
        if len(self._buffer) != size:
            self._buffer = bytearray(size)
        self._buffer[: len(header)] = header
        mask_into(self._buffer, len(header), piece, self._key, self._offset)
        self._header = b""
        # Without any, the payload's memory is its owner's alone again.
        self._rest = rest[len(piece) :] if len(piece) < len(rest) else memoryview(b"")
        self._offset += len(piece)
        return self._buffer

    def whole(self) -> bytes:
        """All that was not handed out."""
        return b"".join([bytes(self.next_piece()) for _ in range(0, len(self), PIECE)])

    def drop(self) -> None:
        """Forget what is left."""
        self._header, self._rest = b"", memoryview(b"")

    def own(self) -> None:
        """Copy what is left: the memory of the payload belongs to its owner alone again."""
        if self.is_borrowed:
            copied = memoryview(bytes(self._rest))
            borrowed, self._rest = self._rest, copied
            self.is_borrowed = False
            borrowed.release()
