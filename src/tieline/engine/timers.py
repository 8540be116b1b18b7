# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Points in time → the calls that are due."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

#: As many timers as nobody minds.
_FEW = 64


class Timer:
    """One call at one time, made by `TimerHeap.add`; `cancel` takes it back.

    Compares as it is due: earlier ones are less, of the same moment those that were made before.
    """

    def __init__(
        self, when: float, order: int, registrant: Any, callback: Callable[[], None]
    ) -> None:
        self.when = when
        self.order = order
        self._registrant = registrant
        # None once cancelled, or taken out.
        self._callback: Callable[[], None] | None = callback

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when or (self.when == other.when and self.order < other.order)

    def cancel(self) -> None:
        """It will never be due. Lets go of it at once, whatever the time still to run.

        Itself it leaves the heap at the top, or with the others when there are many.
        """
        self._registrant = self._callback = None

    @property
    def is_cancelled(self) -> bool:
        """Is it not wanted any more?"""
        return self._callback is None

    def take(self) -> tuple[Any, Callable[[], None]]:
        """What is due, and on whose behalf."""
        registrant, callback = self._registrant, self._callback
        assert callback is not None
        self._registrant = self._callback = None
        return registrant, callback


class TimerHeap:
    """The timers of one reactor, in the order in which they are due. Owned by its thread."""

    def __init__(self) -> None:
        self._timers: list[Timer] = []
        self._made = 0
        # With so many, those that are cancelled are taken out: each is looked at once or twice.
        self._many = _FEW

    def add(self, when: float, registrant: Any, callback: Callable[[], None]) -> Timer:
        """`callback` is due at `when`, on behalf of `registrant`."""
        if len(self._timers) >= self._many:
            self._tidy()
        self._made += 1
        timer = Timer(when, self._made, registrant, callback)
        heappush(self._timers, timer)
        return timer

    def next_deadline(self) -> float | None:
        """When the first timer is due, or None."""
        while self._timers and self._timers[0].is_cancelled:
            heappop(self._timers)
        return self._timers[0].when if self._timers else None

    def pop_due(self, now: float) -> list[tuple[Any, Callable[[], None]]]:
        """Take out what is due at `now`, in order."""
        taken: list[tuple[Any, Callable[[], None]]] = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            taken.append(heappop(self._timers).take())
        return taken

    def _tidy(self) -> None:
        self._timers = [timer for timer in self._timers if not timer.is_cancelled]
        heapify(self._timers)
        self._many = max(_FEW, 2 * len(self._timers))

    def __len__(self) -> int:
        return sum(not timer.is_cancelled for timer in self._timers)
