"""The time → when to send a Ping, and when to give the peer up.

Any received byte counts as a sign of life, not only the Pong: a peer that sends a large message is
not dead because its Pong waits behind it.
"""

from __future__ import annotations

from enum import Enum

#: Seconds after which a timer that fires late means that this program was held up (a slow handler,
#: a suspended machine), so the peer's answer may be waiting unread.
LATE = 1.0


class HeartbeatAction(Enum):
    """What `Heartbeat.on_time` asks for."""

    NOTHING = "nothing"
    PING = "ping"
    GIVE_UP = "give up"


class Heartbeat:
    """Keepalive of one connection; all times in seconds of one monotonic clock.

    A Ping is due every `interval` (None: never). When nothing at all is received for `timeout`
    after a Ping (None: wait for ever), the peer is given up.
    """

    def __init__(self, interval: float | None, timeout: float | None) -> None:
        self.interval = interval
        self.timeout = timeout
        #: When the last byte came. The owner sets it at every read.
        self.last_received = 0.0
        # The Ping since which nothing was received, or the last one that something followed.
        self._asked: float | None = None
        self._next_ping: float | None = None
        self._had_grace = False

    def start(self, now: float) -> None:
        """The connection is open."""
        self.last_received = now
        if self.interval is not None:
            self._next_ping = now + self.interval

    def next_deadline(self) -> float | None:
        """When `on_time` has something to do next. Received bytes only ever move it later."""
        give_up = self._give_up_at
        if give_up is None or self._next_ping is None:
            return self._next_ping
        return min(give_up, self._next_ping)

    def on_time(self, now: float) -> HeartbeatAction:
        """What is due at `now`. The owner has read what there was to read before it calls."""
        deadline = self.next_deadline()
        if self.interval is None or deadline is None or now < deadline:
            return HeartbeatAction.NOTHING
        give_up = self._give_up_at
        if give_up is not None and now >= give_up:
            if now - give_up <= LATE or self._had_grace:
                return HeartbeatAction.GIVE_UP
            # This side was held up, so the silence proves nothing: ask once more.
            self._had_grace = True
            self._asked = now
        elif not self._unanswered:
            self._had_grace = False
            self._asked = now
        self._next_ping = now + self.interval
        return HeartbeatAction.PING

    def explain(self, now: float) -> str:
        """Why the peer was given up, and which side was late."""
        silence = now - self.last_received
        held_up = (
            "; this program was held up for more than a second, "
            "and a second Ping went unanswered too"
            if self._had_grace
            else ""
        )
        return (
            f"the peer sent nothing for {silence:.1f} s and did not answer a Ping within "
            f"ping_timeout={self.timeout:g} s{held_up}"
        )

    @property
    def _unanswered(self) -> bool:
        return self._asked is not None and self.last_received < self._asked

    @property
    def _give_up_at(self) -> float | None:
        if self._asked is None or self.timeout is None or not self._unanswered:
            return None
        return self._asked + self.timeout
