"""Connections that come and go on any thread → who is served, and what is to be called for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from errno import EBADF
from functools import partial
from typing import Protocol

from tieline.engine.holding import is_held_by_caller
from tieline.engine.newcomers import LAZINESS, Newcomers

Call = tuple["Registrant", Callable[[], None]]


class Registrant(Protocol):
    """What a reactor calls, always on its thread. None of the calls may block.

    What they raise comes back as `fail`.
    """

    #: The reactor's own: as which descriptor it is served, None while it is not, ...
    served_as: int | None
    #: ... and what that is waited for (`engine.descriptors`).
    watched_for: int

    def fileno(self) -> int: ...
    def on_registered(self) -> None: ...
    def on_readable(self, now: float) -> None: ...
    def on_writable(self) -> None: ...
    def slept(self, seconds: float) -> None: ...
    def abandon_after_fork(self) -> None: ...
    def fail(self, error: Exception) -> None: ...


def _nothing() -> None:
    """What there is to do for a registrant that is only to be looked at."""


class Served:
    """What other threads touch of a reactor.

    The one registry: a connection is found by its descriptor, and knows that it is served.
    """

    #: Seconds of the monotonic clock that all timers use.
    now: Callable[[], float]

    def __init__(self) -> None:
        # Guards what is below. Reentrant, because a signal handler or a finalizer may come on top
        # of any line.
        self._lock = threading.RLock()
        #: What other threads want done on the reactor's.
        self.calls: deque[Call] = deque()
        self._served: dict[int, Registrant] = {}
        # Those of them that the thread has not looked at yet.
        self._newcomers = Newcomers()
        self._thread: threading.Thread | None = None

    def _start(self, registrant: Registrant, lazily: bool) -> None:
        """Start the thread, and serve its first connection. With the lock held."""
        raise NotImplementedError

    def _wake(self) -> None:
        """Have the thread look at `calls`. With the lock held."""
        raise NotImplementedError

    # --- from any thread ----------------------------------------------------------------------

    def register(self, registrant: Registrant, *, lazily: bool = False) -> None:
        """Serve a connection from now on, and start the thread if it is the first.

        `lazily`: others serve it for now, and the thread looks at it within `LAZINESS`.
        """
        with self._lock:
            if self._thread is None:
                self._start(registrant, lazily)
                return
            is_seen_in_time = False
            try:
                self._add(registrant)
                self._newcomers.add(registrant)
                patience = LAZINESS if lazily else 0.0
                is_seen_in_time = self._newcomers.are_seen_in_time(self.now(), patience=patience)
            finally:
                if registrant.served_as is not None:  # whoever is, is looked at
                    self._newcomers.add(registrant)
                # After Ctrl-C too: a thread with nobody to serve has to see it, and end.
                if not is_seen_in_time:
                    self._ask(registrant, _nothing)  # for a lane, which looks for calls

    def is_unseen(self, registrant: Registrant) -> bool:
        """Is it served, but the thread has not looked at it yet?"""
        return registrant in self._newcomers

    def withdraw(self, registrant: Registrant) -> bool:
        """Serve it no more, if the thread has never looked at it: True then. Any thread."""
        with self._lock:
            if registrant not in self._newcomers:
                return False
            # In this order: the thread, about to wait, looks for newcomers and then if it serves
            # anybody, without the lock. Otherwise it could wait for ever, for nobody.
            self._remove(registrant)
            self._newcomers.remove(registrant)
            return True

    def take_back(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        """Run `callback` on the thread, also if the registrant was withdrawn."""
        with self._lock:
            if registrant.served_as is None:
                self.register(registrant)
            self.call_soon(registrant, callback)

    @property
    def is_interrupted(self) -> bool:
        """Is the caller a signal handler on top of a call of ours, and so holds the lock?"""
        return is_held_by_caller(self._lock)

    def call_soon(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        """Run `callback` on the thread after what is under way, if `registrant` is still served."""
        with self._lock:
            if registrant.served_as is not None:
                self._ask(registrant, callback)

    def registrants(self) -> list[Registrant]:
        """Who is served now."""
        with self._lock:
            return list(self._served.values())

    # --- on the thread ------------------------------------------------------------------------

    def _see(self) -> None:
        with self._lock:
            newcomers = self._newcomers.take()
        for registrant in newcomers:
            self._call(registrant, registrant.on_registered)

    def _call(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        if registrant.served_as is not None:
            try:
                callback()
            except Exception as error:
                registrant.fail(error)

    # --- who is served: with the lock held ----------------------------------------------------

    def _add(self, registrant: Registrant) -> None:
        descriptor = registrant.fileno()
        before = self._served.get(descriptor)
        # Without a call in between, so that no signal comes in.
        self._served[descriptor] = registrant
        registrant.served_as, registrant.watched_for = descriptor, 0
        if before is not None and before is not registrant:
            # Its number was given away: somebody has closed it, who should not have.
            error = OSError(EBADF, "the connection's descriptor was closed by somebody else")
            before.watched_for = 0
            self.calls.append((before, partial(before.fail, error)))

    def _remove(self, registrant: Registrant) -> None:
        descriptor = registrant.served_as
        if descriptor is not None and self._served.get(descriptor) is registrant:
            del self._served[descriptor]
        registrant.served_as = None

    def _ask(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        """Have the thread call this. Of several who ask, the first wakes it up."""
        self.calls.append((registrant, callback))
        if len(self.calls) == 1:
            self._wake()
