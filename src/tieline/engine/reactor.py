"""Ready sockets, due timers and calls from other threads → callbacks on one thread."""

from __future__ import annotations

import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from math import inf
from typing import Protocol
from weakref import WeakSet

from tieline.engine.clock_watch import ClockWatch, sleepless_clock
from tieline.engine.holding import is_held_by_caller
from tieline.engine.newcomers import LAZINESS, Newcomers
from tieline.engine.receive_buffer import FIRST_SIZE, ReceiveBuffer
from tieline.engine.timers import Timer, TimerHeap
from tieline.transport.wakeup import Wakeup

_numbers = count(1)

Call = tuple["Registrant", Callable[[], None]]

#: Every reactor that may have a thread, for the end of the program and for fork().
all_reactors: WeakSet[Reactor] = WeakSet()


class Registrant(Protocol):
    """What a reactor calls, always on its thread. None of the calls may block.

    What they raise comes back as `fail`.
    """

    def fileno(self) -> int: ...
    def on_registered(self) -> None: ...
    def on_readable(self, now: float) -> None: ...
    def on_writable(self) -> None: ...
    def abandon_after_fork(self) -> None: ...
    def fail(self, error: Exception) -> None: ...


def _nothing() -> None:
    """What there is to do for a registrant that is only to be looked at."""


class Reactor:
    """One thread that serves any number of connections: reads, timers and handlers run on it.

    By default every client has a reactor of its own, so that a slow handler holds up nobody else.
    Give one to many clients (``reactor=``) to serve thousands of connections with one thread. The
    thread and its descriptors exist only while there are connections, or for `linger` seconds
    more; a reactor needs no closing.

    Making one and handing it to clients may be done on any thread; the rest is tieline's own use.
    """

    is_tieline_reactor = True

    #: Its sessions may read and write with system calls of their own (`engine.lane`).
    has_lanes = True

    # The functions themselves: they are asked often, and every connection keeps them.
    #: Seconds of the monotonic clock that all timers of this reactor use.
    now: Callable[[], float] = staticmethod(time.monotonic)
    #: Who calls: fragments of one message come from one thread.
    caller: Callable[[], object] = staticmethod(threading.get_ident)

    def __init__(self, name: str | None = None, *, linger: float = 0.0) -> None:
        #: Seconds for which the thread waits for another connection after the last one.
        self.linger = linger
        # When that is over; None while there are connections.
        self._ends_at: float | None = None
        self.name = name or f"tieline-{next(_numbers)}"
        #: The receive buffer that all connections share: an idle connection needs none.
        self.memory = ReceiveBuffer(0)
        self._timers = TimerHeap()
        #: Tells sessions that the machine was asleep.
        self.clocks = ClockWatch(self.now, sleepless_clock())
        # Guards what other threads touch: the fields below. Reentrant, because a signal handler or
        # a finalizer may come on top of any line.
        self._lock = threading.RLock()
        #: What other threads want done on this one.
        self.calls: deque[Call] = deque()
        self._registrants: set[Registrant] = set()
        # Those of them that the thread has not looked at yet.
        self._newcomers = Newcomers()
        self._thread: threading.Thread | None = None
        # The last thread that has stopped: it may still be on its way out.
        self._stopped_thread: threading.Thread | None = None
        self._ident: int | None = None
        self._selector: selectors.BaseSelector | None = None
        self._wakeup: Wakeup | None = None
        all_reactors.add(self)

    def __repr__(self) -> str:
        state = "running" if self._thread is not None else "idle"
        return f"<Reactor {self.name!r} {state}, {len(self._registrants)} connections>"

    def in_thread(self) -> bool:
        """Is the caller on the reactor's thread?"""
        return threading.get_ident() == self._ident

    # --- from any thread ----------------------------------------------------------------------

    def register(self, registrant: Registrant, *, lazily: bool = False) -> None:
        """Serve a connection from now on, and start the thread if it is the first.

        `lazily`: others serve it for now, and the thread looks at it within `LAZINESS`.
        """
        is_added = False
        with self._lock:
            try:
                if self._thread is None:
                    self._start()
                self._registrants.add(registrant)
                self._newcomers.add(registrant)
                is_added = True
            finally:
                if not is_added and registrant in self._registrants:  # whoever is, is looked at
                    self._newcomers.add(registrant)
                # After Ctrl-C too: a thread with nobody to serve has to see it, and end.
                patience, now = LAZINESS if lazily else 0.0, self.now()
                if not (is_added and self._newcomers.are_seen_in_time(now, patience=patience)):
                    self.calls.append((registrant, _nothing))  # for a lane, which looks for calls
                    self._wake()

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
            self._registrants.discard(registrant)
            self._newcomers.remove(registrant)
            return True

    def take_back(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        """Run `callback` on the thread, also if the registrant was withdrawn."""
        with self._lock:
            if registrant not in self._registrants:
                self.register(registrant)
            self.call_soon(registrant, callback)

    @property
    def is_interrupted(self) -> bool:
        """Is the caller a signal handler on top of a call of ours, and so holds the lock?"""
        return is_held_by_caller(self._lock)

    def call_soon(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        """Run `callback` on the thread after what is under way, if `registrant` is still served."""
        with self._lock:
            if registrant in self._registrants:
                self.calls.append((registrant, callback))
                self._wake()

    def join(self, timeout: float | None = None, *, serves: bool = False) -> bool:
        """Wait until the thread has ended, if it has nothing left to serve. True: there is none.

        `serves`: wait for that as well.
        """
        with self._lock:
            thread = self._thread or self._stopped_thread
            if thread is None or not thread.is_alive():
                return True
            if (self._registrants and not serves) or thread is threading.current_thread():
                return False
        thread.join(timeout)
        return not thread.is_alive()

    # --- on the thread ------------------------------------------------------------------------

    def watch(self, registrant: Registrant, *, readable: bool, writable: bool) -> None:
        """Call `on_readable` and `on_writable` while the descriptor is ready for it."""
        assert self._selector is not None
        events = readable * selectors.EVENT_READ | writable * selectors.EVENT_WRITE
        descriptor = registrant.fileno()
        if descriptor not in self._selector.get_map():
            if events:
                self._selector.register(descriptor, events, registrant)
        elif events:
            self._selector.modify(descriptor, events, registrant)
        else:
            self._selector.unregister(descriptor)

    def unregister(self, registrant: Registrant) -> None:
        """Serve this connection no more. Call it before its descriptor is closed."""
        assert self._selector is not None
        with self._lock:
            self._registrants.discard(registrant)
        descriptor = registrant.fileno()
        if descriptor >= 0 and descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def call_at(self, when: float, registrant: Registrant, callback: Callable[[], None]) -> Timer:
        """Run `callback` at `when`, if `registrant` is still served then."""
        return self._timers.add(when, registrant, callback)

    def next_deadline(self) -> float:
        """When the thread is wanted next: when a timer is due."""
        deadline = self._timers.next_deadline()
        return inf if deadline is None else deadline

    @property
    def serves_one(self) -> bool:
        """Is there but one connection?"""
        return len(self._registrants) == 1

    # --- the thread ---------------------------------------------------------------------------

    def _start(self) -> None:
        wakeup = Wakeup()
        try:
            selector = selectors.DefaultSelector()
        except BaseException:
            wakeup.close()
            raise
        self._wakeup, self._selector = wakeup, selector
        self._newcomers = Newcomers()
        try:
            selector.register(wakeup.fileno(), selectors.EVENT_READ)
            self.memory = ReceiveBuffer(first=FIRST_SIZE)
            # A daemon, so that a program with an open connection can end; `at_exit` says goodbye.
            self._thread = threading.Thread(
                target=self._run, args=(selector, wakeup), name=self.name, daemon=True
            )
            self._thread.start()
        except BaseException:
            # No thread could be had; or it was Ctrl-C, and the thread sees that it is unwanted.
            self._stop()
            raise

    def _wake(self) -> None:
        if self._wakeup is not None and not self.in_thread():
            self._wakeup.set()

    def _run(self, selector: selectors.BaseSelector, wakeup: Wakeup) -> None:
        with self._lock:
            if self._selector is not selector:
                return
            self._ident = threading.get_ident()
        read_bit, write_bit = selectors.EVENT_READ, selectors.EVENT_WRITE
        while True:
            ready = selector.select(self._pause())
            woke = self.now()
            for key, events in ready:
                if self._selector is not selector:
                    return  # a handler has forked, and this is the child
                registrant = key.data
                if registrant is None:
                    wakeup.clear()
                    continue
                try:
                    if events & write_bit:
                        registrant.on_writable()
                    if events & read_bit:
                        registrant.on_readable(self.now())
                except Exception as error:
                    registrant.fail(error)
            # After the reads: what has arrived counts before any deadline is judged. So what became
            # due while a handler held the thread waits for the next turn's reads.
            for registrant, callback in self._timers.pop_due(woke):
                self._call(registrant, callback)
            asked = len(self.calls)  # of those that are not seen below there may be more by then
            if self._newcomers:
                self._see()
            while asked and self.calls:  # none are left where a handler has forked
                asked -= 1
                self._call(*self.calls.popleft())
            with self._lock:
                if self._selector is not selector:
                    return  # as above
                if self._is_over():
                    self._stop()
                    return

    def _see(self) -> None:
        with self._lock:
            newcomers = self._newcomers.take()
        for registrant in newcomers:
            self._call(registrant, registrant.on_registered)

    def _call(self, registrant: Registrant, callback: Callable[[], None]) -> None:
        if registrant in self._registrants:
            try:
                callback()
            except Exception as error:
                registrant.fail(error)

    def _is_over(self) -> bool:
        """Has nobody needed the thread for long enough? With the lock held."""
        if self._registrants or self.calls:
            self._ends_at = None
            return False
        now = self.now()
        if self._ends_at is None:
            self._ends_at = now + self.linger
        return now >= self._ends_at

    def _pause(self) -> float | None:
        deadline = self._timers.next_deadline()
        if self._ends_at is not None:
            deadline = self._ends_at  # nobody has timers then
        # First, so that who comes later is seen below or knows how long the thread waits.
        self._newcomers.looks_at = inf if deadline is None else deadline
        if self.calls or self._newcomers:
            return 0
        if self._ends_at is None and not self._registrants:
            # The only one was withdrawn before it was seen.
            deadline = self._newcomers.looks_at = self._ends_at = self.now() + self.linger
        return None if deadline is None else max(0.0, deadline - self.now())

    def _stop(self) -> None:
        assert self._selector is not None and self._wakeup is not None
        self._selector.close()
        self._wakeup.close()
        self._stopped_thread = self._thread
        self._selector = self._wakeup = self._thread = self._ident = None
        self._ends_at = None
        self._timers = TimerHeap()
        self.calls.clear()
        self._newcomers = Newcomers()
        self.memory = ReceiveBuffer(0)

    # --- the end of the process ---------------------------------------------------------------

    def registrants(self) -> list[Registrant]:
        """Who is served now."""
        with self._lock:
            return list(self._registrants)

    def abandon_after_fork(self) -> None:
        """In a child process: the thread is not here, and the sockets are the parent's."""
        self._lock = threading.RLock()
        for registrant in self._registrants:
            registrant.abandon_after_fork()
        self._registrants = set()
        self._newcomers = Newcomers()
        if self._thread is not None:
            self._stop()
        self._stopped_thread = None
