"""Points in time → the things that are due."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class Timer(Generic[T]):
    """One thing at one time; `cancel` takes it back."""

    __slots__ = ("_heap", "due", "when")

    def __init__(self, heap: TimerHeap[T], when: float, due: T) -> None:
        self._heap = heap
        self.when = when
        #: None once cancelled.
        self.due: T | None = due

    def cancel(self) -> None:
        """It will never be due. Lets go of it at once, whatever the time still to run."""
        if self.due is not None:
            self.due = None
            self._heap.forget_one()


class TimerHeap(Generic[T]):
    """The timers of one reactor, in the order in which they are due. Owned by its thread."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer[T]]] = []
        # Keeps timers of the same moment in order, and timers from being compared.
        self._order = count()
        self._cancelled = 0

    def add(self, when: float, due: T) -> Timer[T]:
        """`due` is due at `when`."""
        timer = Timer(self, when, due)
        heappush(self._heap, (when, next(self._order), timer))
        return timer

    def next_deadline(self) -> float | None:
        """When the first timer is due, or None."""
        while self._heap and self._heap[0][2].due is None:
            heappop(self._heap)
            self._cancelled -= 1
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[T]:
        """Take out what is due at `now`, in order."""
        taken: list[T] = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            timer = heappop(self._heap)[2]
            assert timer.due is not None
            taken.append(timer.due)
            timer.due = None  # so that a `cancel` that comes too late counts nothing
        return taken

    def forget_one(self) -> None:
        """A timer was cancelled: it leaves the heap at the top, or now if most are cancelled."""
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].due is not None]
            heapify(self._heap)
            self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled
