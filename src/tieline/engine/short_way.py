# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""The call of every message → its session's lane, without asking for that by its name.

A session keeps its lane for life, so any thread may look at it, also where there is no global
interpreter lock. Which session a line has at present is another matter, and stays Python's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieline.engine._lane import Lane
    from tieline.engine.lane import NoLane


class ShortWay:
    """Takes no message and finds none: lanes know better."""

    def send(self, message: object) -> bool:
        """Send a whole message if nothing is in the way. False: nothing was done. Any thread."""
        return False

    def recv(self) -> str | bytes | None:
        """The next message if it comes very soon. None: the general way. Any thread."""
        return None


class HasLane:
    """The part of a session that every message looks at."""

    __slots__ = ("lane",)

    if TYPE_CHECKING:
        lane: Lane | NoLane
