# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""The call of every message → its session's lane, without asking for that by its name.

A session keeps its lane for life, so any thread may look at it, also where there is no global
interpreter lock. Which session a line has at present is another matter, and stays Python's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tieline.engine.receive_buffer import ReceiveBuffer


class ShortWay:
    """Takes no message and finds none: all go the general way. Lanes know better."""

    #: Is it `serve` that reads?
    may_serve = False
    #: Statistics: bytes read here, and seconds spent in decoding.
    bytes_read = 0
    receive_seconds = 0.0

    def __init__(self) -> None:
        #: Was a run of messages taken that more follows, in the memory that was read into?
        self.has_rest = False

    def send(self, message: object) -> bool:
        """Send a whole message if nothing is in the way. False: nothing was done. Any thread."""
        return False

    def send_run(self, messages: list[Any]) -> None:
        """Send those at the beginning that nothing is in the way of, and take them out."""

    def recv(self) -> str | bytes | None:
        """The next message if it comes very soon. None: the general way. Any thread."""
        return None

    def read(self, memory: ReceiveBuffer) -> bool:
        """Read once for the tasks of a loop. False: the general way is to do it."""
        return False

    def serve(self, memory: object, calls: object, until: float, alone: bool) -> bool:
        """Read, and call handlers. True: the general way is to go on."""
        return True

    def rest_is_taken(self) -> None:
        """The general way has gone on with what was read here, to its end."""

    def close(self) -> None:
        """Nothing goes this way any more. With the lock held."""

    def abandon_after_fork(self, lock: Any) -> None:
        """In a child process."""

    def close_descriptor(self, close: Callable[[], None]) -> None:
        """`close` the descriptor as soon as no thread waits in a call on it."""
        close()
