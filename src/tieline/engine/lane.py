"""A session → its short way for small messages, where the build and the platform have one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tieline.engine.delivery import Delivery
from tieline.engine.driving import spares_of_thread
from tieline.engine.inbox import Inbox
from tieline.engine.reactor import Reactor
from tieline.engine.short_way import ShortWay
from tieline.engine.telling import Teller
from tieline.options import Options
from tieline.protocol.inspection import FrameInspector
from tieline.transport.stream import SocketStream

if TYPE_CHECKING:
    from tieline.engine import _inbox_lane, _lane
    from tieline.engine.session import Session


class NoLane(ShortWay):
    """What a session without a short way has: all messages go the general way."""

    may_serve = has_rest = False
    bytes_read = 0
    receive_seconds = 0.0

    def send_run(self, messages: list[Any]) -> None:
        """All of them are left."""

    def read(self, memory: object) -> bool:
        """False: nothing was done."""
        return False

    def serve(self, memory: object, calls: object, until: float, alone: bool) -> bool:
        """True: the general way is to go on."""
        return True

    def forget_thread(self) -> None:
        """None is remembered."""

    def rest_is_taken(self) -> None:
        """There is none."""

    def close(self) -> None:
        """Nothing goes this way any more."""

    def abandon_after_fork(self, lock: object) -> None:
        """In a child process."""

    def close_descriptor(self, close: Callable[[], None]) -> None:
        """`close` the descriptor."""
        close()


NO_LANE = NoLane()

if TYPE_CHECKING:
    Lane: type[_lane.Lane] | None
    Iteration: type[_inbox_lane.Iteration] | None
else:
    try:
        from tieline.engine._inbox_lane import Iteration
        from tieline.engine._lane import Lane
    except ModuleNotFoundError:  # pure, or not on Linux
        Iteration = Lane = None


def lane_of(session: Session, options: Options, teller: Teller) -> _lane.Lane | NoLane:
    """The session's `_lane.Lane`, or `NO_LANE`.

    It deals in descriptors, so the stream must be the kernel's own, and a thread must serve it.
    """
    stream = session.stream
    below = getattr(stream, "lower", stream)
    layer = None if below is stream else stream
    if Lane is None or type(below) is not SocketStream or not below.waits_in_calls:
        return NO_LANE
    if not getattr(session.reactor, "has_lanes", False):
        return NO_LANE
    # Such sends are noted, timed, or shown.
    may_send = not teller.watches_sends and options.offline != "queue"
    lane = Lane(
        stream.fileno(),
        layer,
        session.lock,
        session.sender,
        session.connection,
        may_send=may_send,
    )
    return lane


def begin(session: Session, delivery: Delivery) -> None:
    """The session is about to be served."""
    if isinstance(session.lane, NoLane):
        return
    if isinstance(session.connection.assembler, FrameInspector):
        return  # every frame is shown first
    if type(session.reactor) is not Reactor:
        if isinstance(delivery, Inbox):
            session.lane.fill(delivery, session.pump)
    elif type(delivery) is Delivery and delivery.is_direct:
        session.lane.deliver_to(delivery.callbacks)
    elif type(delivery) is Inbox and session.driver is not None:
        session.lane.keep_in(delivery, session.driver, session.pump, spares_of_thread)
