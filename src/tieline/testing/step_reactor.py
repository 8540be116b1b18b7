"""Memory streams, timers and calls → callbacks, when a test says so: a reactor without a thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from tieline.engine.clock_watch import ClockWatch
from tieline.engine.receive_buffer import BUFFER_SIZE, ReceiveBuffer
from tieline.engine.served import Registrant
from tieline.engine.timers import Timer, TimerHeap
from tieline.testing.clock import ManualClock
from tieline.testing.memory import MemoryStream

#: Steps after which something that never comes to rest is reported.
_STEP_LIMIT = 100_000


class SteppedRegistrant(Registrant, Protocol):
    """What a `StepReactor` serves: something on a memory stream."""

    @property
    def stream(self) -> MemoryStream: ...


@dataclass(slots=True)
class _Interest:
    readable: bool = False
    writable: bool = False


class StepReactor:
    """Stands in for a `tieline.Reactor` (option ``reactor=``) and does nothing by itself.

    `step` does what is due now, `run_until_idle` until nothing is, `run_until` until something has
    come true, and `advance` moves the clock and fires timers on the way, each at its time. Only
    connections over memory streams can be served.

    The thread that made it is the connection's own: a call of that thread that would have to wait
    for the connection, such as a `send` with a full write buffer or `disconnect`, does not wait,
    just as in a handler, because nobody would go on stepping meanwhile. Other threads may send.
    """

    is_tieline_reactor = True

    def __init__(self, clock: ManualClock | None = None, *, buffer_size: int = BUFFER_SIZE) -> None:
        self.name = "step"
        self.clock = clock or ManualClock()
        #: What one read goes into: all registrants share it.
        self.memory = ReceiveBuffer(buffer_size, largest=buffer_size)
        self._timers = TimerHeap()
        # Looked at when a timer fires, and by `suspend`.
        self.clocks = ClockWatch(self.clock.now, self.clock.sleepless)
        self.clocks.begin()
        # The only things that other threads touch; a deque needs no lock for that.
        self._calls: deque[tuple[SteppedRegistrant, Callable[[], None]]] = deque()
        self._registrants: dict[SteppedRegistrant, _Interest] = {}
        self._ident = threading.get_ident()
        self._stepping = False

    def __repr__(self) -> str:
        return f"<StepReactor at {self.clock.now():g} s, {len(self._registrants)} connections>"

    # --- what a test does -------------------------------------------------------------------------

    def step(self) -> bool:
        """Do what is due now, once: ready streams, then timers, then calls. False: nothing was."""
        if self._stepping:
            raise RuntimeError("step() in a handler: the reactor is in the middle of a step")
        self._stepping = True
        try:
            progress = False
            woke = self.now()
            for registrant, interest in list(self._registrants.items()):
                progress |= self._serve(registrant, interest)
            # After the reads, as in a `Reactor`: what has come counts before a deadline is judged,
            # and what became due while a handler ran waits for the next step's reads.
            for registrant, callback in self._timers.pop_due(woke):
                progress = True
                self._call(registrant, callback)
            for _ in range(len(self._calls)):
                progress = True
                self._call(*self._calls.popleft())
            return progress
        finally:
            self._stepping = False

    def run_until_idle(self, steps: int = _STEP_LIMIT) -> None:
        """Step until nothing is due. Raises AssertionError when that takes more than `steps`."""
        for _ in range(steps):
            if not self.step():
                return
        raise AssertionError(f"{self!r} still has something to do after {steps} steps")

    def run_until(self, predicate: Callable[[], object], steps: int = _STEP_LIMIT) -> None:
        """Step until `predicate()` holds.

        Raises AssertionError when nothing is due any more, or `steps` are used up, and it does not.
        """
        for _ in range(steps):
            if predicate():
                return
            if not self.step():
                if predicate():
                    return
                when = self._timers.next_deadline()
                timer = "no timer is set" if when is None else f"the next timer is at {when:g} s"
                raise AssertionError(f"{self!r} has nothing to do ({timer}), and it does not hold")
        raise AssertionError(f"it does not hold after {steps} steps of {self!r}")

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass: do what is due now, then what each timer brings, at its time."""
        end = self.clock.now() + seconds
        self.run_until_idle()
        while (when := self._timers.next_deadline()) is not None and when <= end:
            self.clock.advance_to(when)
            self.run_until_idle()
        self.clock.advance_to(end)

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep: its timers stand still, and when it wakes up peers are asked.

        That is done before this returns. Negative: somebody has set the wall clock back.
        """
        self.clock.suspend(seconds)
        self.look_at_clocks()
        self.run_until_idle()

    def next_deadline(self) -> float | None:
        """The clock's reading when the next timer fires, or None."""
        return self._timers.next_deadline()

    @property
    def is_stepping(self) -> bool:
        """True inside of a step, hence in handlers."""
        return self._stepping

    # --- what a `Reactor` does --------------------------------------------------------------------

    def now(self) -> float:
        return self.clock.now()

    def watch_over(self, writer: object) -> bool:
        """Nothing waits too long, since time stands still while a handler runs."""
        return True

    def in_thread(self) -> bool:
        return threading.get_ident() == self._ident

    def caller(self) -> object:
        return threading.get_ident()

    def register(
        self, registrant: SteppedRegistrant, *, lazily: bool = False, quietly: bool = False
    ) -> None:
        """In any case, all that came are looked at in the next step."""
        if not isinstance(registrant.stream, MemoryStream):
            raise TypeError(
                "a StepReactor serves connections over a MemoryStream and cannot see when a "
                f"{type(registrant.stream).__name__} is ready: use a Reactor"
            )
        self._registrants[registrant] = _Interest()
        self._calls.append((registrant, registrant.on_registered))

    def is_unseen(self, registrant: SteppedRegistrant) -> bool:
        return False

    def withdraw(self, registrant: SteppedRegistrant) -> bool:
        return False

    def take_back(self, registrant: SteppedRegistrant, callback: Callable[[], None]) -> None:
        self.call_soon(registrant, callback)

    def unregister(self, registrant: SteppedRegistrant) -> None:
        self._registrants.pop(registrant, None)

    def watch(self, registrant: SteppedRegistrant, *, readable: bool, writable: bool) -> None:
        if registrant in self._registrants:
            self._registrants[registrant] = _Interest(readable, writable)

    def call_soon(self, registrant: SteppedRegistrant, callback: Callable[[], None]) -> None:
        self._calls.append((registrant, callback))

    def call_at(
        self, when: float, registrant: SteppedRegistrant, callback: Callable[[], None]
    ) -> Timer:
        return self._timers.add(when, registrant, callback)

    def look_at_clocks(self) -> None:
        seconds = self.clocks.look()
        if seconds:
            for registrant in self.registrants():
                self._call(registrant, partial(registrant.slept, seconds))

    def join(self, timeout: float | None = None) -> bool:
        return not self._registrants

    def registrants(self) -> list[SteppedRegistrant]:
        return list(self._registrants)

    def abandon_after_fork(self) -> None:
        for registrant in self.registrants():
            registrant.abandon_after_fork()
        self._registrants.clear()
        self._calls.clear()

    def _serve(self, registrant: SteppedRegistrant, interest: _Interest) -> bool:
        stream = registrant.stream
        writable = interest.writable and stream.is_writable
        readable = interest.readable and stream.is_readable
        try:
            if writable:
                registrant.on_writable()
            if readable:
                registrant.on_readable(self.now())
        except Exception as error:
            registrant.fail(error)
        return writable or readable

    def _call(self, registrant: SteppedRegistrant, callback: Callable[[], None]) -> None:
        if registrant in self._registrants:
            try:
                callback()
            except Exception as error:
                registrant.fail(error)
