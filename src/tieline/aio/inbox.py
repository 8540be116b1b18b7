"""Messages that came → messages that are awaited, by any number of tasks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from tieline.aio.waiters import Waiters
from tieline.engine.inbox import Inbox


class LoopInbox(Inbox):
    """An inbox whose news wakes tasks. Belongs to the loop's thread."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._receivers = Waiters()
        self._closers = Waiters()

    reader = staticmethod(asyncio.current_task)

    def tell(self) -> None:
        # Who waits for a chunk of one message is not served by another message.
        self._receivers.wake(None if self.has_ended or self.is_streaming else len(self))

    def finish(self, finished: Callable[[], None]) -> None:
        super().finish(finished)
        self._closers.wake()

    async def arrival(self, timeout: float | None) -> None:
        """Wait for news. Raises TimeoutError."""
        await self._receivers.wait(timeout)

    async def finished(self, finished: threading.Event, timeout: float) -> bool:
        """Wait until it is set, `timeout` seconds at most. True when it is."""
        try:
            async with asyncio.timeout(timeout):
                while not finished.is_set():
                    await self._closers.wait()  # or another connection has finished
        except TimeoutError:
            pass  # the answer says so
        return finished.is_set()
