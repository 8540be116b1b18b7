# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""The time → what an open connection does because of it: Pings, heartbeats, giving up."""

from __future__ import annotations

from collections.abc import Callable

from tieline.protocol.events import Event, HeartbeatDue, PingSent
from tieline.protocol.heartbeat import Heartbeat
from tieline.protocol.keepalive import Keepalive, KeepaliveAction
from tieline.protocol.outgoing import Outgoing
from tieline.protocol.settings import Settings


class Upkeep(Keepalive):
    """A keepalive that sends its Pings, and the application's heartbeat, of an open connection.

    What it sends with comes with each call, and what is to be told is returned.
    """

    def __init__(self, settings: Settings, random_bytes: Callable[[int], bytes]) -> None:
        self.prepare(settings.ping_interval, settings.ping_timeout)
        interval = settings.heartbeat_interval
        self._heartbeat = None if interval is None else Heartbeat(interval)
        self._random_bytes = random_bytes

    def begin(self, now: float) -> None:
        """The connection is open."""
        self.start(now)
        if self._heartbeat is not None:
            self._heartbeat.start(now)

    def due_at(self) -> float | None:
        """When to call `keep_up`, or None."""
        ping, heartbeat = self.next_deadline(), self._heartbeat
        beat = None if heartbeat is None else heartbeat.due_at
        return ping if beat is None else beat if ping is None else min(ping, beat)

    def keep_up(
        self, now: float, heard_until: float | None, outgoing: Outgoing
    ) -> tuple[Event, ...] | None:
        """Do what is due, and say what was. None: the peer is given up, and `explain` says why.

        All that came before `heard_until` (None: `now`) was read.
        """
        action = self.on_time(now, now if heard_until is None else heard_until)
        if action is KeepaliveAction.GIVE_UP:
            return None
        told = self._ping(now, outgoing) if action is KeepaliveAction.PING else ()
        if self._heartbeat is not None and self._heartbeat.is_due(now):
            told += (HeartbeatDue(),)
        return told

    def ask_after_sleep(self, now: float, seconds: float, outgoing: Outgoing) -> tuple[Event, ...]:
        """The machine was asleep, or its clock was set: ask the peer at once if it is there."""
        asks = self.slept(now, seconds) is KeepaliveAction.PING
        return self._ping(now, outgoing) if asks else ()

    def _ping(self, now: float, outgoing: Outgoing) -> tuple[Event, ...]:
        # A peer that does not read has enough to take: every byte of it would be an answer.
        if outgoing.is_congested:
            return ()
        data = self._random_bytes(4)
        outgoing.ping(data, now)
        return (PingSent(data),)
