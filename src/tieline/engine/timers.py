# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Points in time → the calls that are due."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any


class Timer:
    """One call at one time, made by `TimerHeap.add`; `cancel` takes it back.

    Compares as it is due: earlier ones are less, of the same moment those that were made before.
    """

    def __init__(
        self,
        heap: TimerHeap,
        when: float,
        order: int,
        registrant: Any,
        callback: Callable[[], None],
    ) -> None:
        self.when = when
        self.order = order
        self._heap = heap
        self._registrant = registrant
        # None once cancelled, or taken out.
        self._callback: Callable[[], None] | None = callback

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when or (self.when == other.when and self.order < other.order)

    def cancel(self) -> None:
        """It will never be due. Lets go of it at once, whatever the time still to run."""
        if self._callback is not None:
            self._registrant = self._callback = None
            self._heap.forget_one()

    @property
    def is_cancelled(self) -> bool:
        """Is it not wanted any more?"""
        return self._callback is None

    def take(self) -> tuple[Any, Callable[[], None]]:
        """What is due, and on whose behalf; a `cancel` that comes too late counts nothing."""
        registrant, callback = self._registrant, self._callback
        assert callback is not None
        self._registrant = self._callback = None
        return registrant, callback


class TimerHeap:
    """The timers of one reactor, in the order in which they are due. Owned by its thread."""

    def __init__(self) -> None:
        self._timers: list[Timer] = []
        self._made = 0
        self._cancelled = 0

    def add(self, when: float, registrant: Any, callback: Callable[[], None]) -> Timer:
        """`callback` is due at `when`, on behalf of `registrant`."""
        self._made += 1
        timer = Timer(self, when, self._made, registrant, callback)
        heappush(self._timers, timer)
        return timer

    def next_deadline(self) -> float | None:
        """When the first timer is due, or None."""
        while self._timers and self._timers[0].is_cancelled:
            heappop(self._timers)
            self._cancelled -= 1
        return self._timers[0].when if self._timers else None

    def pop_due(self, now: float) -> list[tuple[Any, Callable[[], None]]]:
        """Take out what is due at `now`, in order."""
        taken: list[tuple[Any, Callable[[], None]]] = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            taken.append(heappop(self._timers).take())
        return taken

    def forget_one(self) -> None:
        """A timer was cancelled: it leaves the heap at the top, or now if most are cancelled."""
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._timers):
            self._timers = [timer for timer in self._timers if not timer.is_cancelled]
            heapify(self._timers)
            self._cancelled = 0

    def __len__(self) -> int:
        return len(self._timers) - self._cancelled
