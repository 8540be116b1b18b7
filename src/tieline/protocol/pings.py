"""Pings that were sent → which of them a Pong answers (RFC 6455 section 5.5.3)."""

from __future__ import annotations

from tieline.protocol.events import AnsweredPing

#: How many Pings are remembered when nobody waits for them: a peer that never sends a Pong is
#: alive as long as it sends anything, and the heartbeat's Pings to it must not pile up.
MAX_UNCLAIMED = 64


class PingLog:
    """The Pings that wait for their Pong, oldest first."""

    __slots__ = ("_waiting", "count")

    def __init__(self) -> None:
        # A tuple: idle connections keep it while it is empty. Every change is one step, which a
        # signal handler's Ping comes before or after.
        self._waiting: tuple[tuple[bytes, float, object], ...] = ()
        #: How many were sent since the start.
        self.count = 0

    def sent(self, data: bytes, now: float, token: object) -> None:
        """A Ping went out; `token` comes back when it is answered. With None nobody waits."""
        if token is None:
            unclaimed = [place for place, ping in enumerate(self._waiting) if ping[2] is None]
            if len(unclaimed) >= MAX_UNCLAIMED:
                first = unclaimed[0]
                self._waiting = self._waiting[:first] + self._waiting[first + 1 :]
        self._waiting += ((data, now, token),)
        self.count += 1

    def answered(self, data: bytes, now: float) -> tuple[AnsweredPing, ...]:
        """The Pings that a Pong with `data` answers.

        A peer may answer only the most recent Ping, so those before the one that matches count as
        answered as well. A Pong that matches none is a one-way heartbeat and answers nothing.
        """
        places = (place for place, ping in enumerate(self._waiting) if ping[0] == data)
        place = next(places, None)
        if place is None:
            return ()
        taken, self._waiting = self._waiting[: place + 1], self._waiting[place + 1 :]
        return tuple(AnsweredPing(token, now - sent_at) for _, sent_at, token in taken)
