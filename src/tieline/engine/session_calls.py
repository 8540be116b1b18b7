# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""What the parts of a session ask of it → calls that are made soon, on its reactor's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tieline.engine.heartbeat import HeartbeatSender
from tieline.engine.holding import is_held_by_caller
from tieline.engine.pings import PingWaiter
from tieline.engine.prompting import Gathering, watch_over_of
from tieline.engine.pump import Pump
from tieline.engine.served import LAZINESS
from tieline.transport.stream import SocketStream, lowest

if TYPE_CHECKING:
    from tieline.engine.driving import Driver
    from tieline.engine.session import Session
    from tieline.engine.speaker import Speaker


class Owner(Protocol):
    """Whose connections they are, one after the other."""

    def on_round_trip(self, seconds: float) -> None:
        """A Ping was answered."""

    def on_ended(self, session: Session) -> None:
        """Before its last handlers are called: what follows is decided."""

    def on_finished(self, session: Session) -> None:
        """Its last handler has returned."""


class SessionCalls(Pump):
    """The part of a session that others ask for small things, mostly for calls that are made soon.

    (Who asks keeps the session, and names the call: functions would take more room in each one.)
    """

    if TYPE_CHECKING:
        driver: Driver | None
        _owner: Owner
        _heartbeat: HeartbeatSender | None
        _heartbeat_message: str | bytes | Callable[[], object] | None

    # --- what it asks of the session ------------------------------------------------------------

    def watch(self) -> None:
        """Tell the reactor what to wait for."""
        raise NotImplementedError

    def resume(self) -> None:
        """Read again, if that is wanted."""
        raise NotImplementedError

    def after_broken_write(self) -> None:
        """The stream takes no more."""
        raise NotImplementedError

    # --- the same object, as others know it -----------------------------------------------------

    @property
    def speaker(self) -> Speaker:
        """Where users' messages, Pings and Pongs go; tells all that is no message of the peer's."""
        return self

    @property
    def pump(self) -> Pump:
        """What reads and delivers."""
        return self

    # --- who asks --------------------------------------------------------------------------------

    def in_handler(self) -> bool:
        """Is the caller where waiting would keep this connection from going on?"""
        driver = self.driver
        if driver is not None and driver.is_mine:
            return True
        return self.reactor.in_thread() or self.delivery.in_handler()

    @property
    def is_interrupted(self) -> bool:
        """Is the caller a signal handler on top of a call of ours, and so holds a lock?

        Whoever serves the connection may need that lock: the caller must not wait for anything.
        """
        return (
            is_held_by_caller(self.lock)
            # A reactor without a thread of its own has no such lock.
            or bool(getattr(self.reactor, "is_interrupted", False))
        )

    # --- any thread ---------------------------------------------------------------------------

    def may_end_anywhere(self) -> bool:
        """Threads serve it, and no handler would notice which of them ends it."""
        return self.driver is not None and self.delivery.callbacks.are_none

    def begins_quietly(self) -> bool:
        """Is there nothing to do or to tell until its peer says something, or some time is over?"""
        connection, sender = self.connection, self.sender
        if self.delivery.callbacks.wants_opening or sender.blocked or sender.error is not None:
            return False
        if connection.events or connection.assembler.has_more() or self.stream.has_buffered_input:
            return False
        due = connection.next_deadline()
        return due is None or due > self.reactor.now() + LAZINESS

    def call_handler(self, function: Callable[[], None]) -> None:
        """Behind what was delivered before."""
        self.call_soon(function)

    def on_blocked(self) -> None:
        """The kernel takes no more for now."""
        self._soon(self.watch)

    def on_broken(self) -> None:
        """The stream takes no more."""
        self._soon(self.after_broken_write)

    def watch_over(self, writer: Gathering) -> bool:
        """Somebody has to write what it gathers if the handler takes its time."""
        return watch_over_of(self.reactor)(writer)

    def on_waited(self, size: int, seconds: float, taken: int) -> None:
        """A send has waited for the peer."""
        self._teller.waited(size, seconds, taken)

    def serve_soon(self) -> None:
        """Somebody waits for the peer's answer other than by driving: leave nothing unread."""
        if self.driver is not None:
            self.driver.give_back()

    def resume_reading(self) -> None:
        """Those for whom the messages are have caught up."""
        if self.driver is None or not self.driver.is_driven:
            self._soon(self.resume)

    def _on_reactor(self, function: Callable[[], None]) -> None:
        """At once on the reactor's thread, else soon."""
        if self.reactor.in_thread():
            function()
        else:
            self._soon(function)

    # --- its reactor's thread -------------------------------------------------------------------

    def disown(self) -> None:
        """The descriptor's number is another connection's by now: neither use it, nor close it."""
        with self.lock:
            self.lane.close()
            below = lowest(self.stream)
            if isinstance(below, SocketStream):
                below.release().detach()

    # --- any thread that sends ---------------------------------------------------------------

    def new_waiter(self) -> PingWaiter:
        """For the Pong to a Ping that is about to be sent."""
        self.serve_soon()  # or the round trip would be longer than it is
        return PingWaiter(self.cannot_wait, on_wait=self.serve_soon)

    def cannot_wait(self) -> bool:
        """Would the caller wait for itself?"""
        return self.in_handler() or self.is_interrupted

    # --- whoever delivers ---------------------------------------------------------------------

    def answers_pings(self) -> bool:
        """May what nobody waits for be sent as well?"""
        return self.sender.has_room()

    def on_round_trip(self, seconds: float) -> None:
        """A Ping was answered."""
        self._owner.on_round_trip(seconds)

    def send_heartbeat(self) -> None:
        """One is due. What sends it is made for the first one: most connections have none."""
        if self._heartbeat is None:
            self._heartbeat = HeartbeatSender(
                self._heartbeat_message, self, self.delivery, self.log
            )
        self._heartbeat.due()
