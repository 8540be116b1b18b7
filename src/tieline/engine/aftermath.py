"""The end of a connection, or of an outage → what follows it, and who is told."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from tieline.engine.outage import Outage
from tieline.events import ConnectionEvent, GaveUpEvent, MessageDroppedEvent, ReconnectingEvent
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.reconnect import GaveUp, ReconnectAttempt

if TYPE_CHECKING:
    from typing import Any

    from tieline.engine.line import Line
    from tieline.engine.session import Session


class Aftermath:
    """Decides, for one line, whether its end is the end for good. No lock held while it tells."""

    def __init__(self, line: Line) -> None:
        self._line = line
        # The ends that were decided on, until the last handler has returned; and what to tell then
        # of those that will not be followed by another connection, although that was asked for.
        self._decided: dict[Session, GaveUp | None] = {}
        # A connection that is being read to its end, and its successor, which is not served yet.
        self._successor: tuple[Session, Session, HandshakeResponse] | None = None

    # --- a connection is replaced -------------------------------------------------------------

    def start_after(self, old: Session, new: Session, response: HandshakeResponse) -> None:
        """Serve `new` when the last handler of `old` has returned. With the line's lock held."""
        self._successor = old, new, response

    @property
    def served(self) -> Session | None:
        """The connection that is read: the old one while its successor waits."""
        successor = self._successor
        return self._line.session if successor is None else successor[0]

    def discard_successor(self) -> Session | None:
        """One that is not served yet is not wanted any more. Returns the one that is served."""
        line = self._line
        with line.lock:
            successor, self._successor = self._successor, None
            if successor is None:
                return line.session
            line.session, new, _ = successor
            new.discard()
            line.recorder.ended(new.traffic)
            line.resumption.put_back(new.sender.take_rest())
            return line.session

    def _start_successor(self, old: Session) -> None:
        line = self._line
        with line.lock:
            if self._successor is None or self._successor[0] is not old:
                return
            _, new, response = self._successor
            self._successor = None
            line.delivery.begin()
            new.start(response)
            if line.is_abandoned:
                new.drop()

    # --- a connection has ended ---------------------------------------------------------------

    def on_ended(self, session: Session) -> None:
        """Before its last handlers are called: they already see what follows."""
        line = self._line
        info = line.close_info = session.connection.close_info
        assert info is not None
        line.recorder.ended(session.traffic)
        outage = None
        if not session.pump.has_stopped and not line.is_leaving:
            outage = line.recovery.begin_after(session, info, lambda: line.session is session)
        rest = session.sender.take_rest()
        with line.lock:
            goes_on = line.recovery.outage is not None or line.session is not session
            if outage is not None and isinstance(outage.plan, GaveUp):
                line.gave_up = outage.plan
                self._decided[session] = outage.plan
            else:
                self._decided.setdefault(session, None)
        line.resumption.put_back(rest)
        if goes_on:
            line.delivery.cut(info)
        else:
            self._end_for_good()

    def on_finished(self, session: Session) -> None:
        """Its last handler has returned."""
        self.tell_drops()
        self._start_successor(session)
        line = self._line
        with line.lock:
            farewell = self._decided.pop(session, None)
            outage = line.recovery.outage
            # Otherwise a user has closed, or connects himself.
            follows = outage is not None and outage.after is session and not outage.has_driver
            if outage is not None and follows:
                outage.has_driver = True
        if farewell is not None:
            self._tell_gave_up(farewell)
        elif outage is not None and follows:
            line.recover(outage)

    def keep_old(self, outage: Outage) -> bool:
        """It was to replace a connection and has failed: is that one still there? Then it stays."""
        line = self._line
        with line.lock:
            session = line.session
            is_there = (
                outage.overlaps
                and session is not None
                and session not in self._decided
                and not session.end_is_told
            )
            if is_there:
                line.recovery.keep(outage)
            return is_there

    # --- an outage goes on, or is over --------------------------------------------------------

    def await_turn(self, plan: ReconnectAttempt) -> None:
        """The next dial is being waited for."""
        self.tell_drops()
        self._tell(
            ReconnectingEvent,
            number=plan.number,
            delay=plan.delay,
            cause=str(plan.cause),
            url=plan.url,
        )
        self._line.delivery.post(self._line.callbacks.reconnecting, plan)

    def stopped(self) -> None:
        """A user has put an end to an outage. Any thread."""
        line = self._line
        with line.lock:
            is_last = line.recovery.outage is None and line.present is None
            line.changed.notify_all()
        if is_last:
            self._end_for_good()

    def settle(self, outage: Outage, *, is_background: bool) -> None:
        """Its driver is done: the line is open, or down, or somebody else has taken over."""
        line = self._line
        self.keep_old(outage)
        with line.lock:
            is_down = line.recovery.outage is outage
            if is_down:
                line.recovery.is_wanted = False
                outage.state = State.CLOSED
                if isinstance(outage.plan, GaveUp):
                    line.gave_up = outage.plan
        if is_down:
            self._end_for_good()
            if is_background and isinstance(outage.plan, GaveUp):
                self._tell_gave_up(outage.plan)
        self.tell_drops()
        over = partial(self._over, outage)
        if is_background:
            line.delivery.finish(over)
        else:
            over()

    def _over(self, outage: Outage) -> None:
        """Its last handler has returned."""
        line = self._line
        with line.lock:
            line.recovery.remove(outage)
            outage.finished.set()
            line.changed.notify_all()

    def _end_for_good(self) -> None:
        """Nothing follows: those who wait for messages, or for theirs to be sent, are told."""
        line = self._line
        line.delivery.end(line.close_info)
        line.resumption.offline.clear("closed", line.closed_error())

    def abandon_after_fork(self) -> None:
        """In a child process: the driver is the parent's, and nothing follows."""
        self._decided.clear()
        self._successor = None
        self._line.delivery.end(self._line.close_info)

    # --- telling ------------------------------------------------------------------------------

    def tell_drops(self) -> None:
        """Tell of the messages that were dropped since it was done last. Where handlers run."""
        for reason, size in self._line.resumption.take_drops():
            self._tell(MessageDroppedEvent, reason=reason, size=size)

    def _tell_gave_up(self, plan: GaveUp) -> None:
        self._tell(GaveUpEvent, reason=plan.reason, attempts=plan.attempts, downtime=plan.downtime)
        if isinstance(plan.cause, Exception):
            self._line.delivery.post(self._line.callbacks.error, plan.cause)

    def _tell(self, kind: type[ConnectionEvent], **data: Any) -> None:
        line = self._line
        session = line.session
        number = 0 if session is None else session.connection_id
        if session is not None:
            session.log.info("%s %s", kind.__name__, data)
        if line.callbacks.wants_events:
            event = kind(time=time.monotonic(), connection_id=number, **data)
            line.delivery.post(line.callbacks.event, event)
