"""A connected descriptor that is about to be closed → the bytes that had come and nobody read."""

from __future__ import annotations

import os
from contextlib import suppress

#: Bytes of one read.
_PIECE = 256 * 1024

#: So many reads at most: more than a kernel holds.
_LAST_READS = 64


def read_what_is_left(descriptor: int) -> bytearray:
    """What the peer had sent before a write failed: its Close, maybe, which says why.

    Transports throw it away, but they close the descriptor only behind `connection_lost`.
    """
    left = bytearray()
    if os.name != "posix":
        return left  # a socket is no descriptor there
    with suppress(OSError):  # also BlockingIOError: that was all
        for _ in range(_LAST_READS):
            data = os.read(descriptor, _PIECE)
            if not data:
                break
            left += data
    return left
