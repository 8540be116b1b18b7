"""Several URLs and what became of the dials → which one is next.

Pure, and not thread-safe: it belongs to whoever drives the line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

Place = TypeVar("Place")


#: The round of one URL.
_ONLY = (0,)


class Failover(Generic[Place]):
    """Goes round the URLs: the last good one first, then the others in the order of the list.

    A round tries each of them once, beginning with the one whose place in the list is `good`.
    `current` is the one to dial; then either `failed` or `succeeded` is called.
    """

    __slots__ = ("_round", "_urls", "good")

    def __init__(self, urls: Iterable[Place], good: int = 0) -> None:
        self._urls = tuple(urls)
        if not self._urls:
            raise ValueError("expected at least one URL")
        #: The place of the one that comes first.
        self.good = good
        self._round: tuple[int, ...] = ()
        self._begin()

    def _begin(self) -> None:
        self._round = _ONLY
        if len(self._urls) > 1:
            others = [each for each in range(len(self._urls)) if each != self.good]
            self._round = (self.good, *others)

    @property
    def current(self) -> Place:
        """The URL to dial."""
        return self._urls[self._round[0]]

    def failed(self) -> bool:
        """The dial failed; `current` is the next one. True when that begins a new round."""
        self._round = self._round[1:]
        if self._round:
            return False
        self._begin()
        return True

    def succeeded(self) -> None:
        """The dial succeeded: this URL comes first from now on."""
        self.good = self._round[0]
        self._begin()
