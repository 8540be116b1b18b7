"""tieline.WebSocketClient: callbacks from its background thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import islice
from typing import Any

import tieline
from bench.clients.tieline_options import VERSION as VERSION
from bench.clients.tieline_options import options
from bench.task import Task, Unsupported

LOADING = "from tieline import WebSocketClient"

#: Seconds that a run may take.
_PATIENCE = 60.0


class _Waiting:
    """What the main thread waits for, and what it is then told."""

    def __init__(self) -> None:
        self._finished = threading.Event()
        self._answer: Any = None

    def finish(self, answer: Any) -> None:
        self._answer = answer
        self._finished.set()

    def result(self) -> Any:
        if not self._finished.wait(_PATIENCE):
            raise SystemExit(f"not done after {_PATIENCE:g} s")
        return self._answer


def _client(task: Task, on_message: Callable[[Any], object], **more: Any) -> Any:
    return tieline.WebSocketClient(on_message=on_message, url=task.url, **options(task), **more)


def echo(task: Task) -> Any:
    waiting = _Waiting()
    payload, count, answers = task.payload, task.count, 0

    def on_message(message: bytes) -> None:
        nonlocal answers
        answers += 1
        if answers < count:
            client.send(payload)
        else:
            task.stop()
            waiting.finish(message)

    with _client(task, on_message) as client:
        task.start()
        client.send(payload)
        return waiting.result()


def receive(task: Task) -> Any:
    waiting = _Waiting()
    count = task.count
    messages = total = 0

    def on_message(message: str | bytes) -> None:
        nonlocal messages, total
        messages += 1
        total += len(message)
        if messages == count:
            task.stop()
            waiting.finish((messages, total, message))

    reactor = tieline.Reactor() if task.crowd else None
    with ExitStack() as stack:
        for _ in range(task.crowd):
            stack.enter_context(_client(task.idle, len, reactor=reactor))
        client = stack.enter_context(_client(task, on_message, reactor=reactor))
        task.start()
        client.send("go")
        return waiting.result()


def paced(task: Task) -> None:
    waiting = _Waiting()

    def on_message(message: str) -> None:
        task.delays.append(time.monotonic_ns() - int(message))
        if len(task.delays) == task.count:
            task.stop()
            waiting.finish(None)

    reactor = tieline.Reactor() if task.flooded else None
    with ExitStack() as stack:
        if task.flooded:
            stack.enter_context(_client(task.flood, len, reactor=reactor)).send("go")
        client = stack.enter_context(_client(task, on_message, reactor=reactor))
        task.start()
        client.send("go")
        waiting.result()


def stream(task: Task) -> Any:
    waiting = _Waiting()

    def on_message(message: Iterable[str | bytes]) -> None:
        total = sum(map(len, message))
        task.stop()
        waiting.finish(total)

    with _client(task, on_message, streaming=True) as client:
        task.start()
        client.send("go")
        return waiting.result()


def send(task: Task) -> Any:
    def send_each(client: Any) -> None:
        for message in task.messages:
            client.send(message)

    return _send(task, send_each)


def send_many(task: Task) -> Any:
    def send_all(client: Any) -> None:
        client.send_many(task.messages)

    if not hasattr(tieline.WebSocketClient, "send_many"):
        raise Unsupported("this tieline has no send_many()")
    return _send(task, send_all)


def send_fragments(task: Task) -> Any:
    def send_one(client: Any) -> None:
        client.send(task.pieces())

    return _send(task, send_one)


def _send(task: Task, say: Callable[[Any], None]) -> Any:
    waiting = _Waiting()

    def on_message(message: str) -> None:
        task.stop()
        waiting.finish(message)

    task.messages  # noqa: B018 - a big one is made before the watch is started
    with _client(task, on_message) as client:
        task.start()
        say(client)
        return waiting.result()


def send_corked(task: Task) -> Any:
    waiting = _Waiting()
    messages, batch = iter(task.messages), task.batch

    def on_message(message: str) -> None:
        if message != "go":
            task.stop()
            waiting.finish(message)
            return
        send = client.send
        for payload in islice(messages, batch):
            send(payload)

    client = _client(task, on_message)
    task.start()
    with client:
        return waiting.result()


def connect(task: Task) -> None:
    def one() -> None:
        client = _client(task, len)
        client.connect()
        client.disconnect(1000)

    one()  # what the first one loads is not what connecting costs
    task.start()
    for _ in range(task.count):
        one()
    task.stop()


def idle(task: Task) -> None:
    news = threading.Semaphore(0)
    # What is loaded with the first connection is no connection's.
    reactor = tieline.Reactor()

    def on_message(message: str) -> None:
        news.release()

    def opened() -> Any:
        client = _client(task, on_message, reactor=reactor)
        client.connect()
        return client

    def exchange(clients: list[Any]) -> None:
        messages = task.compressible()
        for number in range(task.exchanged):
            for client in clients:
                client.send(messages[number])
            for _ in clients:
                news.acquire(timeout=_PATIENCE)

    warm = [opened() for _ in range(2)]
    exchange(warm)
    task.start()
    clients = [opened() for _ in range(task.count)]
    task.stop()
    exchange(clients)
    task.result["threads"] = threading.active_count()
    task.weigh()
    task.leave()
