# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""The end of a connection, or of an outage → what follows it, and who is told."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tieline.engine.chunks import closed_error
from tieline.engine.complaints import Complaints
from tieline.engine.log import INFO, WARNING
from tieline.engine.outage import Outage
from tieline.engine.waiting import News
from tieline.errors import ConnectionClosed
from tieline.protocol.state import State
from tieline.reconnect import GaveUp, ReconnectAttempt

if TYPE_CHECKING:
    from tieline.engine.recovery import Recovery
    from tieline.engine.resumption import Resumption
    from tieline.engine.session import Session
    from tieline.engine.unsent import Unsent
    from tieline.protocol.events import CloseInfo


#: What the log says of each event.
_LOGGED = {
    "ReconnectingEvent": "reconnecting: attempt %(number)d in %(delay).1f s, after: %(cause)s",
    "GaveUpEvent": "not reconnecting any more, after %(attempts)d attempts: %(reason)s",
    "MessageDroppedEvent": "a message of %(size)d bytes was dropped: %(reason)s",
}


def _nothing() -> None:
    """All handlers have returned, and nobody waits for that."""


def _level(data: dict[str, Any]) -> int:
    """Attempts in vain are worth a look; an orderly end is not."""
    return WARNING if data.get("attempts") else INFO


class Aftermath(Complaints):
    """Decides, for its line, whether an end is the end for good. No lock held while it tells.

    (A part of the line: an object of its own in each one would be one more.)
    """

    __slots__ = ("_changed", "_decided", "close_info", "gave_up")

    if TYPE_CHECKING:
        lock: Any
        recovery: Recovery
        carried_over: Resumption | None
        is_abandoned: bool
        # Those who wait for a change: hardly ever anybody.
        _changed: News | None
        # The ends that were decided on, until the last handler has returned; and what to tell then
        # of those that will not be followed by another connection, although that was asked for.
        _decided: dict[Session, GaveUp | None] | None
        #: How the last connection ended.
        close_info: CloseInfo | None
        #: Why there will be no further one, when that was tried.
        gave_up: GaveUp | None

        @property
        def is_leaving(self) -> bool: ...
        @property
        def resumption(self) -> Resumption: ...
        def recover(self, outage: Outage) -> None: ...

    # --- a connection has ended ---------------------------------------------------------------

    def on_round_trip(self, seconds: float) -> None:
        """Long before: a Ping was answered."""
        self.recorder.round_trip(seconds)

    def on_ended(self, session: Session) -> None:
        """Before its last handlers are called: they already see what follows."""
        info = session.connection.close_info
        assert info is not None
        self.recorder.ended(session)
        outage = None
        is_over = session.has_stopped or self.is_abandoned
        if self.recovery.policy is not None and not is_over and not self.is_leaving:
            outage = self.recovery.begin_after(session, info)
        rest = session.sender.take_rest()
        # In one step, or somebody who connects or closes meanwhile would find half of it.
        with self.lock:
            self.close_info = info
            if self.is_abandoned:
                self.recovery.stop()
            present = self.recovery.outage
            if outage is not None and isinstance(outage.plan, GaveUp):
                self.gave_up = outage.plan
                self._opened_decisions()[session] = outage.plan
            else:
                self._opened_decisions().setdefault(session, None)
            if present is not None and self.session is session:
                present.went_down()
            self.put_back(rest)
            if present is not None or self.session is not session:
                self.delivery.cut(info)
            else:
                self._end_for_good()

    def put_back(self, rest: list[Unsent]) -> None:
        """What a connection did not take comes first on the next one."""
        if rest:
            self.resumption.put_back(rest)

    def closed_error(self) -> ConnectionClosed:
        """What to raise where a message was asked for and none will come."""
        return closed_error(self.close_info, gave_up=self.gave_up)

    def _opened_decisions(self) -> dict[Session, GaveUp | None]:
        fresh: dict[Session, GaveUp | None] = {}
        if self._decided is None:  # no signal handler comes in before the next line
            self._decided = fresh
        return self._decided

    def _is_decided(self, session: Session) -> bool:
        return self._decided is not None and session in self._decided

    def on_finished(self, session: Session) -> None:
        """Its last handler has returned."""
        with self.lock:
            farewell = None if self._decided is None else self._decided.pop(session, None)
            outage = self.recovery.outage
            # Otherwise a user has closed, or connects himself.
            follows = outage is not None and outage.after is session and not outage.has_driver
            if outage is not None and follows:
                outage.has_driver = True
        try:
            if self._dropped is not None:
                self.log_dropped()
            self._tell_drops(None)
            if farewell is not None:
                self._tell_gave_up(farewell, None)
        finally:
            try:
                # Before the driver begins: what it tells has nothing to wait for.
                self.succession.leave(session)
            finally:
                if outage is not None and follows:
                    self.recover(outage)

    def keep_old(self, outage: Outage) -> bool:
        """It was to replace a connection and has failed: is that one still there? Then it stays."""
        with self.lock:
            session = self.session
            is_there = (
                outage.overlaps
                and session is not None
                and not session.has_ended  # or what follows its end may have been left to `outage`
            )
            if is_there:
                self.recovery.keep(outage)
            return is_there

    # --- an outage goes on, or is over --------------------------------------------------------

    def await_turn(self, outage: Outage, plan: ReconnectAttempt) -> None:
        """The next dial is being waited for."""
        self._tell_drops(outage)
        if not outage.goes_on:
            return  # the first connection goes to the next URL: nothing was lost
        self._tell(
            "ReconnectingEvent",
            driver=outage,
            number=plan.number,
            delay=plan.delay,
            cause=str(plan.cause),
            url=plan.url,
        )
        self.post(outage, self.callbacks.reconnecting, plan)

    def bring_news(self, driver: Outage | None = None) -> None:
        """While the next dial is being waited for by `driver`, now and then."""
        if self.carried_over is not None:
            self.carried_over.drop_aged()
        self._tell_drops(driver)

    def outage_stopped(self) -> None:
        """A user has put an end to an outage. With the line's lock held."""
        session = self.session
        self.tell_change()
        is_up = session is not None and not self._is_decided(session) and not session.end_is_told
        if self.recovery.outage is None and not is_up:
            self._end_for_good()

    def settle(self, outage: Outage, is_background: bool) -> None:
        """Its driver is done: the line is open, or down, or somebody else has taken over.

        May be called again, which makes up for what Ctrl-C kept the first call from.
        """
        if outage.has_opened and self.recovery.outage is not outage:
            self._over(outage)  # from now on the connection is the one that calls handlers
            return
        try:
            is_down = self._goes_down(outage)
            if is_down and is_background and isinstance(outage.plan, GaveUp):
                self._tell_gave_up(outage.plan, outage)
            self._tell_drops(outage)
        finally:
            if is_background:
                self.delivery.finish(partial(self._over, outage))
            else:
                self._over(outage)
                session = self.session
                if not self.delivery.is_direct and (session is None or session.has_ended):
                    # No connection will say that a thread for handlers is wanted no more.
                    self.delivery.finish(_nothing)

    def _goes_down(self, outage: Outage) -> bool:
        """It has led to nothing: is this the end for good?"""
        if outage.overlaps and self.keep_old(outage):
            return False
        with self.lock:
            if self.recovery.outage is not outage or outage.state is State.CLOSED:
                return False
            outage.state = State.CLOSED
            if isinstance(outage.plan, GaveUp) and outage.goes_on:
                self.gave_up = outage.plan
            self._end_for_good()
            return True

    def _over(self, outage: Outage) -> None:
        """Its last handler has returned."""
        with self.lock:
            outage.thread = 0
            self.recovery.remove(outage)
            outage.finish()
            self.tell_change()
        self.succession.leave(outage)

    def _end_for_good(self) -> None:
        """Nothing follows: those who wait for messages, or for theirs to be sent, are told.

        With the line's lock held: from then on nobody queues, and who connects begins anew.
        """
        self.recovery.is_wanted = False
        self.delivery.end(self.close_info)
        carried_over = self.carried_over
        if carried_over is not None and carried_over.has_queue:
            carried_over.drop_all("closed", self.closed_error())
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        """Those who wait for a message of the next connection are told that there is none."""
        if self.callbacks.watchers:
            number = 0 if self.session is None else self.session.connection_id
            self.callbacks.give_up_waiting(number, self.closed_error())

    def abandon_after_fork(self) -> None:
        """In a child process: the driver is the parent's, and nothing follows."""
        self._decided = None
        self.delivery.end(self.close_info)
        self._stop_waiting()

    @property
    def changed(self) -> News:
        """Tells when a dial or an outage is over; of the line's lock. Any thread."""
        if self._changed is None:
            fresh = News(self.lock)
            with self.lock:
                if self._changed is None:  # a signal handler on top may have been first
                    self._changed = fresh
        assert self._changed is not None
        return self._changed

    def tell_change(self) -> None:
        """With the lock held."""
        if self._changed is not None:
            self._changed.notify_all()

    # --- telling ------------------------------------------------------------------------------

    def _tell_drops(self, driver: Outage | None) -> None:
        """Tell of the messages that were dropped since it was done last. See `post`."""
        carried_over = self.carried_over
        if carried_over is None:
            return
        for reason, size in carried_over.take_drops():
            self._tell("MessageDroppedEvent", driver=driver, reason=reason, size=size)

    def _tell_gave_up(self, plan: GaveUp, driver: Outage | None) -> None:
        self._tell(
            "GaveUpEvent",
            driver=driver,
            reason=plan.reason,
            attempts=plan.attempts,
            downtime=plan.downtime,
        )
        if isinstance(plan.cause, Exception):
            self.post(driver, self.callbacks.error, plan.cause)

    def _tell(self, kind: str, *, driver: Outage | None = None, **data: Any) -> None:
        session = self.session
        if session is not None:
            try:
                session.log.log(_level(data), _LOGGED[kind], data)
            except Exception as error:
                # A filter of the user's: it must not keep the line from coming up again.
                self.post(driver, self.callbacks.error, error)
        if self.callbacks.wants_events:
            number = 0 if session is None else session.connection_id
            from tieline import events  # loaded where somebody listens

            event = getattr(events, kind)(time=time.monotonic(), connection_id=number, **data)
            self.post(driver, self.callbacks.event, event)
