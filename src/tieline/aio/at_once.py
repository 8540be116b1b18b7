# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Messages that need not wait for anything → the session, in one step and without a coroutine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tieline.aio.arrivals import Arrivals
from tieline.engine.lane import NO_LANE
from tieline.errors import ConnectionClosed, SendBufferFull
from tieline.protocol.wire import Opcode

if TYPE_CHECKING:
    from tieline.aio.line import LoopLine
    from tieline.engine.session import Session

#: Bytes. What is bigger takes so long that the long way makes no difference.
_SMALL = 64 * 1024

#: Messages, and KiB, after which the long way looks at the clock: a task that sends and sends must
#: let others run. Of what the lane takes, which costs less, 16 KiB count for one.
_CREDIT = 256

_TEXT, _BINARY = Opcode.TEXT, Opcode.BINARY


class AtOnce:
    """The short way of a `send()`: what it does not take has to go the long way.

    Belongs to the loop's thread; on others it takes nothing.
    """

    def __init__(self, line: LoopLine, arrivals: Arrivals) -> None:
        self._line = line
        self._arrivals = arrivals
        # Queueing for the next connection needs to know what became of a message.
        self._is_off = line.options.offline == "queue"
        self._credit = 0
        self._session: Session | None = None
        self._must_wait: Callable[[], bool] | None = None
        self._message: Callable[..., Any] | None = None
        self._lane = NO_LANE

    def send(self, message: object) -> bool:
        """Send it if there is room, and nothing else to think of. Raises nothing."""
        session = self._line.session
        if session is not self._session:
            self._turn_to(session)
        if self._credit <= 0:
            self._credit = _CREDIT
            return False
        if self._message is None or not self._arrivals.is_here():
            return False
        if self._lane.send(message):
            self._credit -= 1 + len(message) // 16384  # type: ignore[arg-type]
            return True
        if type(message) is bytes:
            payload, opcode = message, _BINARY
        elif type(message) is str:
            try:
                payload, opcode = message.encode(), _TEXT
            except UnicodeEncodeError:
                return False
        else:
            return False
        size = len(payload)
        if size > _SMALL or self._must_wait():  # type: ignore[misc]
            return False
        try:
            self._message(opcode, payload)
        except (ConnectionClosed, SendBufferFull):
            return False  # and nothing was sent
        self._credit -= 1 + size // 1024
        return True

    def _turn_to(self, session: Session | None) -> None:
        self._session = session
        if session is None or self._is_off:
            self._message = None
        else:
            self._must_wait = session.sender.must_wait
            self._message = session.speaker.message
            self._lane = session.lane
