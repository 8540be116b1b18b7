"""Tasks that wait → woken in order, and no wake-up is lost with a task that is cancelled."""

from __future__ import annotations

import asyncio
from collections import deque

from tieline.engine.unsent import NONE_YET, Queue


class Waiters:
    """Belongs to the loop's thread."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: Queue[asyncio.Future[None]] = NONE_YET

    async def wait(self, timeout: float | None = None) -> None:
        """Wait to be woken. Raises TimeoutError after `timeout` seconds."""
        future = asyncio.get_running_loop().create_future()
        futures = self._futures
        if isinstance(futures, tuple):
            self._futures = futures = deque()
        futures.append(future)
        try:
            if timeout is None:
                await future
            else:
                async with asyncio.timeout(timeout):
                    await future
        except BaseException:
            if future in futures:
                futures.remove(future)
            else:
                self.wake(1)  # it was meant for whoever goes on
            raise

    def wake(self, count: int | None = None) -> None:
        """Wake the first `count` (None: all) of those that wait."""
        futures = self._futures
        left = len(futures) if count is None else count
        while futures and left > 0:
            future = futures.popleft()
            # After the end of the loop nobody waits any more.
            if not future.done() and not future.get_loop().is_closed():
                future.set_result(None)
                left -= 1
