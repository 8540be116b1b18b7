"""A way to open a connection with `send`, `recv` and `close` → the works, on the calling thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from bench.task import Task


class Blocking:
    def __init__(self, open_connection: Callable[[Task], Any]) -> None:
        self._open = open_connection

    def echo(self, task: Task) -> Any:
        payload = task.payload
        answer = None
        with closing(self._open(task)) as connection:
            task.start()
            for _ in range(task.count):
                connection.send(payload)
                answer = connection.recv()
            task.stop()
        return answer

    def receive(self, task: Task) -> tuple[int, int, Any]:
        messages = total = 0
        count = task.count
        message: Any = None
        crowd = [self._open(task.idle) for _ in range(task.crowd)]
        with closing(self._open(task)) as connection:
            task.start()
            connection.send("go")
            for message in connection:
                messages += 1
                total += len(message)
                if messages == count:
                    break
                message = None  # as a callback lets go of it: its memory is for the next one
            task.stop()
        for idle in crowd:
            idle.close()
        return messages, total, message

    def paced(self, task: Task) -> None:
        task.refuse_flood()
        with closing(self._open(task)) as connection:
            task.start()
            connection.send("go")
            for _ in range(task.count):
                message = connection.recv()
                task.delays.append(time.monotonic_ns() - int(message))
            task.stop()

    def send(self, task: Task) -> Any:
        messages = task.messages
        with closing(self._open(task)) as connection:
            task.start()
            for message in messages:
                connection.send(message)
            answer = connection.recv()
            task.stop()
        return answer

    def connect(self, task: Task) -> None:
        self._open(task).close()  # what the first one loads is not what connecting costs
        task.start()
        for _ in range(task.count):
            self._open(task).close()
        task.stop()

    def idle(self, task: Task) -> None:
        # What is loaded with the first connection is no connection's.
        warm = [self._open(task) for _ in range(2)]
        self._exchange(task, warm)
        task.start()
        connections = [self._open(task) for _ in range(task.count)]
        task.stop()
        self._exchange(task, connections)
        task.weigh()
        task.leave()

    @staticmethod
    def _exchange(task: Task, connections: list[Any]) -> None:
        messages = task.compressible()
        for number in range(task.exchanged):
            for connection in connections:
                connection.send(messages[number])
                connection.recv()
