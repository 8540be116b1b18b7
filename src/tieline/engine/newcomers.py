"""Connections that a reactor's thread has not looked at yet → whether it has to be woken up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieline.engine.served import Registrant

#: Seconds until the thread looks at a connection that others serve for now.
LAZINESS = 0.25

#: What the thread has not said yet: it has just begun, and looks before it waits.
_FRESH = 0.0


class Newcomers:
    """In the order in which they came. Guarded by the reactor's lock, but for `looks_at`.

    Whoever adds one looks at `is_told` afterwards; the thread says `looks_at` and looks for
    newcomers afterwards. So one of the two notices the other.
    """

    __slots__ = ("_unseen", "looks_at")

    def __init__(self) -> None:
        self._unseen: dict[Registrant, None] = {}
        #: When the thread looks without being asked. A moment that is over: it is busy.
        self.looks_at = _FRESH

    def __bool__(self) -> bool:
        return bool(self._unseen)

    def __contains__(self, registrant: object) -> bool:
        return registrant in self._unseen

    def add(self, registrant: Registrant) -> None:
        """It has come."""
        self._unseen[registrant] = None

    def remove(self, registrant: Registrant) -> None:
        """It is gone."""
        self._unseen.pop(registrant, None)

    def take(self) -> Iterable[Registrant]:
        """All of them; there are none then."""
        unseen, self._unseen = self._unseen, {}
        return unseen

    def are_seen_in_time(self, now: float, *, patience: float) -> bool:
        """Will the thread look within `patience` seconds without being asked?

        Not counted on when it is busy: the short way of a connection ends when somebody calls.
        """
        looks_at = self.looks_at
        return looks_at == _FRESH or now < looks_at <= now + patience
