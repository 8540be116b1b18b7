"""A wait of a thread → one that can be ended from any thread, and from a finalizer."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from tieline.engine.waiting import SLICE


class Pause:
    """Blocks a thread."""

    def __init__(self) -> None:
        # True: an interruption. Its `put` takes no lock that a finalizer could find taken.
        self._calls: SimpleQueue[bool] = SimpleQueue()
        # Some are in it: during a dial, which may be long, nobody takes any out.
        self._has_news = False

    def wait(self, seconds: float, on_news: Callable[[], None] | None = None) -> bool:
        """Block for so long. False: it was interrupted, now or before.

        `on_news` is called on the thread that waits, which then goes on waiting.
        """
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            try:
                # In slices: a signal just before the system call does not interrupt it.
                is_over = self._calls.get(timeout=max(0.0, min(SLICE, left)))
            except Empty:
                if left <= 0:
                    return True
                if on_news is not None:
                    on_news()  # time is news as well
                continue
            if is_over:
                self.interrupt()  # for those who ask later
                return False
            self._has_news = False
            if on_news is not None:
                on_news()

    def interrupt(self) -> None:
        self._calls.put(True)

    def bring_news(self) -> None:
        if not self._has_news:
            self._has_news = True
            self._calls.put(False)
