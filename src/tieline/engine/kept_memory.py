"""Big blocks that come and go → an allocator that keeps their memory for the next ones."""

from __future__ import annotations

#: Of the memory that is free twice this much is kept, if it is not told otherwise.
KEPT = 512 * 1024

_kept = 0


def keep_memory(size: int = KEPT) -> None:
    """Call it when many blocks are about to come and go, of `size` bytes at a time. Any thread.

    glibc's allocator gives the end of its heap back when more of that is free than twice the
    largest block that was ever given back by itself. Until there was a large one, each block is
    made in pages that the system has to clear anew, which takes three times as long as to receive
    what goes there. What a program has set itself, stays.
    """
    global _kept
    if size > _kept:
        _kept = size
        bytes(size)  # never touched, so it costs two system calls
