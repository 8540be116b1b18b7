"""A Ping that was sent → the wait for its Pong."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from tieline.engine.waiting import wait_for_event
from tieline.option_checks import check_seconds


class Answer(ABC):
    """What becomes of one Ping: the round trip of its Pong, or the end of the connection."""

    def __init__(self) -> None:
        self._round_trip: float | None = None
        self._error: Exception | None = None

    def __repr__(self) -> str:
        if not self.done:
            return "<PingWaiter, waiting>"
        return f"<PingWaiter, {self._error or f'{self._round_trip:.6f} s'}>"

    @property
    def done(self) -> bool:
        """True once `wait` would not wait."""
        return self._round_trip is not None or self._error is not None

    def result(self) -> float:
        """The round trip in seconds, once it is done. Raises ConnectionClosed."""
        if self._error is not None:
            raise self._error
        assert self._round_trip is not None
        return self._round_trip

    def resolve(self, round_trip: float) -> None:
        """The Pong came."""
        self._round_trip = round_trip
        self.settled()

    def give_up(self, error: Exception) -> None:
        """The connection has ended."""
        if self._round_trip is None:
            self._error = self._error or error
        self.settled()  # again, if Ctrl-C kept it from being heard

    @abstractmethod
    def settled(self) -> None:
        """It is done: wake those who wait."""


class PingWaiter(Answer):
    """The wait for the Pong that answers one `ping()`. Usable from any thread."""

    def __init__(
        self, cannot_wait: Callable[[], bool], on_wait: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        # True where waiting might keep the Pong from being read.
        self._cannot_wait = cannot_wait
        # Somebody waits: the Pong has to be read soon.
        self._on_wait = on_wait
        self._answered = threading.Event()

    def wait(self, timeout: float | None = None) -> float:
        """The round trip in seconds.

        Raises `TimeoutError` when the Pong does not come within `timeout` seconds (None: wait as
        long as the connection lives), and `ConnectionClosed` when the connection ends first. May
        be called again, and by several threads. `RuntimeError` in a handler, which may hold up the
        thread that reads the Pong: use `on_pong` there.
        """
        limit = None if timeout is None else check_seconds("timeout", timeout)
        if not self.done and self._cannot_wait():
            raise RuntimeError(
                "PingWaiter.wait() in a handler would hold up the thread that reads the Pong: use "
                "on_pong, or wait in another thread"
            )
        if self._on_wait is not None and not self.done:
            self._on_wait()
        if not wait_for_event(self._answered, limit):
            raise TimeoutError(f"no Pong within {limit:g} s")
        return self.result()

    def settled(self) -> None:
        self._answered.set()
