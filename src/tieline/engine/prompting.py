"""What handlers have gathered → the kernel, also when a handler takes its time afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from tieline.engine.reactor import Reactor
from tieline.engine.timers import Timer

#: Seconds between two looks, while anything is gathered: as long as a thread that is busy in Python
#: keeps the interpreter from others.
INTERVAL = 0.005


class Gathering(Protocol):
    """The write side of a connection. Any thread."""

    def write_overdue(self) -> bool:
        """Write what waits too long. False: it need not be looked at until it asks again."""


class Prompter:
    """Writes what has waited too long, on a reactor whose thread exists while it is wanted.

    A handler that sends and then works, or waits for something, does so on the one thread that
    would write what it has sent. What it waits for may be the answer of the peer.
    """

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        # Reentrant, because a signal handler may come on top of any line. Never held while a thread
        # is started: that waits, and all connections share this lock.
        self._lock = threading.RLock()
        self._writers: set[Gathering] = set()
        self._is_served = False
        self._timer: Timer | None = None
        # The reactor's own.
        self.is_served = False
        self.served_as = self.watched_for = 0

    def watch_over(self, writer: Gathering) -> bool:
        """Look at it from now on, until it says that there is no need. Any thread, any lock held.

        False: no thread can be had for it.
        """
        begins = False
        try:
            with self._lock:
                self._writers.add(writer)
                begins, self._is_served = not self._is_served, True
            if begins:
                self._reactor.register(self)
        except BaseException as error:
            if begins:
                self._is_served = False  # so that the next one tries again
            if not isinstance(error, RuntimeError | OSError):
                raise
            with self._lock:
                self._writers.discard(writer)
            return False
        return True

    # --- on the reactor's thread --------------------------------------------------------------

    def on_registered(self) -> None:
        """The first of the looks."""
        self._look_again()

    def _look(self) -> None:
        with self._lock:
            writers, self._writers = self._writers, set()
        # Taken out before: one that asks again meanwhile is among them, whatever it has said.
        kept: set[Gathering] = set()
        try:
            while writers:
                writer = writers.pop()
                if writer.write_overdue():
                    kept.add(writer)
        finally:
            with self._lock:
                self._writers |= kept | writers
                if self._writers:
                    self._look_again()
                else:
                    self._is_served = False
                    self._reactor.unregister(self)

    def _look_again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        reactor = self._reactor
        self._timer = reactor.call_at(reactor.now() + INTERVAL, self, self._look)

    def fileno(self) -> int:
        """There is nothing to wait for but time."""
        return -1

    def on_readable(self, now: float) -> None:
        """Never called, as there is no descriptor."""

    def on_writable(self) -> None:
        """Never called either."""

    def slept(self, seconds: float) -> None:
        """What has waited for long is written in any case."""

    def fail(self, error: Exception) -> None:
        """A writer has failed in an unknown way; the others are looked at all the same."""
        from logging import getLogger

        getLogger("tieline").error("what a handler had sent was not written", exc_info=error)

    def abandon_after_fork(self) -> None:
        """In a child process: the connections are the parent's."""
        self._lock = threading.RLock()
        self._writers = set()
        self._is_served = False
        self._timer = None


#: The one of this process.
PROMPTER = Prompter(Reactor("tieline-prompter", linger=5.0))


def watch_over_of(reactor: object) -> Callable[[Gathering], bool]:
    """What to call when a handler that runs on this reactor begins to gather."""
    own: Callable[[Gathering], bool] | None = getattr(reactor, "watch_over", None)
    return PROMPTER.watch_over if own is None else own
