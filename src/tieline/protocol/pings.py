"""Pings that were sent → which of them a Pong answers (RFC 6455 section 5.5.3)."""

from __future__ import annotations

from collections import deque

from tieline.protocol.events import AnsweredPing


class PingLog:
    """The Pings that wait for their Pong, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[bytes, float, object]] = deque()

    def sent(self, data: bytes, now: float, token: object) -> None:
        """A Ping went out; `token` comes back when it is answered."""
        self._waiting.append((data, now, token))

    def answered(self, data: bytes, now: float) -> tuple[AnsweredPing, ...]:
        """The Pings that a Pong with `data` answers.

        A peer may answer only the most recent Ping, so those before the one that matches count as
        answered as well. A Pong that matches none is a one-way heartbeat and answers nothing.
        """
        for place, (sent_data, _, _) in enumerate(self._waiting):
            if sent_data == data:
                break
        else:
            return ()
        taken = [self._waiting.popleft() for _ in range(place + 1)]
        return tuple(AnsweredPing(token, now - sent_at) for _, sent_at, token in taken)
