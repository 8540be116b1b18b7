# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""The system's random bytes → the same from OpenSSL, which takes an eighth of the time for many."""

from __future__ import annotations

from os import urandom
from sys import modules

#: From so many on it pays to look whether OpenSSL is there: keys for a thousand messages.
_MANY = 4096


def random_bytes(size: int) -> bytes:
    """Unpredictable bytes, as for masking keys (RFC 6455 section 5.3). Any thread.

    OpenSSL takes some milliseconds to load, so it is asked only when the program has it anyway. In
    C nothing in here runs Python code, and no signal handler comes in between (`RunLane`).
    """
    if size >= _MANY:
        take = getattr(modules.get("ssl"), "RAND_bytes", None)
        if take is not None:
            many: bytes = take(size)
            return many
    return urandom(size)
