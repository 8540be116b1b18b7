# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Threads that want to read and deliver → one at a time, and none that waits for a handler."""

from __future__ import annotations

import threading
from contextlib import suppress

from tieline.engine.locks import ReentrantLock


class Turn:
    """Held by the one thread that reads and delivers at present, and what it has to begin with.

    Whoever finds it taken leaves the work to the holder: set `is_asked`, then `take`; the holder
    looks at `is_asked` after `give_back`. Call `take` inside of the ``try`` whose ``finally`` gives
    it back: Ctrl-C may come between any two steps, and a turn that stayed taken would be a hang.
    """

    def __init__(self) -> None:
        #: Reentrant for its owner only, who is known to it at the very moment of acquiring.
        self.lock = ReentrantLock()
        #: The thread that holds it, or None.
        self.holder: int | None = None
        #: There is something to deliver that the holder may not have seen.
        self.is_asked = False
        #: There is something to deliver before more may be read: what came with the 101, which
        #: the reactor may not have had time for, or what was left because the delivery was full.
        self.has_more = True
        #: The answer to the handshake is to be told to the handlers before anything else.
        self.has_response = False

    @property
    def is_taken(self) -> bool:
        """Does any thread hold it?"""
        return self.holder is not None

    @property
    def is_mine(self) -> bool:
        """Does the caller hold it, being a handler most probably?"""
        return self.holder == threading.get_ident()

    def take(self, timeout: float = 0.0) -> bool:
        """Take it if it is free within `timeout` seconds. Not to be called by its holder."""
        if not self.lock.acquire(timeout=timeout):
            return False
        self.holder = threading.get_ident()
        return True

    def give_back(self) -> None:
        """Let the next one have it; nothing happens if it was not taken."""
        if self.holder is None:
            # Interrupted in the middle of `take`, or not ours.
            with suppress(RuntimeError):
                self.lock.release()
        elif self.is_mine:
            self.holder = None
            self.lock.release()
