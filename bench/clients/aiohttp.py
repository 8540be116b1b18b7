"""aiohttp: a loop over `receive` in a coroutine, on asyncio's event loop or uvloop's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from bench.clients.coroutines import cancelled, open_many, run_on_loop
from bench.task import Task, Unsupported

VERSION = f"aiohttp {aiohttp.__version__}"
LOADING = "import asyncio, aiohttp"

#: The size of the window that is offered: the largest, and the usual one. It has to be asked for.
_COMPRESS = 15


def _options(task: Task) -> dict[str, Any]:
    options: dict[str, Any] = {"max_msg_size": 0, "compress": _COMPRESS if task.deflate else 0}
    if task.ssl_context is not None:
        options["ssl"] = task.ssl_context
    return options


@asynccontextmanager
async def _opened(task: Task) -> AsyncIterator[Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(task.url, **_options(task)) as connection,
    ):
        yield connection


def echo(task: Task) -> Any:
    async def run() -> Any:
        payload = task.payload
        async with _opened(task) as connection:
            task.start()
            for _ in range(task.count):
                await connection.send_bytes(payload)
                answer = await connection.receive_bytes()
            task.stop()
        return answer

    return run_on_loop(task, run())


def receive(task: Task) -> Any:
    async def run() -> Any:
        messages = total = 0
        count = task.count
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session, AsyncExitStack() as stack:
            for _ in range(task.crowd):
                await stack.enter_async_context(session.ws_connect(task.idle.url, **_options(task)))
            async with session.ws_connect(task.url, **_options(task)) as connection:
                task.start()
                await connection.send_str("go")
                async for message in connection:
                    messages += 1
                    total += len(message.data)
                    if messages == count:
                        break
                    message = None  # as a callback lets go of it: its memory is for the next one
                task.stop()
        return messages, total, message.data

    return run_on_loop(task, run())


def send(task: Task) -> Any:
    async def run() -> Any:
        messages = task.messages
        async with _opened(task) as connection:
            task.start()
            say = connection.send_str if task.text else connection.send_bytes
            for message in messages:
                await say(message)
            answer = await connection.receive_str()
            task.stop()
        return answer

    return run_on_loop(task, run())


def paced(task: Task) -> None:
    async def take_flood() -> None:
        async with _opened(task.flood) as connection:
            await connection.send_str("go")
            async for _ in connection:
                pass

    async def run() -> None:
        flood = asyncio.create_task(take_flood()) if task.flooded else None
        async with _opened(task) as connection:
            task.start()
            await connection.send_str("go")
            for _ in range(task.count):
                message = await connection.receive_str()
                task.delays.append(time.monotonic_ns() - int(message))
            task.stop()
        await cancelled(flood)

    run_on_loop(task, run())


def connect(task: Task) -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(task.url, **_options(task)):
                pass  # what the first one loads is not what connecting costs
            task.start()
            for _ in range(task.count):
                async with session.ws_connect(task.url, **_options(task)):
                    pass
            task.stop()

    run_on_loop(task, run())


def idle(task: Task) -> None:
    async def run() -> None:
        if task.exchanged:
            raise Unsupported("not written for it")
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one() -> Any:
                return await session.ws_connect(task.url, **_options(task))

            warm = await open_many(2, one)
            task.start()
            connections = await open_many(task.count, one)
            task.stop()
            task.weigh()
            assert len(warm + connections) == task.count + 2
            task.leave()

    run_on_loop(task, run())
