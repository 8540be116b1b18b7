"""tieline.WebSocketClient: callbacks from its background thread."""

from __future__ import annotations

import threading

import tieline
from bench.clients.tieline_build import version
from bench.stopwatch import Stopwatch

VERSION = version("callback")

#: Seconds that a run may take.
_PATIENCE = 60.0


def receive(url: str, count: int, stopwatch: Stopwatch) -> tuple[int, int]:
    finished = threading.Event()
    messages = characters = 0

    def on_message(message: str) -> None:
        nonlocal messages, characters
        messages += 1
        characters += len(message)
        if messages == count:
            stopwatch.stop()
            finished.set()

    with tieline.WebSocketClient(on_message=on_message, url=url, compression=None) as client:
        stopwatch.start()
        client.send("go")
        finished.wait(_PATIENCE)
    return messages, characters


def echo(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> bytes:
    finished = threading.Event()
    answers = 0
    last = b""

    def on_message(message: bytes) -> None:
        nonlocal answers, last
        answers += 1
        if answers < count:
            client.send(payload)
        else:
            stopwatch.stop()
            last = message
            finished.set()

    client = tieline.WebSocketClient(on_message=on_message, url=url, compression=None)
    with client:
        stopwatch.start()
        client.send(payload)
        finished.wait(_PATIENCE)
    return last


def send(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> str:
    finished = threading.Event()
    answer = ""

    def on_message(message: str) -> None:
        nonlocal answer
        stopwatch.stop()
        answer = message
        finished.set()

    with tieline.WebSocketClient(on_message=on_message, url=url, compression=None) as client:
        stopwatch.start()
        for _ in range(count):
            client.send(payload)
        finished.wait(_PATIENCE)
    return answer
