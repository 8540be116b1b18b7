"""tieline.connect: a loop over `recv`, which serves the connection itself."""

from __future__ import annotations

from collections.abc import Iterable

import tieline
from bench.clients.tieline_build import version
from bench.deflate.clients.tieline_compression import compression
from bench.deflate.contestants import Settings
from bench.marker import MARKER
from bench.stopwatch import Stopwatch

VERSION = version("sync")


def receive(
    url: str, count: int, stopwatch: Stopwatch, settings: Settings
) -> tuple[int, int, str | bytes]:
    messages = characters = 0
    message: str | bytes = ""
    with tieline.connect(url, compression=compression(settings)) as connection:
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
    with tieline.connect(url, compression=compression(settings)) as connection:
        stopwatch.start()
        for message in messages:
            connection.send(message)
        connection.ping(MARKER)
        answer = connection.recv()
        stopwatch.stop()
    return answer
