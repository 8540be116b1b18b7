"""The time → when the application's own heartbeat is due."""

from __future__ import annotations


class Heartbeat:
    """A message every `interval` seconds (None: never), the first one interval after the open."""

    __slots__ = ("_interval", "due_at")

    def __init__(self, interval: float | None) -> None:
        self._interval = interval
        #: When the next one is due; None before the start, or for ever.
        self.due_at: float | None = None

    def start(self, now: float) -> None:
        """The connection is open."""
        if self._interval is not None:
            self.due_at = now + self._interval

    def is_due(self, now: float) -> bool:
        """Is one due? True once for each. Those that were missed are not made up for."""
        due_at, interval = self.due_at, self._interval
        if due_at is None or interval is None or now < due_at:
            return False
        # In step with the first one, unless a whole interval was missed.
        due_at += interval
        self.due_at = due_at if due_at > now else now + interval
        return True
