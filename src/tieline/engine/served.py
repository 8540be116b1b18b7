# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True, embedsignature=True, embedsignature.format=clinic
"""Connections that come and go on any thread → who is served, and what is to be called for them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from errno import EBADF
from functools import partial
from typing import Any, Protocol

from tieline.engine.holding import is_held_by_caller
from tieline.engine.locks import ReentrantLock

#: Seconds until the thread looks at a connection that others serve for now.
LAZINESS = 0.25

#: What the thread has not said yet: it has just begun, and looks before it waits.
_FRESH = 0.0

Call = tuple["Registrant", Callable[[], None]]


class Registrant(Protocol):
    """What a reactor calls, always on its thread. None of the calls may block.

    What they raise comes back as `fail`.
    """

    #: The reactor's own (all three false or 0 at first): is it served?
    is_served: bool
    #: As which descriptor?
    served_as: int
    #: What is that waited for (`engine.descriptors`)?
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


def _disowned(registrant: Registrant, error: OSError) -> None:
    """Somebody has closed its descriptor, and its number is another one's: it must not close it."""
    disown: Callable[[], None] | None = getattr(registrant, "disown", None)
    if disown is not None:
        disown()
    registrant.fail(error)


class Served:
    """What other threads touch of a reactor.

    The one registry: a connection is found by its descriptor, and knows that it is served.
    """

    def __init__(self) -> None:
        # The function itself: it is asked often, and every connection keeps it.
        #: Seconds of the monotonic clock that all timers use.
        self.now: Callable[[], float] = time.monotonic
        # Guards what is below. Reentrant, because a signal handler or a finalizer may come on top
        # of any line.
        self._lock: Any = ReentrantLock()
        #: What other threads want done on the reactor's.
        self.calls: deque[Call] = deque()
        self._served: dict[int, Registrant] = {}
        # Those of them that the thread has not looked at yet, in the order in which they came.
        # Whoever adds one looks at `_looks_at` afterwards; the thread sets it and looks for
        # newcomers afterwards. So one of the two notices the other. It is this dictionary for good,
        # because others look into it without the lock.
        self._unseen: dict[Registrant, None] = {}
        # When the thread looks without being asked. A moment that is over: it is busy.
        self._looks_at = _FRESH
        self._thread: threading.Thread | None = None
        # Ctrl-C may have kept the last one who asked from waking the thread up.
        self._owes_waking = False

    def _start(self, registrant: Registrant, lazily: bool) -> None:
        """Start the thread, and serve its first connection. With the lock held."""
        raise NotImplementedError

    def _reads_at_once(self, registrant: Registrant) -> bool:
        """Have what there is to read bring the thread to it. False: it has to be woken up."""
        raise NotImplementedError

    def _wake(self) -> None:
        """Have the thread look at `calls`. With the lock held."""
        raise NotImplementedError

    # --- from any thread ----------------------------------------------------------------------

    def register(
        self, registrant: Registrant, *, lazily: bool = False, quietly: bool = False
    ) -> None:
        """Serve a connection from now on, and start the thread if it is the first.

        `lazily`: others serve it for now, and the thread looks at it within `LAZINESS`. `quietly`:
        the same, or as soon as there is something to read.
        """
        with self._lock:
            if self._thread is None:
                self._start(registrant, lazily)
                return
            is_seen_in_time = False
            try:
                self._add(registrant)
                self._unseen[registrant] = None
                lazily = lazily or (quietly and self._reads_at_once(registrant))
                is_seen_in_time = self._looks_within(LAZINESS if lazily else 0.0)
            finally:
                if registrant.is_served:  # whoever is, is looked at
                    self._unseen[registrant] = None
                # After Ctrl-C too: a thread with nobody to serve has to see it, and end.
                if not is_seen_in_time:
                    self._ask(registrant, _nothing)  # for a lane, which looks for calls

    def is_unseen(self, registrant: Registrant) -> bool:
        """Is it served, but the thread has not looked at it yet?"""
        return registrant in self._unseen

    def withdraw(self, registrant: Registrant) -> bool:
        """Serve it no more, if the thread has never looked at it: True then. Any thread."""
        with self._lock:
            if registrant not in self._unseen or registrant.watched_for:
                return False
            # In this order: the thread, about to wait, looks for newcomers and then if it serves
            # anybody, without the lock. Otherwise it could wait for ever, for nobody.
            self._remove(registrant)
            self._unseen.pop(registrant, None)
            return True

    def take_back(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        """Run `callback` on the thread, also if the registrant was withdrawn."""
        with self._lock:
            if not registrant.is_served:
                self.register(registrant)
            self.call_soon(registrant, callback)

    @property
    def is_interrupted(self) -> bool:
        """Is the caller a signal handler on top of a call of ours, and so holds the lock?"""
        return is_held_by_caller(self._lock)

    def call_soon(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        """Run `callback` on the thread after what is under way, if `registrant` is still served."""
        with self._lock:
            if registrant.is_served:
                self._ask(registrant, callback)

    def registrants(self) -> list[Registrant]:
        """Who is served now."""
        with self._lock:
            return list(self._served.values())

    # --- on the thread ------------------------------------------------------------------------

    def _see(self) -> None:
        with self._lock:
            newcomers = list(self._unseen)
            for registrant in newcomers:  # a finalizer may have added others on top
                self._unseen.pop(registrant, None)
        for registrant in newcomers:
            self._call(registrant, registrant.on_registered)

    def _call(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        if registrant.is_served:
            try:
                callback()
            except Exception as error:
                registrant.fail(error)

    # --- with the lock held -------------------------------------------------------------------

    def _looks_within(self, patience: float) -> bool:
        """Will the thread look within `patience` seconds without being asked?

        Not counted on when it is busy: the short way of a connection ends when somebody calls.
        """
        if self._looks_at == _FRESH:
            return True
        now = self.now()
        return now < self._looks_at <= now + patience

    def _forget_all(self) -> None:
        """Nobody is served, and nothing is to be called."""
        self.calls.clear()
        self._unseen.clear()
        self._looks_at = _FRESH

    def _add(self, registrant: Registrant) -> None:
        descriptor = registrant.fileno()
        before = self._served.get(descriptor)
        # Without a call in between, so that no signal comes in.
        self._served[descriptor] = registrant
        registrant.is_served, registrant.served_as, registrant.watched_for = True, descriptor, 0
        if before is not None and before is not registrant:
            # Its number was given away: somebody has closed it, who should not have.
            error = OSError(EBADF, "the connection's descriptor was closed by somebody else")
            before.watched_for = 0
            self._ask(before, partial(_disowned, before, error))

    def _remove(self, registrant: Registrant) -> None:
        if self._served.get(registrant.served_as) is registrant:
            del self._served[registrant.served_as]
        registrant.is_served = False

    def _ask(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        """Have the thread call this. Of several who ask, the first wakes it up."""
        is_owed, self._owes_waking = self._owes_waking, True
        self.calls.append((registrant, callback))
        if is_owed or len(self.calls) == 1:
            self._wake()
        self._owes_waking = False
