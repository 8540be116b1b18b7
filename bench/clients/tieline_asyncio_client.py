"""tieline.aio: a loop over `recv` in a coroutine, on asyncio's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import tieline
from bench.clients.tieline_build import version
from bench.stopwatch import Stopwatch

T = TypeVar("T")

VERSION = version("asyncio")


class Work:
    """The three kinds of work, on loops that `new_loop` makes."""

    def __init__(self, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._new_loop = new_loop

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=self._new_loop) as runner:
            return runner.run(work)

    def receive(self, url: str, count: int, stopwatch: Stopwatch) -> tuple[int, int]:
        async def run() -> tuple[int, int]:
            messages = characters = 0
            async with tieline.aio.connect(url, compression=None) as connection:
                stopwatch.start()
                await connection.send("go")
                async for message in connection:
                    messages += 1
                    characters += len(message)
                    if messages == count:
                        stopwatch.stop()
                        break
            return messages, characters

        return self._run(run())

    def echo(self, url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> str | bytes:
        async def run() -> str | bytes:
            async with tieline.aio.connect(url, compression=None) as connection:
                stopwatch.start()
                for _ in range(count):
                    await connection.send(payload)
                    answer = await connection.recv()
                stopwatch.stop()
            return answer

        return self._run(run())

    def send(self, url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> str | bytes:
        async def run() -> str | bytes:
            async with tieline.aio.connect(url, compression=None) as connection:
                stopwatch.start()
                for _ in range(count):
                    await connection.send(payload)
                answer = await connection.recv()
                stopwatch.stop()
            return answer

        return self._run(run())


_work = Work(asyncio.new_event_loop)
receive, echo, send = _work.receive, _work.echo, _work.send
