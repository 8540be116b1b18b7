"""aiohttp: a loop over `receive` in a coroutine."""

from __future__ import annotations

import asyncio

import aiohttp

from bench.stopwatch import Stopwatch

VERSION = f"aiohttp {aiohttp.__version__}"


def receive(url: str, count: int, stopwatch: Stopwatch) -> tuple[int, int]:
    async def run() -> tuple[int, int]:
        messages = characters = 0
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as connection:
            stopwatch.start()
            await connection.send_str("go")
            async for message in connection:
                messages += 1
                characters += len(message.data)
                if messages == count:
                    stopwatch.stop()
                    break
        return messages, characters

    return asyncio.run(run())


def echo(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> bytes:
    async def run() -> bytes:
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as connection:
            stopwatch.start()
            for _ in range(count):
                await connection.send_bytes(payload)
                answer = await connection.receive_bytes()
            stopwatch.stop()
        return answer

    return asyncio.run(run())


def send(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> str:
    async def run() -> str:
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as connection:
            stopwatch.start()
            for _ in range(count):
                await connection.send_bytes(payload)
            answer = await connection.receive_str()
            stopwatch.stop()
        return answer

    return asyncio.run(run())
