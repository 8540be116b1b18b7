"""A Ping that was sent → the awaitable of its Pong."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

from tieline.aio.waiters import Waiters
from tieline.engine.pings import Answer
from tieline.option_checks import check_seconds


class PingWaiter(Answer):
    """The wait for the Pong that answers one `ping()`: await it, or its `wait(timeout)`."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._waiters = Waiters()

    async def wait(self, timeout: float | None = None) -> float:
        """The round trip in seconds.

        Raises `TimeoutError` when the Pong does not come within `timeout` seconds (None: wait as
        long as the connection lives), and `ConnectionClosed` when the connection ends first. May
        be called again, and by several tasks; cancelling it loses nothing.
        """
        limit = None if timeout is None else check_seconds("timeout", timeout)
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this Ping was sent on another event loop: wait for its Pong there")
        if not self.done:
            try:
                await self._waiters.wait(limit)
            except TimeoutError:
                if not self.done:
                    raise TimeoutError(f"no Pong within {limit:g} s") from None
        return self.result()

    def __await__(self) -> Generator[Any, None, float]:
        return self.wait().__await__()

    def settled(self) -> None:
        self._waiters.wake()
