"""aiohttp: a loop over `receive` in a coroutine; compression has to be asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from importlib import import_module

import aiohttp

from bench.deflate.contestants import Settings
from bench.marker import MARKER
from bench.stopwatch import Stopwatch

VERSION = f"aiohttp {aiohttp.__version__}"

_MODULES = {"isal": "isal.isal_zlib", "zlib-ng": "zlib_ng.zlib_ng", "zlib": "zlib"}
#: Its value is the size of the window that is offered; this is the largest, and the usual one.
_COMPRESS = 15


def receive(url: str, count: int, stopwatch: Stopwatch, settings: Settings) -> tuple[int, int, str]:
    async def run() -> tuple[int, int, str]:
        messages = characters = 0
        text = ""
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, compress=_COMPRESS) as connection,
        ):
            stopwatch.start()
            await connection.send_str("go")
            async for message in connection:
                text = message.data
                messages += 1
                characters += len(text)
                if messages == count:
                    stopwatch.stop()
                    break
        return messages, characters, text

    _choose_backend(settings)
    with asyncio.Runner(loop_factory=settings.new_loop) as runner:
        return runner.run(run())


def send(url: str, messages: Iterable[str], stopwatch: Stopwatch, settings: Settings) -> str:
    async def run() -> str:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, compress=_COMPRESS) as connection,
        ):
            stopwatch.start()
            for message in messages:
                await connection.send_str(message)
            await connection.ping(MARKER)
            answer = await connection.receive_str()
            stopwatch.stop()
        return answer

    _choose_backend(settings)
    with asyncio.Runner(loop_factory=settings.new_loop) as runner:
        return runner.run(run())


def _choose_backend(settings: Settings) -> None:
    if settings.backend is not None:
        aiohttp.set_zlib_backend(import_module(_MODULES[settings.backend]))
