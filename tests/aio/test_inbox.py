"""LoopInbox: news wakes as many tasks as there are messages, the end wakes all."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from tieline.aio.inbox import LoopInbox
from tieline.engine.callbacks import Callbacks
from tieline.engine.handlers import Handlers


def inbox(max_queue: int = 10) -> LoopInbox:
    callbacks = Callbacks(Handlers(), logging.getLogger("tieline"))
    return LoopInbox(callbacks, None, max_queue)


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_news(run: Any) -> None:
    async def main() -> None:
        box = inbox()
        tasks = [asyncio.ensure_future(box.arrival(None)) for _ in range(4)]
        await settle()
        box.messages(["a", "b"])
        await settle()
        assert [task.done() for task in tasks] == [True, True, False, False]
        assert [box.take(), box.take()] == ["a", "b"]
        box.end(None)
        await asyncio.gather(*tasks)
        with pytest.raises(TimeoutError):
            await box.arrival(0.001)

    run(main())


def test_the_end(run: Any) -> None:
    async def main() -> None:
        box, finished = inbox(), threading.Event()
        assert not await box.finished(finished, 0.001)
        waiting = asyncio.ensure_future(box.finished(finished, 5))
        await settle()
        box.finish(finished.set)
        assert await waiting and await box.finished(finished, 0)

    run(main())
