"""An asyncio `connect` in the manner of websockets' → the work, done with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from bench.deflate.contestants import Settings
from bench.marker import MARKER
from bench.stopwatch import Stopwatch


class WebsocketsLike:
    def __init__(self, connect: Callable[..., Any]) -> None:
        self._connect = connect

    def receive(
        self, url: str, count: int, stopwatch: Stopwatch, settings: Settings
    ) -> tuple[int, int, str | bytes]:
        async def run() -> tuple[int, int, str | bytes]:
            messages = characters = 0
            message: str | bytes = ""
            async with self._connect(url, proxy=None) as connection:
                stopwatch.start()
                await connection.send("go")
                async for message in connection:
                    messages += 1
                    characters += len(message)
                    if messages == count:
                        stopwatch.stop()
                        break
            return messages, characters, message

        with asyncio.Runner(loop_factory=settings.new_loop) as runner:
            return runner.run(run())

    def send(
        self, url: str, messages: Iterable[str], stopwatch: Stopwatch, settings: Settings
    ) -> str | bytes:
        async def run() -> str | bytes:
            async with self._connect(url, proxy=None) as connection:
                stopwatch.start()
                for message in messages:
                    await connection.send(message)
                await connection.ping(MARKER)
                answer: str | bytes = await connection.recv()
                stopwatch.stop()
            return answer

        with asyncio.Runner(loop_factory=settings.new_loop) as runner:
            return runner.run(run())
