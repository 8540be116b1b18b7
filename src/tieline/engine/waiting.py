"""A wait for another thread → one that Ctrl-C always ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

#: Seconds. A signal that comes just before the system call does not interrupt it; its handler runs
#: when the call returns, so no call may be long. (On Windows none is ever interrupted.)
SLICE = 1.0


def handle_signals() -> None:
    """Let handlers run whose signals have come, and other threads that wait for the interpreter.

    Later, what a handler raises would take along what a call is about to return. Compiled code
    stops for neither of them. This is none, and must not become so.
    """


class Waitable(Protocol):
    """What `wait_for_event` waits for."""

    def wait(self, timeout: float | None = None) -> bool: ...


class Once:
    """An event that is set once. Hardly anybody ever waits for it, and until then it is small.

    `lock` guards who waits. It is reentrant, held for moments only, and not at all while one waits.
    """

    __slots__ = ("_is_set", "_lock", "_waiting")

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._is_set = False
        # A tuple, so that `set` needs no lock.
        self._waiting: tuple[threading.Event, ...] = ()

    def is_set(self) -> bool:
        """Has it happened?"""
        return self._is_set

    def set(self) -> None:
        """It has. Any thread, any number of times."""
        self._is_set = True
        for event in self._waiting:
            event.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it has, `timeout` seconds at most. True when it has."""
        if self.is_set():
            return True
        event = threading.Event()
        try:
            with self._lock:
                # Before the look, or `set` could come in between. (A signal handler on top that
                # waits as well is done with it when it returns.)
                self._waiting = (*self._waiting, event)
            return self.is_set() or event.wait(timeout)
        finally:
            with self._lock:
                self._waiting = tuple([each for each in self._waiting if each is not event])

    def abandon_after_fork(self, lock: Any) -> None:
        """In a child process: another thread may have held the lock."""
        self._lock = lock


class News:
    """A condition of a lock, which is held around every call. Small until somebody waits.

    No context manager of its own: between the steps of one that is written in Python Ctrl-C comes
    in, and the lock would stay taken for ever.
    """

    __slots__ = ("_condition", "lock")

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self._condition: threading.Condition | None = None

    def wait(self, timeout: float) -> None:
        """Wait to be told; the lock is let go meanwhile."""
        self._made().wait(timeout)

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """The same until `predicate()`. Returns what it said last."""
        return self._made().wait_for(predicate, timeout)

    def notify_all(self) -> None:
        """Tell those who wait."""
        if self._condition is not None:
            self._condition.notify_all()

    def _made(self) -> threading.Condition:
        if self._condition is None:
            fresh = threading.Condition(self.lock)
            # A signal handler on top may have waited, and let others in.
            if self._condition is None:
                self._condition = fresh
        return self._condition


def wait_for_event(event: Waitable, timeout: float | None) -> bool:
    """`event.wait(timeout)` in slices. True when the event is set."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = SLICE if deadline is None else deadline - time.monotonic()
        if event.wait(max(0.0, min(SLICE, left))):
            return True
        if left <= 0:
            return False
