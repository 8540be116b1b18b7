"""tieline.WebSocketClient: callbacks from its background thread."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import tieline
from bench.clients.tieline_build import version
from bench.deflate.clients.tieline_compression import compression
from bench.deflate.contestants import Settings
from bench.marker import MARKER
from bench.stopwatch import Stopwatch

VERSION = version("callback")

#: Seconds that a run may take.
_PATIENCE = 60.0


def receive(url: str, count: int, stopwatch: Stopwatch, settings: Settings) -> tuple[int, int, str]:
    finished = threading.Event()
    messages = characters = 0
    last = ""

    def on_message(message: str) -> None:
        nonlocal messages, characters, last
        messages += 1
        characters += len(message)
        if messages == count:
            stopwatch.stop()
            last = message
            finished.set()

    client = tieline.WebSocketClient(
        on_message=on_message, url=url, compression=compression(settings)
    )
    with client:
        stopwatch.start()
        client.send("go")
        finished.wait(_PATIENCE)
    return messages, characters, last


def send(url: str, messages: Iterable[str], stopwatch: Stopwatch, settings: Settings) -> str:
    finished = threading.Event()
    answer = ""

    def on_message(message: str) -> None:
        nonlocal answer
        stopwatch.stop()
        answer = message
        finished.set()

    client = tieline.WebSocketClient(
        on_message=on_message, url=url, compression=compression(settings)
    )
    with client:
        stopwatch.start()
        for message in messages:
            client.send(message)
        client.ping(MARKER)
        finished.wait(_PATIENCE)
    return answer
