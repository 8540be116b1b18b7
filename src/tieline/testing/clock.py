"""Time that stands still → time that a test moves."""

from __future__ import annotations


class ManualClock:
    """Reads the same until `advance` is called. Seconds, as of `time.monotonic`.

    Calling the clock itself reads it too, so that it can stand wherever a function that tells the
    time is expected.
    """

    def __init__(self, start: float = 1000.0) -> None:
        # Not 0: code that takes a reading for a truth value would go unnoticed.
        self._now = start
        self._asleep = 0.0

    def __repr__(self) -> str:
        return f"<ManualClock {self._now:g} s>"

    def now(self) -> float:
        """The present reading in seconds."""
        return self._now

    __call__ = now

    def advance(self, seconds: float) -> float:
        """Move on, never back; return the new reading."""
        if not seconds >= 0:
            raise ValueError(f"expected 0 seconds or more, got {seconds!r}: time only moves on")
        self._now += seconds
        return self._now

    def sleepless(self) -> float:
        """The reading of a clock that goes on in `suspend`."""
        return self._now + self._asleep

    def suspend(self, seconds: float) -> None:
        """The machine sleeps, and with it this clock; negative: the wall clock is set back."""
        self._asleep += seconds

    def advance_to(self, reading: float) -> float:
        """Move on to this reading; stay if it has gone by."""
        self._now = max(self._now, reading)
        return self._now
