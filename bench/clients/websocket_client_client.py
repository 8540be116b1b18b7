"""websocket-client: callbacks of WebSocketApp for receiving, a plain loop for the rest."""

from __future__ import annotations

import websocket

from bench.stopwatch import Stopwatch

VERSION = f"websocket-client {websocket.__version__}"


def receive(url: str, count: int, stopwatch: Stopwatch) -> tuple[int, int]:
    messages = characters = 0

    def on_open(app: websocket.WebSocketApp) -> None:
        stopwatch.start()
        app.send("go")

    def on_message(app: websocket.WebSocketApp, message: str) -> None:
        nonlocal messages, characters
        messages += 1
        characters += len(message)
        if messages == count:
            stopwatch.stop()

    websocket.WebSocketApp(url, on_open=on_open, on_message=on_message).run_forever()
    return messages, characters


def echo(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> str | bytes:
    connection = websocket.create_connection(url)
    stopwatch.start()
    for _ in range(count):
        connection.send_binary(payload)
        answer = connection.recv()
    stopwatch.stop()
    connection.close()
    return answer


def send(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> str | bytes:
    connection = websocket.create_connection(url)
    stopwatch.start()
    for _ in range(count):
        connection.send_binary(payload)
    answer = connection.recv()
    stopwatch.stop()
    connection.close()
    return answer
