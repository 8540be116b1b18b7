"""websockets.sync: a loop over `recv`, with a background thread that reads."""

from __future__ import annotations

from collections.abc import Iterable

from websockets.sync.client import connect
from websockets.version import version

from bench.deflate.contestants import Settings
from bench.marker import MARKER
from bench.stopwatch import Stopwatch

VERSION = f"websockets {version} sync"


def receive(
    url: str, count: int, stopwatch: Stopwatch, settings: Settings
) -> tuple[int, int, str | bytes]:
    messages = characters = 0
    message: str | bytes = ""
    with connect(url, proxy=None) as connection:
        stopwatch.start()
        connection.send("go")
        for message in connection:
            messages += 1
            characters += len(message)
            if messages == count:
                stopwatch.stop()
                break
    return messages, characters, message


def send(
    url: str, messages: Iterable[str], stopwatch: Stopwatch, settings: Settings
) -> str | bytes:
    with connect(url, proxy=None) as connection:
        stopwatch.start()
        for message in messages:
            connection.send(message)
        connection.ping(MARKER)
        answer = connection.recv()
        stopwatch.stop()
    return answer
