"""A Ping that was sent → the wait for its Pong."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tieline.engine.waiting import wait_for_event


class PingWaiter:
    """The wait for the Pong that answers one `ping()`. Usable from any thread."""

    def __init__(self, cannot_wait: Callable[[], bool]) -> None:
        # True where waiting might keep the Pong from being read.
        self._cannot_wait = cannot_wait
        self._answered = threading.Event()
        self._round_trip = 0.0
        self._error: Exception | None = None

    def wait(self, timeout: float | None = None) -> float:
        """The round trip in seconds.

        Raises `TimeoutError` when the Pong does not come within `timeout` seconds (None: wait as
        long as the connection lives), and `ConnectionClosed` when the connection ends first. May
        be called again, and by several threads. `RuntimeError` in a handler, which may hold up the
        thread that reads the Pong: use `on_pong` there.
        """
        if not self._answered.is_set() and self._cannot_wait():
            raise RuntimeError(
                "PingWaiter.wait() in a handler would hold up the thread that reads the Pong: use "
                "on_pong, or wait in another thread"
            )
        if not wait_for_event(self._answered, timeout):
            raise TimeoutError(f"no Pong within {timeout:g} s")
        if self._error is not None:
            raise self._error
        return self._round_trip

    def __repr__(self) -> str:
        if not self._answered.is_set():
            return "<PingWaiter, waiting>"
        return f"<PingWaiter, {self._error or f'{self._round_trip:.6f} s'}>"

    @property
    def done(self) -> bool:
        """True once `wait` would not wait."""
        return self._answered.is_set()

    def resolve(self, round_trip: float) -> None:
        """The Pong came."""
        self._round_trip = round_trip
        self._answered.set()

    def give_up(self, error: Exception) -> None:
        """The connection has ended."""
        if not self._answered.is_set():
            self._error = error
            self._answered.set()
