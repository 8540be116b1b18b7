# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Threads that want to read and deliver → one at a time, and none that waits for a handler."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

from tieline.engine.locks import has_gil
from tieline.engine.waiting import News

if TYPE_CHECKING:
    from tieline.engine.locks import ReentrantLock
    from tieline.engine.short_way import ShortWay
    from tieline.protocol.handshake import HandshakeResponse


class Turn:
    """The part of a session that says which thread reads and delivers, and what that begins with.

    Whoever finds it taken leaves the work to the holder: set `is_asked`, then `take`; the holder
    looks at `is_asked` after `give_back`. Call `take` inside of the ``try`` whose ``finally`` gives
    it back: Ctrl-C may come between any two steps, and a turn that stayed taken would be a hang.
    """

    if TYPE_CHECKING:
        #: Where each message looks first. The session keeps it for life, so any thread may.
        lane: ShortWay

    def __init__(self, lock: ReentrantLock) -> None:
        self._init_turn(lock)

    # A session's classes are set up by calls of C: through `super()` each costs a thousand steps.

    def _init_turn(self, lock: ReentrantLock) -> None:
        #: The session's. It is held while the turn changes hands, and not while somebody has it.
        self.lock = lock
        #: The thread that has the turn; 0, which no thread is called, when none does.
        self.holder = 0
        #: There is something to deliver that the holder may not have seen.
        self.is_asked = False
        #: There is something to deliver before more may be read: what came with the 101, which
        #: the reactor may not have had time for, or what was left because the delivery was full.
        self.has_more = True
        #: The answer to the handshake, to be told to the handlers before anything else; then None.
        self.response: HandshakeResponse | None = None
        # Of the turn being free. It is there while a thread waits for that: hardly any does, and
        # to tell nobody takes longer than to receive a message.
        self._news: _Free | None = None

    @property
    def is_taken(self) -> bool:
        """Does any thread hold it?"""
        return self.holder != 0

    @property
    def is_mine(self) -> bool:
        """Does the caller hold it, being a handler most probably?"""
        return self.holder == get_ident()

    @property
    def is_busy(self) -> bool:
        """Does another thread hold it? It may be in a handler that does not return for long."""
        return self.holder != 0 and self.holder != get_ident()

    def take(self, timeout: float = 0.0) -> bool:
        """Take it if it is free within `timeout` seconds. Not to be called by its holder."""
        if self.holder and not timeout:
            return False
        caller = get_ident()
        with self.lock:
            if self.holder:
                self._wait(timeout)
                if self.holder:
                    return False
            self.holder = caller
            return True

    def give_back(self) -> None:
        """Let the next one have it; nothing happens if the caller does not hold it."""
        if self.holder == get_ident():
            self.holder = 0
            if self._news is not None:
                self.tell_free()

    def tell_free(self) -> None:
        """Wake those who wait for it."""
        with self.lock:
            if self._news is not None:
                self._news.notify_all()

    def _wait(self, timeout: float) -> None:
        fresh = _Free(self.lock)
        # No signal handler, which may wait as well, comes in before the next call.
        if self._news is None:
            self._news = fresh
        news = self._news
        news.waiting += 1
        try:
            news.wait_for(lambda: not self.holder, timeout)
        finally:
            news.waiting -= 1
            # Without the interpreter's lock, `give_back` might not see that it is there again.
            if has_gil and not news.waiting and self._news is news:
                self._news = None


class _Free(News):
    """Guarded by the lock."""

    __slots__ = ("waiting",)

    def __init__(self, lock: ReentrantLock) -> None:
        super().__init__(lock)
        #: How many wait to be told.
        self.waiting = 0
