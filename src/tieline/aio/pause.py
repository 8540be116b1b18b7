"""A wait of a task → one that can be ended from any thread, and from a finalizer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tieline.engine.waiting import SLICE


class LoopPause:
    """What `engine.pause.Pause` is for a thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._is_over = False
        self._woken: asyncio.Future[None] | None = None

    async def wait(self, seconds: float, on_news: Callable[[], None]) -> bool:
        """Wait for so long. False: it was interrupted, now or before.

        `on_news` is called on the loop, and the wait goes on.
        """
        deadline = self._loop.time() + seconds
        while not self._is_over:
            self._woken = self._loop.create_future()
            try:
                async with asyncio.timeout_at(min(deadline, self._loop.time() + SLICE)):
                    await self._woken
            except TimeoutError:  # time is news as well
                if self._loop.time() >= deadline:
                    return not self._is_over
            if not self._is_over:
                on_news()
        return False

    def interrupt(self) -> None:
        self._is_over = True
        self._wake_up()

    def bring_news(self) -> None:
        self._wake_up()

    def _wake_up(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            pass  # the loop is closed, and nobody waits on it

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)
