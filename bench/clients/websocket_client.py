"""websocket-client: callbacks of WebSocketApp for receiving, a plain loop for the rest."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import websocket

from bench.clients.blocking import Blocking
from bench.task import Task, Unsupported

VERSION = f"websocket-client {websocket.__version__}"
LOADING = "import websocket"


def _tls(task: Task) -> dict[str, Any] | None:
    if task.deflate:
        raise Unsupported("no permessage-deflate")
    return None if task.ssl_context is None else {"context": task.ssl_context}


def _open(task: Task) -> websocket.WebSocket:
    return websocket.create_connection(task.url, sslopt=_tls(task))


_work = Blocking(_open)
connect, idle = _work.connect, _work.idle


def echo(task: Task) -> Any:
    payload = task.payload
    with closing(_open(task)) as connection:
        task.start()
        for _ in range(task.count):
            connection.send_binary(payload)
            answer = connection.recv()
        task.stop()
    return answer


def receive(task: Task) -> Any:
    messages = total = 0
    last: Any = None

    def on_message(app: websocket.WebSocketApp, message: str | bytes) -> None:
        nonlocal messages, total, last
        messages += 1
        total += len(message)
        if messages == task.count:
            task.stop()
            last = message

    crowd = [_open(task.idle) for _ in range(task.crowd)]
    _run(task, on_message)
    for idle_connection in crowd:
        idle_connection.close()
    return messages, total, last


def paced(task: Task) -> None:
    task.refuse_flood()

    def on_message(app: websocket.WebSocketApp, message: str) -> None:
        task.delays.append(time.monotonic_ns() - int(message))
        if len(task.delays) == task.count:
            task.stop()

    _run(task, on_message)


def _run(task: Task, on_message: Any) -> None:
    """Until the server closes."""

    def on_open(app: websocket.WebSocketApp) -> None:
        task.start()
        app.send("go")

    app = websocket.WebSocketApp(task.url, on_open=on_open, on_message=on_message)
    app.run_forever(sslopt=_tls(task))


def send(task: Task) -> Any:
    messages = task.messages
    with closing(_open(task)) as connection:
        say = connection.send if task.text else connection.send_binary
        task.start()
        for message in messages:
            say(message)
        answer = connection.recv()
        task.stop()
    return answer
