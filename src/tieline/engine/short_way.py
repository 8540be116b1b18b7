# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""The call of every message → its session's lane, with no look-up by name on the way there.

A line has a session, and a session has a lane: both inherit that one attribute from here, where
compiled callers find it without asking for it by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieline.engine._lane import Lane
    from tieline.engine.lane import NoLane
    from tieline.engine.session import Session


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


class HasSession:
    """The part of a line that every message looks at."""

    __slots__ = ("session",)

    if TYPE_CHECKING:
        #: What messages are sent on and taken from, or None.
        session: Session | None
