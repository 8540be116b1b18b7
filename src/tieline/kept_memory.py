"""Big blocks that come and go → an allocator that keeps their memory for the next ones."""

from __future__ import annotations

#: Of the memory that is free twice this much is kept, at the least.
KEPT = 512 * 1024

_is_kept = False


def keep_memory() -> None:
    """Call it when many blocks of some 100 KiB are about to come and go. Any thread.

    glibc's allocator gives the end of its heap back when more of that is free than twice the
    largest block that was ever given back by itself. Until there was a large one, each block is
    made in pages that the system has to clear anew, which takes three times as long as to receive
    what goes there. What a program has set itself, stays.
    """
    global _is_kept
    if not _is_kept:
        _is_kept = True
        bytes(KEPT)  # never touched, so it costs two system calls
