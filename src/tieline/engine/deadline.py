"""A session's next deadline → the one timer of its reactor."""

from __future__ import annotations

from tieline.engine.reactor import Reactor, Registrant
from tieline.engine.timers import Timer


class Deadline:
    """Fires at the deadline or before it: deadlines that move later leave the timer where it is."""

    __slots__ = ("_reactor", "_registrant", "_timer", "reached")

    def __init__(self, reactor: Reactor, registrant: Registrant) -> None:
        self._reactor = reactor
        self._registrant = registrant
        self._timer: Timer | None = None
        #: What it was set for when it last fired. What had come before that moment was read.
        self.reached = 0.0

    def is_covered(self, when: float | None) -> bool:
        """Is there nothing to set for `when`? Any thread; certain on the reactor's only."""
        timer = self._timer
        return when is None or (timer is not None and timer.when <= when)

    def set(self, when: float | None) -> None:
        """Call `on_due` at `when`, or before. On the reactor's thread."""
        if when is None or self.is_covered(when):
            return
        if self._timer is not None:
            self._timer.cancel()
        # Not a method, which each of thousands of timers would keep.
        self._timer = self._reactor.call_at(when, self._registrant, self)

    def cancel(self) -> None:
        """Nothing is due any more. On the reactor's thread."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __call__(self) -> None:
        """The timer's call."""
        if self._timer is not None:
            self.reached, self._timer = self._timer.when, None
        self.on_due()

    def on_due(self) -> None:
        """The deadline is reached, or it was moved."""
        raise NotImplementedError
