# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True, embedsignature=True, embedsignature.format=clinic
"""Ready sockets, due timers and calls from other threads → callbacks on one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from math import inf
from threading import get_ident
from weakref import WeakSet

from tieline.engine.clock_watch import ClockWatch, sleepless_clock
from tieline.engine.descriptors import READ, WRITE, Descriptors, few, many
from tieline.engine.locks import ReentrantLock
from tieline.engine.receive_buffer import FIRST_SIZE, ReceiveBuffer
from tieline.engine.served import LAZINESS, Registrant, Served
from tieline.engine.timers import Timer, TimerHeap
from tieline.transport.wakeup import Wakeup

_numbers = count(1)

#: What a reactor has to read into while it has no thread that could.
_NO_MEMORY = ReceiveBuffer(0)

#: Every reactor that may have a thread, for the end of the program and for fork().
all_reactors: WeakSet[Reactor] = WeakSet()

#: Seconds for which a client's own thread waits at first, before it makes what others wake it up
#: with: a descriptor, which a short connection would have to make and to close.
BRIEFLY = 0.002


class Reactor(Served):
    """One thread that serves any number of connections: reads, timers and handlers run on it.

    The thread and its descriptors are there while connections are, and for `linger` seconds more.
    """

    is_tieline_reactor = True

    #: Its sessions may read and write with system calls of their own (`engine.lane`).
    has_lanes = True

    #: Who calls: fragments of one message come from one thread.
    caller = staticmethod(get_ident)

    def __init__(self, name: str | None = None, *, linger: float = 0.0) -> None:
        super().__init__()
        # One client's: the thread serves one connection, and for moments another one.
        self._is_own = False
        #: Seconds for which the thread waits for another connection after the last one.
        self.linger = linger
        # When that is over; never while there are connections.
        self._ends_at = inf
        # Newcomers hardly come alone: until then the thread waits no longer, and need not be woken.
        self._expects_until = 0.0
        self.name = name or f"tieline-{next(_numbers)}"
        #: The receive buffer that all connections share: an idle connection needs none.
        self.memory = _NO_MEMORY
        self._timers = TimerHeap()
        #: Notices that the machine was asleep.
        self.clocks = ClockWatch(self.now, sleepless_clock())
        # The last thread that has stopped: it may still be on its way out.
        self._stopped_thread: threading.Thread | None = None
        # What the present one is called; 0, which no thread is called, while there is none.
        self._ident = 0
        self._descriptors: Descriptors | None = None
        # None as well while the thread looks every moment.
        self._wakeup: Wakeup | None = None
        all_reactors.add(self)

    def __repr__(self) -> str:
        state = "running" if self._thread is not None else "idle"
        return f"<Reactor {self.name!r} {state}, {len(self._served)} connections>"

    def in_thread(self) -> bool:
        """Is the caller on the reactor's thread?"""
        return get_ident() == self._ident

    # --- from any thread ----------------------------------------------------------------------

    def join(self, timeout: float | None = None, *, serves: bool = False) -> bool:
        """Wait until the thread has ended, if it has nothing left to serve. True: there is none.

        `serves`: wait for that as well.
        """
        with self._lock:
            thread = self._thread or self._stopped_thread
            ident = None if thread is None else thread.ident
            if thread is None or ident is None:
                return True  # or none could be had
            if self._served and not serves:
                return False
            # The name of one that has ended may be another one's by now.
            if ident == get_ident() and thread is threading.current_thread():
                return False
        thread.join(timeout)
        if thread.is_alive():
            return False
        with self._lock:
            if self._stopped_thread is thread:
                # With all that a Thread is made of: a client that is kept has no use for it.
                self._stopped_thread = None
        return True

    # --- on the thread ------------------------------------------------------------------------

    def watch(self, registrant: Registrant, *, readable: bool, writable: bool) -> None:
        """Call `on_readable` and `on_writable` while the descriptor is ready for it."""
        self._watch(registrant, (READ if readable else 0) | (WRITE if writable else 0))

    def _watch(self, registrant: Registrant, events: int) -> None:
        if registrant.is_served and events != registrant.watched_for:
            if self._served.get(registrant.served_as) is not registrant:
                return  # the number is another one's by now, and this one is about to hear of it
            descriptors = self._descriptors
            if descriptors is not None:  # as it is while anybody is served
                descriptors.watch(registrant.served_as, registrant.watched_for, events)
                registrant.watched_for = events

    def unregister(self, registrant: Registrant) -> None:
        """Serve this connection no more. Call it before its descriptor is closed."""
        self._watch(registrant, 0)
        with self._lock:
            self._remove(registrant)

    def call_at(self, when: float, registrant: Registrant, callback: Callable[[], None]) -> Timer:
        """Run `callback` at `when`, if `registrant` is still served then."""
        return self._timers.add(when, registrant, callback)

    def next_deadline(self) -> float:
        """When the thread is wanted next: by a timer, or for a look at the clocks."""
        timer, clocks = self._timers.next_deadline(), self.clocks.looks_at
        return clocks if timer is None or clocks < timer else timer

    def wanted_at(self) -> float:
        """The same, for who may stay until then where there are no calls: or when others count on
        its look at newcomers, of which they have told nobody.
        """
        deadline, looks_at = self.next_deadline(), self._looks_at
        # Who shares no thread with others makes itself heard; `BRIEFLY` is nobody's business.
        if self._is_own or not self.now() < looks_at < deadline:
            return deadline
        return looks_at

    @property
    def serves_one(self) -> bool:
        """Is there but one connection?"""
        return len(self._served) == 1

    def look_at_clocks(self) -> None:
        """If the machine was asleep since the last look, tell everybody."""
        seconds = self.clocks.look()
        if seconds:
            for registrant in self.registrants():
                self._call(registrant, partial(registrant.slept, seconds))

    def _reads_at_once(self, registrant: Registrant) -> bool:
        descriptors = self._descriptors
        if descriptors is None or not descriptors.is_for_all:
            return False
        try:
            self.watch(registrant, readable=True, writable=False)
        except (OSError, ValueError):
            # Too many are watched, or it is closed: the thread will hear the same, and tell it.
            return False
        return True

    def _wake(self) -> None:
        if self._wakeup is not None and not self.in_thread():
            self._wakeup.set()

    # --- the thread ---------------------------------------------------------------------------

    def _start(self, registrant: Registrant, lazily: bool) -> None:
        # The thread looks at its first connection without the lock, which is held here until it
        # has begun. Whoever takes this out has it: who starts it does, where Ctrl-C comes before.
        handed_over = [None if lazily else registrant]
        self._descriptors = descriptors = few() if self._is_own else many()
        try:
            self.memory = ReceiveBuffer(first=FIRST_SIZE)
            self.clocks.begin()
            if not self._is_own:
                self._open_wakeup(descriptors)
            self._add(registrant)
            if lazily:
                self._unseen[registrant] = None
            # A daemon, so that a program with an open connection can end; `at_exit` says goodbye.
            self._thread = threading.Thread(
                target=self._run, args=(descriptors, handed_over), name=self.name, daemon=True
            )
            self._thread.start()
        except BaseException:
            if _is_taken_out(handed_over):
                # No thread could be had, or none is wanted any more.
                self._remove(registrant)
                self._stop()
            raise

    def _run(self, descriptors: Descriptors, handed_over: list[Registrant | None]) -> None:
        try:
            first = handed_over.pop()
        except IndexError:
            return
        self._ident = get_ident()
        if first is not None:
            self._call(first, first.on_registered)
        while self._descriptors is descriptors:  # if not, a handler has forked: this is the child
            ready = descriptors.wait(self._pause(), len(self._served) + 1)
            woke = self.now()
            if self._unseen:
                self._expects_until = woke + LAZINESS
                if ready:
                    self._see()  # what is ready may be one of them
                    if self._descriptors is not descriptors:
                        return
            for descriptor, events in ready:
                registrant = self._served.get(descriptor)
                if registrant is None:
                    self._note_wakeup(descriptor)
                    continue
                try:
                    if events & ~READ and registrant.watched_for & WRITE:
                        registrant.on_writable()
                    if events & ~WRITE and registrant.watched_for & READ:
                        registrant.on_readable(self.now())
                except Exception as error:
                    registrant.fail(error)
                if self._descriptors is not descriptors:
                    return
            # After the reads: what has arrived counts before any deadline is judged. So what became
            # due while a handler held the thread waits for the next turn's reads.
            if woke >= self.clocks.looks_at:
                self.look_at_clocks()
            for registrant, callback in self._timers.pop_due(woke):
                self._call(registrant, callback)
            asked = len(self.calls)  # of those that are not seen below there may be more by then
            if self._unseen:
                self._see()
            while asked and self.calls:  # none are left where a handler has forked
                asked -= 1
                registrant, callback = self.calls.popleft()
                self._call(registrant, callback)
            if not self._served and not self.calls and self._has_stopped(descriptors):
                return
            if self._wakeup is None and not ready and self._descriptors is descriptors:
                # The connection is not over at once: from now on the wait may be a long one.
                try:
                    self._open_wakeup(descriptors)
                except OSError:
                    pass  # no descriptor is left: it looks every moment

    def _open_wakeup(self, descriptors: Descriptors) -> None:
        wakeup = Wakeup()
        try:
            descriptors.watch(wakeup.fileno(), 0, READ)
            self._wakeup = wakeup
        finally:
            if self._wakeup is None:
                wakeup.close()

    def _note_wakeup(self, descriptor: int) -> None:
        """Somebody has something for the thread, or this was served until a moment ago."""
        if self._wakeup is not None and self._wakeup.fileno() == descriptor:
            self._wakeup.clear()

    def _has_stopped(self, descriptors: Descriptors) -> bool:
        """End the thread if nobody has needed it for long enough."""
        with self._lock:
            if self._descriptors is not descriptors:
                return True  # a handler has forked
            if self._served or self.calls:
                return False
            now = self.now()
            if self._ends_at == inf:
                self._ends_at = now + self.linger
            if now >= self._ends_at:
                self._stop()
                return True
            return False

    def _pause(self) -> float:
        """Seconds for which the thread may wait now."""
        now, looks_at, ends_at = self.now(), self.next_deadline(), self._ends_at
        if ends_at < looks_at:
            looks_at = ends_at
        if self._wakeup is None and looks_at > now + BRIEFLY:
            looks_at = now + BRIEFLY
        if now < self._expects_until < looks_at:
            looks_at = self._expects_until
        # First, so that who comes later is seen below or knows how long the thread waits.
        self._looks_at = looks_at
        if self.calls or self._unseen:
            return 0.0
        if self._served:
            self._ends_at = inf
        elif ends_at == inf:
            # The only one was withdrawn before it was seen.
            self._ends_at = now + self.linger
            self._looks_at = looks_at = min(looks_at, self._ends_at)
        return looks_at - now if looks_at > now else 0.0

    def _stop(self) -> None:
        descriptors = self._descriptors
        if descriptors is not None:
            descriptors.close()
        if self._wakeup is not None:
            self._wakeup.close()
        self._stopped_thread = self._thread
        self._descriptors = self._wakeup = self._thread = None
        self._ident = 0
        self._ends_at = inf
        if self._timers.next_deadline() is not None:  # of those that are served no more
            self._timers = TimerHeap()
        self._forget_all()
        self.memory = _NO_MEMORY

    # --- the end of the process ---------------------------------------------------------------

    def abandon_after_fork(self) -> None:
        """In a child process: the thread is not here, and the sockets are the parent's."""
        self._lock = ReentrantLock()
        served, self._served = self._served, {}
        for registrant in served.values():
            registrant.is_served = False
            registrant.abandon_after_fork()
        self._forget_all()
        if self._thread is not None:
            self._stop()
        self._stopped_thread = None


class OwnReactor(Reactor):
    """A client's own: nothing is opened for the thread of a short connection."""

    def __init__(self) -> None:
        super().__init__()
        self._is_own = True


def _is_taken_out(handed_over: list[Registrant | None]) -> bool:
    try:
        handed_over.pop()
    except IndexError:
        return False
    return True
