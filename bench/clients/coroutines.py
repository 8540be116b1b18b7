"""A way to open a connection with awaitable `send` and `recv` → the works, on an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from bench.task import Task

#: Connections that are opened at the same time.
_AT_ONCE = 50


class Coroutines:
    """`open_connection` makes what `async with` and `await` both take."""

    def __init__(self, open_connection: Callable[[Task], Any]) -> None:
        self._open = open_connection

    async def _opened(self, task: Task) -> Any:
        return await self._open(task)

    def echo(self, task: Task) -> Any:
        async def run() -> Any:
            payload = task.payload
            answer = None
            async with self._open(task) as connection:
                task.start()
                for _ in range(task.count):
                    await connection.send(payload)
                    answer = await connection.recv()
                task.stop()
            return answer

        return run_on_loop(task, run())

    def receive(self, task: Task) -> tuple[int, int, Any]:
        async def run() -> tuple[int, int, Any]:
            messages = total = 0
            count = task.count
            message: Any = None
            crowd = await open_many(task.crowd, lambda: self._opened(task.idle))
            async with self._open(task) as connection:
                task.start()
                await connection.send("go")
                async for message in connection:
                    messages += 1
                    total += len(message)
                    if messages == count:
                        break
                    message = None  # as a callback lets go of it: its memory is for the next one
                task.stop()
            for idle in crowd:
                await idle.close()
            return messages, total, message

        return run_on_loop(task, run())

    def paced(self, task: Task) -> None:
        async def take_flood() -> None:
            async with self._open(task.flood) as connection:
                await connection.send("go")
                async for _ in connection:
                    pass

        async def run() -> None:
            flood = asyncio.create_task(take_flood()) if task.flooded else None
            async with self._open(task) as connection:
                task.start()
                await connection.send("go")
                for _ in range(task.count):
                    message = await connection.recv()
                    task.delays.append(time.monotonic_ns() - int(message))
                task.stop()
            await cancelled(flood)

        run_on_loop(task, run())

    def send(self, task: Task) -> Any:
        async def run() -> Any:
            messages = task.messages
            async with self._open(task) as connection:
                task.start()
                for message in messages:
                    await connection.send(message)
                answer = await connection.recv()
                task.stop()
            return answer

        return run_on_loop(task, run())

    def connect(self, task: Task) -> None:
        async def run() -> None:
            async with self._open(task):
                pass  # what the first one loads is not what connecting costs
            task.start()
            for _ in range(task.count):
                async with self._open(task):
                    pass
            task.stop()

        run_on_loop(task, run())

    def idle(self, task: Task) -> None:
        async def run() -> None:
            async def one() -> Any:
                return await self._opened(task)

            async def exchange(connections: list[Any]) -> None:
                messages = task.compressible()
                for number in range(task.exchanged):
                    for connection in connections:
                        await connection.send(messages[number])
                        await connection.recv()

            # What is loaded with the first connection is no connection's.
            warm = await open_many(2, one)
            await exchange(warm)
            task.start()
            connections = await open_many(task.count, one)
            task.stop()
            await exchange(connections)
            task.weigh()
            task.leave()

        run_on_loop(task, run())


def run_on_loop(task: Task, work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=task.new_loop) as runner:
        return runner.run(work)


async def cancelled(flood: asyncio.Task[None] | None) -> None:
    """It has ended, or there was none."""
    if flood is not None:
        flood.cancel()
        with suppress(asyncio.CancelledError):
            await flood


async def open_many(count: int, one: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
    opened: list[Any] = []
    while len(opened) < count:
        now = min(_AT_ONCE, count - len(opened))
        opened += await asyncio.gather(*(one() for _ in range(now)))
    return opened
