"""tieline.aio: a loop over `recv` in a coroutine, on asyncio's event loop or uvloop's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import tieline
from bench.clients.tieline_build import version
from bench.deflate.clients.tieline_compression import compression
from bench.deflate.contestants import Settings
from bench.marker import MARKER
from bench.stopwatch import Stopwatch

VERSION = version("asyncio")


def receive(
    url: str, count: int, stopwatch: Stopwatch, settings: Settings
) -> tuple[int, int, str | bytes]:
    async def run() -> tuple[int, int, str | bytes]:
        messages = characters = 0
        message: str | bytes = ""
        async with tieline.aio.connect(url, compression=compression(settings)) as connection:
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
    url: str, messages: Iterable[str], stopwatch: Stopwatch, settings: Settings
) -> str | bytes:
    async def run() -> str | bytes:
        async with tieline.aio.connect(url, compression=compression(settings)) as connection:
            stopwatch.start()
            for message in messages:
                await connection.send(message)
            await connection.ping(MARKER)
            answer = await connection.recv()
            stopwatch.stop()
        return answer

    with asyncio.Runner(loop_factory=settings.new_loop) as runner:
        return runner.run(run())
