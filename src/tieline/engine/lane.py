# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A session → its short way for small messages, where the build and the platform have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieline.engine.delivery import Delivery
from tieline.engine.inbox import Inbox
from tieline.engine.reactor import Reactor
from tieline.engine.short_way import ShortWay
from tieline.engine.telling import Teller
from tieline.options import Options
from tieline.protocol.inspection import FrameInspector
from tieline.transport.stream import Layer, SocketStream

if TYPE_CHECKING:
    from tieline.engine import _handler_lane, _inbox_lane, _send_lane
    from tieline.engine.session import Session

#: What a session without a short way has.
NO_LANE = ShortWay()

if TYPE_CHECKING:
    SendLane: type[_send_lane.SendLane] | None
    HandlerLane: type[_handler_lane.HandlerLane]
    LoopLane: type[_inbox_lane.LoopLane]
    RecvLane: type[_inbox_lane.RecvLane]
else:
    try:
        from tieline.engine._handler_lane import HandlerLane
        from tieline.engine._inbox_lane import LoopLane, RecvLane
        from tieline.engine._send_lane import SendLane
    except ModuleNotFoundError:  # pure, or not on Linux
        HandlerLane = LoopLane = RecvLane = SendLane = None


def lane_of(session: Session, options: Options, teller: Teller) -> ShortWay:
    """The session's lane, or `NO_LANE`.

    It deals in descriptors, so the stream must be the kernel's own, and a thread must serve it.
    """
    if SendLane is None:
        return NO_LANE
    stream = session.stream
    below: object = stream
    layer = None
    if isinstance(stream, Layer):
        below, layer = getattr(stream, "lower", None), stream
    if type(below) is not SocketStream or not below.waits_in_calls:
        return NO_LANE
    reactor: object = session.reactor  # a `Reactor`, or what serves in place of one
    if not getattr(reactor, "has_lanes", False):
        return NO_LANE
    # Such sends are noted, timed, or shown.
    may_send = not teller.watches_sends and options.offline != "queue"
    sender, connection, delivery = session.sender, session.connection, session.delivery
    if isinstance(connection.assembler, FrameInspector):
        pass  # every frame is shown first
    elif not isinstance(reactor, Reactor):
        if isinstance(delivery, Inbox):
            return LoopLane(stream.fileno(), layer, sender, may_send, connection)
    elif type(delivery) is Inbox:
        return RecvLane(stream.fileno(), layer, sender, may_send, connection)
    elif type(delivery) is Delivery and delivery.is_direct:
        return HandlerLane(stream.fileno(), layer, sender, may_send, connection)
    return SendLane(stream.fileno(), layer, sender, may_send)


def begin(session: Session, delivery: Delivery) -> None:
    """The session is about to be served."""
    lane = session.lane
    if lane is NO_LANE or type(lane) is SendLane:
        return
    if type(lane) is HandlerLane:
        lane.deliver_to(delivery.callbacks)
    elif type(lane) is LoopLane:
        lane.fill(delivery, session.pump)
    elif type(lane) is RecvLane and session.driver is not None:
        lane.keep_in(delivery, session.driver, session.pump)
