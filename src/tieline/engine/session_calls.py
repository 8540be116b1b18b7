"""What the parts of a session ask of it → calls that are made soon, on its reactor's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tieline.engine.heartbeat import HeartbeatSender
from tieline.engine.pings import PingWaiter

if TYPE_CHECKING:
    from tieline.engine.delivery import Delivery
    from tieline.engine.driving import Driver
    from tieline.engine.log import AnyLogger
    from tieline.engine.pump import Pump
    from tieline.engine.reactor import Reactor
    from tieline.engine.speaker import Speaker


class SessionCalls:
    """Handed out as bound methods: closures would take three times as much, in each session."""

    if TYPE_CHECKING:
        reactor: Reactor
        pump: Pump
        driver: Driver | None
        speaker: Speaker
        log: AnyLogger
        _delivery: Delivery
        _heartbeat: HeartbeatSender | None
        _heartbeat_message: str | bytes | Callable[[], object] | None
        watch: Callable[[], None]
        resume: Callable[[], None]
        in_handler: Callable[[], bool]
        after_broken_write: Callable[[], None]

        @property
        def is_interrupted(self) -> bool: ...

    # --- any thread ---------------------------------------------------------------------------

    @property
    def may_end_anywhere(self) -> bool:
        """Threads serve it, and no handler would notice which of them ends it."""
        return self.driver is not None and self._delivery.callbacks.are_none

    def call_handler(self, function: Callable[[], None]) -> None:
        """Behind what was delivered before."""
        self.pump.call_soon(function)

    def on_blocked(self) -> None:
        """The kernel takes no more for now."""
        self._soon(self.watch)

    def on_broken(self) -> None:
        """The stream takes no more."""
        self._soon(self.after_broken_write)

    def serve_soon(self) -> None:
        """Somebody waits for the peer's answer other than by driving: leave nothing unread."""
        if self.driver is not None:
            self.driver.give_back()

    def resume_reading(self) -> None:
        """Those for whom the messages are have caught up."""
        if self.driver is None or not self.driver.is_driven:
            self._soon(self.resume)

    def _soon(self, function: Callable[[], None]) -> None:
        registrant: Any = self
        self.reactor.call_soon(registrant, function)

    def _on_reactor(self, function: Callable[[], None]) -> None:
        """At once on the reactor's thread, else soon."""
        if self.reactor.in_thread():
            function()
        else:
            self._soon(function)

    # --- any thread that sends ---------------------------------------------------------------

    def new_waiter(self) -> PingWaiter:
        """For the Pong to a Ping that is about to be sent."""
        self.serve_soon()  # or the round trip would be longer than it is
        return PingWaiter(self.cannot_wait, on_wait=self.serve_soon)

    def cannot_wait(self) -> bool:
        """Would the caller wait for itself?"""
        return self.in_handler() or self.is_interrupted

    # --- whoever delivers ---------------------------------------------------------------------

    def send_heartbeat(self) -> None:
        """One is due. What sends it is made for the first one: most connections have none."""
        if self._heartbeat is None:
            self._heartbeat = HeartbeatSender(
                self._heartbeat_message, self.speaker, self._delivery, self.log
            )
        self._heartbeat.due()
