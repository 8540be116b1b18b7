"""Two clocks that part → the machine was asleep, and everybody who should ask is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

#: Seconds between two looks while somebody is to be told. Nothing else wakes a thread that waits
#: for a peer: the clock of timers stands still during a sleep, so without these looks the line
#: would be asked at its next Ping only. One wake-up serves all connections of a reactor.
TICK = 5.0

#: Seconds by which the clocks may part between two looks: a wall clock that is slewed does not part
#: so fast, and shorter sleeps take no connection with them.
TOLERANCE = 1.0


def sleepless_clock() -> Callable[[], float]:
    """A clock that goes on while the machine sleeps; at worst the wall clock, which can be set."""
    # macOS gives this name to one that does; elsewhere it is the clock of timers.
    name = "CLOCK_MONOTONIC" if sys.platform == "darwin" else "CLOCK_BOOTTIME"
    number: int | None = getattr(time, name, None)
    if number is not None:
        try:
            time.clock_gettime(number)
        except OSError:
            pass  # a sandbox that knows few clocks
        else:
            clock = number
            return lambda: time.clock_gettime(clock)
    return time.time


class Watching(Protocol):
    """Who is told of a sleep: somebody with a line to a peer. On the reactor's thread."""

    @property
    def is_over(self) -> bool:
        """Is there no line any more?"""

    def slept(self, seconds: float) -> None:
        """The machine slept for `seconds`, or its clock was set (back: they are negative)."""

    def look_later(self, seconds: float, look: Callable[[], None]) -> Callable[[], None]:
        """Call `look` after `seconds`, if there is a line then. Returns what takes it back."""

    def soon(self, function: Callable[[], None]) -> None:
        """Call it after what is under way, if there is a line then."""


class ClockWatch:
    """The clocks of one reactor. On its thread.

    A machine that sleeps stops the clock of timers (`now`) but not `sleepless`. Where that is a
    wall clock, setting it looks the same, so a difference is never more than a reason to ask.
    Systems whose timers go on during a sleep (Windows) need none of this: a Ping is due then.

    `tick`: seconds between two looks; None: only `look` looks.
    """

    def __init__(
        self, now: Callable[[], float], sleepless: Callable[[], float], tick: float | None = TICK
    ) -> None:
        self._now = now
        self._sleepless = sleepless
        self._tick = tick
        # How far the clocks were apart at the last look.
        self._apart = 0.0
        self._watching: set[Watching] = set()
        # On whose behalf the next look is due, and what takes that back.
        self._bearer: Watching | None = None
        self._take_back: Callable[[], None] | None = None

    def join(self, one: Watching) -> None:
        """Tell this one from now on."""
        if self._bearer is None or self._bearer.is_over:
            # The first; or the bearer's thread is the parent's, in a child process after a fork.
            self._watching = {other for other in self._watching if not other.is_over}
            self._apart = self._sleepless() - self._now()
            self._bear(one)
        self._watching.add(one)

    def leave(self, one: Watching) -> None:
        """Tell it no more. Idempotent."""
        self._watching.discard(one)
        if self._bearer is one:
            if self._take_back is not None:
                self._take_back()
            self._bearer = self._take_back = None
            for other in self._watching:
                self._bearer = other
                other.soon(partial(self._bear, other))
                return

    def look(self) -> None:
        """Look now, and tell those who watch."""
        before = self._now()
        apart = self._sleepless() - before
        if self._now() - before > TOLERANCE / 2:
            return  # held up between the two, so they cannot be compared
        parted, self._apart = apart - self._apart, apart
        if abs(parted) > TOLERANCE:
            for one in tuple(self._watching):
                one.slept(parted)

    def _bear(self, one: Watching) -> None:
        self._bearer = one
        if self._tick is not None:
            self._take_back = one.look_later(self._tick, self._look_and_go_on)

    def _look_and_go_on(self) -> None:
        self.look()
        if self._bearer is not None:
            self._bear(self._bearer)
