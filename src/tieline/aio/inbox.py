"""Messages that came → messages that are awaited, by any number of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tieline.aio.arrivals import Arrivals
from tieline.aio.loop_reactor import running_loop_reactor
from tieline.aio.waiters import Waiters
from tieline.engine.inbox import Inbox
from tieline.engine.locks import ReentrantLock
from tieline.engine.stock import Owner
from tieline.engine.waiting import News, Once


class LoopInbox(Inbox):
    """An inbox whose news wakes tasks. Belongs to the loop that runs when it is made."""

    __slots__ = ("_closers", "arrivals")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        #: The short way to the messages, and those who wait for some.
        self.arrivals = Arrivals(self, running_loop_reactor())
        self._closers = Waiters()

    def news_of(self, owner: Owner | None) -> News:
        """Its own: here messages are kept under the session's lock, see `keep`."""
        return News(ReentrantLock())

    reader = staticmethod(asyncio.current_task)

    def tell(self) -> None:
        arrivals = self.arrivals
        if arrivals.waiting:
            # Who waits for a chunk of one message is not served by another message.
            is_for_all = self.has_ended or self.is_streaming
            arrivals.tell(len(arrivals.waiting) if is_for_all else len(self))

    def took_one(self) -> None:
        """A message was taken, while `was_full`: is there room again?"""
        if len(self._messages) <= self.few:
            self.look_for_room()

    def finish(self, finished: Callable[[], None]) -> None:
        super().finish(finished)
        self._closers.wake()

    async def arrival(self, timeout: float | None) -> None:
        """Wait for news. Raises TimeoutError."""
        arrivals = self.arrivals
        arrival = arrivals.news()
        timer = None if timeout is None else arrivals.loop.call_later(timeout, arrival.wake)
        try:
            await arrival
        except BaseException:
            arrivals.left(arrival)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if arrival in arrivals.waiting:
            arrivals.forget(arrival)
            raise TimeoutError

    async def finished(self, finished: Once, timeout: float) -> bool:
        """Wait until it is set, `timeout` seconds at most. True when it is."""
        try:
            async with asyncio.timeout(timeout):
                while not finished.is_set():
                    await self._closers.wait()  # or another connection has finished
        except TimeoutError:
            pass  # the answer says so
        return finished.is_set()
