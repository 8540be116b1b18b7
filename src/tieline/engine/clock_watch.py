# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Two clocks that part → the machine was asleep, and everybody who should ask is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import cache, partial
from math import inf

#: Seconds between two looks while anybody is served. Nothing else wakes a thread that waits for a
#: peer: the clock of timers stands still during a sleep, so without these looks the line would be
#: asked at its next Ping only. One wake-up serves all connections of a reactor.
TICK = 5.0

#: Seconds by which the clocks may part between two looks: a wall clock that is slewed does not part
#: so fast, and shorter sleeps take no connection with them.
TOLERANCE = 1.0


@cache
def sleepless_clock() -> Callable[[], float]:
    """A clock that goes on while the machine sleeps; at worst the wall clock, which can be set."""
    # macOS gives this name to one that goes on; elsewhere it is the clock of timers.
    name = "CLOCK_MONOTONIC" if sys.platform == "darwin" else "CLOCK_BOOTTIME"
    number: int | None = getattr(time, name, None)
    if number is not None:
        try:
            time.clock_gettime(number)
        except OSError:
            pass  # a sandbox that knows few clocks
        else:
            return partial(time.clock_gettime, number)
    return time.time


class ClockWatch:
    """The clocks of one reactor, which tells everybody whom it serves what `look` says.

    A machine that sleeps stops the clock of timers (`now`) but not `sleepless`. Where that is a
    wall clock, setting it looks the same, so a difference is never more than a reason to ask.
    Systems whose timers go on during a sleep (Windows) need none of this: a Ping is due then.

    Of the reactor's thread.
    """

    def __init__(self, now: Callable[[], float], sleepless: Callable[[], float]) -> None:
        self._now = now
        self._sleepless = sleepless
        self._tick = TICK
        # How far the clocks were apart at the last look.
        self._apart = 0.0
        #: When `now` wants the next look: never, as long as nobody is served.
        self.looks_at = inf

    def begin(self) -> None:
        """Somebody is served from now on: what was before is nobody's business."""
        now = self._now()
        self._apart = self._sleepless() - now
        self.looks_at = now + self._tick

    def look(self) -> float:
        """Seconds for which the machine slept since the last look; 0 if it did not.

        Negative: the clock was set back.
        """
        before = self._now()
        apart = self._sleepless() - before
        now = self._now()
        self.looks_at = now + self._tick
        if now - before > TOLERANCE / 2:
            return 0.0  # held up between the two, so they cannot be compared
        parted, self._apart = apart - self._apart, apart
        return parted if abs(parted) > TOLERANCE else 0.0
