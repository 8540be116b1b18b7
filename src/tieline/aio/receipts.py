"""A message that was handed over → the awaitable of its way to the kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from tieline.aio.waiters import Waiters
from tieline.engine.receipts import Fate
from tieline.option_checks import check_seconds

if TYPE_CHECKING:
    from tieline.aio.loop_reactor import LoopReactor


class Receipt(Fate):
    """What ``send(..., receipt=True)`` gives: await it, or its `wait(timeout)`, on its loop.

    It tells that the message left this program, not that the peer has it: only the peer can.
    """

    def __init__(self, reactor: LoopReactor) -> None:
        super().__init__()
        self._reactor = reactor
        self._waiters = Waiters()

    async def wait(self, timeout: float | None = None) -> None:
        """Return when all bytes of the message are with the kernel.

        Raises `TimeoutError` when they are not within `timeout` seconds (None: wait as long as it
        can come about), `ConnectionClosed` when the connection ended first and the message was not
        queued for the next one (the text tells if it may have arrived), and for a queued message
        that was dropped an error that says why (`SendBufferFull`, `ConnectionClosed`). May be
        called again, and by several tasks; cancelling it changes nothing. What a transport of
        the loop's has taken (on Windows), and the kernel not yet, counts as not sent.
        """
        limit = None if timeout is None else check_seconds("timeout", timeout)
        if asyncio.get_running_loop() is not self._reactor.loop:
            raise RuntimeError("this message was sent on another event loop: wait for it there")
        while not self.done:
            try:
                await self._waiters.wait(limit)
            except TimeoutError:
                if not self.done:
                    raise TimeoutError(
                        f"not with the kernel after {limit:g} s; it still may be sent"
                    ) from None
        self.result()

    def __await__(self) -> Generator[Any, None, None]:
        return self.wait().__await__()

    def settled(self) -> None:
        if self._reactor.in_thread():
            self._waiters.wake()
        else:
            self._reactor.post(self._waiters.wake)
