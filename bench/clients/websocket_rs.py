"""websocket-rs on an event loop: its callback for receiving, coroutines for the rest.

It hands over views of its memory; what a program keeps is made of them, as everywhere else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from websocket_rs import connect as _connect

from bench.clients.coroutines import open_many, run_on_loop
from bench.task import Task, Unsupported

VERSION = f"websocket-rs {version('websocket-rs')}"
LOADING = "import asyncio, websocket_rs"
#: Bytes that are sent between two turns of the loop: the client knows no back-pressure.
_BURST = 1 << 18


async def _open(task: Task, **more: Any) -> Any:
    if task.ssl_context is not None:
        more["ssl_context"] = task.ssl_context
    return await _connect(task.url, compression=task.deflate, **more)


def echo(task: Task) -> Any:
    async def run() -> Any:
        payload = task.payload
        connection = await _open(task)
        task.start()
        for _ in range(task.count):
            connection.send(payload)
            answer = bytes(await connection.recv())
        task.stop()
        connection.close()
        return answer

    return run_on_loop(task, run())


def receive(task: Task) -> Any:
    messages = total = 0
    count, text = task.count, task.text

    def take(view: Any) -> Any:
        nonlocal messages, total
        message = str(view, "utf-8") if text else bytes(view)
        messages += 1
        total += len(message)
        if messages == count:
            task.stop()
            return messages, total, message
        return None

    return _receive(task, take)


def paced(task: Task) -> None:
    def take(view: Any) -> Any:
        task.delays.append(time.monotonic_ns() - int(str(view, "utf-8")))
        if len(task.delays) == task.count:
            task.stop()
            return True
        return None

    _receive(task, take)


def _receive(task: Task, take: Callable[[Any], Any]) -> Any:
    """Until `take` returns something."""

    def take_flood(view: Any) -> None:
        str(view, "utf-8")

    async def run() -> Any:
        done = asyncio.get_running_loop().create_future()

        def on_message(view: Any) -> None:
            outcome = take(view)
            if outcome is not None:
                done.set_result(outcome)

        others = await open_many(task.crowd, lambda: _open(task.idle))
        if task.flooded:
            others.append(await _open(task.flood, on_message=take_flood))
            others[0].send("go")
        connection = await _open(task, on_message=on_message)
        task.start()
        connection.send("go")
        outcome = await done
        for each in (connection, *others):
            each.close()
        return outcome

    return run_on_loop(task, run())


def send(task: Task) -> Any:
    async def run() -> Any:
        step = max(1, _BURST // max(task.size, 16))
        connection = await _open(task)
        task.start()
        for number, message in enumerate(task.messages, 1):
            connection.send(message)
            if number % step == 0:
                await asyncio.sleep(0)
        answer = str(await connection.recv(), "utf-8")
        task.stop()
        connection.close()
        return answer

    return run_on_loop(task, run())


def connect(task: Task) -> None:
    async def one() -> None:
        connection = await _open(task)
        connection.close()
        while not connection.closed:
            await asyncio.sleep(0)

    async def run() -> None:
        await one()  # what the first one loads is not what connecting costs
        task.start()
        for _ in range(task.count):
            await one()
        task.stop()

    run_on_loop(task, run())


def idle(task: Task) -> None:
    async def run() -> None:
        if task.exchanged:
            raise Unsupported("not written for it")

        async def one() -> Any:
            return await _open(task)

        warm = await open_many(2, one)
        task.start()
        connections = await open_many(task.count, one)
        task.stop()
        task.weigh()
        assert len(warm + connections) == task.count + 2
        task.leave()

    run_on_loop(task, run())
