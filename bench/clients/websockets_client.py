"""websockets.sync: a loop over `recv`, with a background thread that reads."""

from __future__ import annotations

from websockets.sync.client import connect
from websockets.version import version

from bench.stopwatch import Stopwatch

VERSION = f"websockets {version} (sync)"


def receive(url: str, count: int, stopwatch: Stopwatch) -> tuple[int, int]:
    messages = characters = 0
    with connect(url, compression=None) as connection:
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
    with connect(url, compression=None) as connection:
        stopwatch.start()
        for _ in range(count):
            connection.send(payload)
            answer = connection.recv()
        stopwatch.stop()
    return answer


def send(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> str | bytes:
    with connect(url, compression=None) as connection:
        stopwatch.start()
        for _ in range(count):
            connection.send(payload)
        answer = connection.recv()
        stopwatch.stop()
    return answer
