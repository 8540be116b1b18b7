"""Senders that cannot go on yet → told when they may look again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tieline.engine.waiting import SLICE, News


class Room:
    """Threads that wait, and calls that are wanted, when there may be room for a message.

    `lock` is the session's, held around every call of these methods.
    """

    def __init__(self, lock: Any) -> None:
        self._news = News(lock)
        self._waiting = 0
        self._calls: list[Callable[[], None]] = []
        #: Does anybody wait? Asked after every write.
        self.is_wanted = False

    def wait(self, timeout: float | None) -> None:
        """Wait to be told, `timeout` seconds or a slice at most; the lock is let go meanwhile."""
        self._waiting += 1
        self.is_wanted = True
        try:
            self._news.wait(SLICE if timeout is None else min(SLICE, timeout))
        finally:
            self._waiting -= 1
            self.is_wanted = self._waiting > 0 or bool(self._calls)

    def call(self, function: Callable[[], None]) -> None:
        """Have it called once, on whatever thread tells: it must be short, and must not raise."""
        self.is_wanted = True
        self._calls.append(function)

    def tell(self) -> None:
        """There is room, or there will never be."""
        self._news.notify_all()
        calls, self._calls = self._calls, []
        self.is_wanted = self._waiting > 0
        for function in calls:
            function()

    def abandon_after_fork(self, lock: Any) -> None:
        """In a child process: another thread may have held the lock."""
        self._news = News(lock)
        self._waiting = 0
        self._calls.clear()
        self.is_wanted = False
