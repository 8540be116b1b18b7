"""A URL and what to answer → one conversation, on the front of tieline that is asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

import tieline

#: What is sent in return for a message; None: nothing.
Answer = Callable[[str | bytes], str | bytes | None]
NewLoop = Callable[[], asyncio.AbstractEventLoop]

NAMES = ("callback", "sync", "aio")
LOOPS = ("asyncio", "uvloop")


class Talk(Protocol):
    """Connects, answers every message, and returns when the server has closed the connection.

    Returns the errors of answers that could not be sent. Raises `tieline.ConnectError`, and
    `TimeoutError` when the server has not closed after `timeout` seconds.
    """

    def __call__(
        self, url: str, answer: Answer, timeout: float, **options: Any
    ) -> list[tieline.WebSocketError]: ...


def front(name: str, loop: str = "asyncio") -> Talk:
    """The front of this name; `loop` is what "aio" runs on. Raises ImportError without uvloop."""
    if name == "callback":
        return _talk_in_callbacks
    if name == "sync":
        return _talk_in_a_loop
    if loop == "asyncio":
        return _talk_in_a_task(asyncio.new_event_loop)
    import uvloop

    return _talk_in_a_task(uvloop.new_event_loop)


def _talk_in_callbacks(
    url: str, answer: Answer, timeout: float, **options: Any
) -> list[tieline.WebSocketError]:
    unsent: list[tieline.WebSocketError] = []

    def on_message(message: str | bytes) -> None:
        reply = answer(message)
        if reply is not None:
            try:
                client.send(reply)
            except tieline.WebSocketError as error:
                unsent.append(error)

    client = tieline.WebSocketClient(on_message=on_message, url=url, **options)
    client.connect(timeout=timeout)
    try:
        client.wait(timeout)
    except TimeoutError:
        client.disconnect(timeout=1)
        raise
    return unsent


def _talk_in_a_loop(
    url: str, answer: Answer, timeout: float, **options: Any
) -> list[tieline.WebSocketError]:
    unsent: list[tieline.WebSocketError] = []
    deadline = time.monotonic() + timeout
    connection = tieline.connect(url, connect_timeout=timeout, **options)
    try:
        while True:
            try:
                message = connection.recv(max(0.0, deadline - time.monotonic()))
            except tieline.ConnectionClosed:
                return unsent
            reply = answer(message)
            if reply is not None:
                try:
                    connection.send(reply)
                except tieline.ConnectionClosed:
                    continue  # the server's Close came right behind its message
                except tieline.WebSocketError as error:
                    unsent.append(error)
    finally:
        connection.close(timeout=1)


def _talk_in_a_task(new_loop: NewLoop) -> Talk:
    async def talk(
        url: str, answer: Answer, timeout: float, **options: Any
    ) -> list[tieline.WebSocketError]:
        unsent: list[tieline.WebSocketError] = []
        connection = await tieline.aio.connect(url, connect_timeout=timeout, **options)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        message = await connection.recv()
                    except tieline.ConnectionClosed:
                        return unsent
                    reply = answer(message)
                    if reply is not None:
                        try:
                            await connection.send(reply)
                        except tieline.ConnectionClosed:
                            continue
                        except tieline.WebSocketError as error:
                            unsent.append(error)
        finally:
            await connection.close(timeout=1)

    def run(
        url: str, answer: Answer, timeout: float, **options: Any
    ) -> list[tieline.WebSocketError]:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(talk(url, answer, timeout, **options))

    return run
