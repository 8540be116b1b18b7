# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Whatever has to know of a fork → it is told, in the child process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from weakref import ref

from tieline.engine.locks import ReentrantLock

if TYPE_CHECKING:
    from collections.abc import Iterator


class Forkable(Protocol):
    """Something whose threads and sockets stay with the parent."""

    def abandon_after_fork(self) -> None: ...


#: So many that are gone are not worth a look.
_FEW = 64


class Forkables:
    """What has to know of a fork, for as long as somebody else keeps it. Any thread.

    Half of what a `WeakSet` takes for each, which has a set beside the references.
    """

    def __init__(self) -> None:
        self._references: list[ref[Forkable]] = []
        # With more of them those that are gone are taken out, as often as they have doubled.
        self._enough = _FEW
        self._clearings = 0
        self._lock = ReentrantLock()

    def add(self, forkable: Forkable) -> None:
        """Once for each."""
        self._references.append(ref(forkable))
        if len(self._references) > self._enough:
            self._clear()

    def _clear(self) -> None:
        with self._lock:
            references, clearings = self._references, self._clearings
            count = len(references)
            present = [each for each in references[:count] if each() is not None]
            # What has come meanwhile is behind them, and a signal handler on top may have done it.
            if self._clearings == clearings:
                references[:count] = present
                self._clearings = clearings + 1
                self._enough = 2 * len(present) + _FEW

    def __iter__(self) -> Iterator[Forkable]:
        for reference in self._references.copy():
            forkable = reference()
            if forkable is not None:
                yield forkable

    def abandon_after_fork(self) -> None:
        """In a child process: another thread may have held the lock."""
        self._lock = ReentrantLock()
        for forkable in self:
            forkable.abandon_after_fork()
