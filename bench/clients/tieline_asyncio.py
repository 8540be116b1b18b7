"""tieline.aio: a loop over `recv` in a coroutine, on asyncio's event loop or uvloop's."""

from __future__ import annotations

from typing import Any

import tieline
from bench.clients.coroutines import Coroutines, run_on_loop
from bench.clients.tieline_options import VERSION as VERSION
from bench.clients.tieline_options import options
from bench.task import Task, Unsupported

LOADING = "from tieline.aio import connect"


def _open(task: Task) -> Any:
    return tieline.aio.connect(task.url, **options(task))


_work = Coroutines(_open)
echo, receive, send = _work.echo, _work.receive, _work.send
paced, connect, idle = _work.paced, _work.connect, _work.idle


def stream(task: Task) -> int:
    async def run() -> int:
        total = 0
        async with _open(task) as connection:
            task.start()
            await connection.send("go")
            async for chunk in connection.recv_stream():
                total += len(chunk)
            task.stop()
        return total

    return run_on_loop(task, run())


def send_many(task: Task) -> Any:
    async def run() -> Any:
        messages = task.messages
        async with _open(task) as connection:
            if not hasattr(connection, "send_many"):
                raise Unsupported("this tieline has no send_many()")
            task.start()
            await connection.send_many(messages)
            answer = await connection.recv()
            task.stop()
        return answer

    return run_on_loop(task, run())


def send_fragments(task: Task) -> Any:
    async def run() -> Any:
        async with _open(task) as connection:
            task.start()
            await connection.send(task.pieces())
            answer = await connection.recv()
            task.stop()
        return answer

    return run_on_loop(task, run())
