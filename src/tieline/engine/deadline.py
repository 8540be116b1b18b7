# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A session's next deadline → the one timer of its reactor."""

from __future__ import annotations

from typing import Protocol

from tieline.engine.reactor import Reactor
from tieline.engine.served import Registrant
from tieline.engine.timers import Timer


class Owner(Registrant, Protocol):
    """Whose deadline it is."""

    @property
    def reactor(self) -> Reactor: ...


class Deadline:
    """Fires at the deadline or before it: deadlines that move later leave the timer where it is."""

    def __init__(self, session: Owner) -> None:
        self._session = session
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
        session = self._session
        self._timer = session.reactor.call_at(when, session, self)

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
