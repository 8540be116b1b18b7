"""tieline.connect: a loop over `recv`, which serves the connection itself."""

from __future__ import annotations

import tieline
from bench.clients.tieline_build import version
from bench.stopwatch import Stopwatch

VERSION = version("sync")


def receive(url: str, count: int, stopwatch: Stopwatch) -> tuple[int, int]:
    messages = characters = 0
    with tieline.connect(url, compression=None) as connection:
        stopwatch.start()
        connection.send("go")
        for message in connection:
            messages += 1
            characters += len(message)
            if messages == count:
                stopwatch.stop()
                break
    return messages, characters


def echo(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> str | bytes:
    with tieline.connect(url, compression=None) as connection:
        stopwatch.start()
        for _ in range(count):
            connection.send(payload)
            answer = connection.recv()
        stopwatch.stop()
    return answer


def send(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> str | bytes:
    with tieline.connect(url, compression=None) as connection:
        stopwatch.start()
        for _ in range(count):
            connection.send(payload)
        answer = connection.recv()
        stopwatch.stop()
    return answer
