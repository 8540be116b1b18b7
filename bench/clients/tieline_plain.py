"""tieline.connect: a loop over `recv`, which serves the connection itself."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import tieline
from bench.clients.blocking import Blocking
from bench.clients.tieline_options import VERSION as VERSION
from bench.clients.tieline_options import options
from bench.task import Task, Unsupported

LOADING = "from tieline import connect"


def _open(task: Task) -> tieline.sync.Connection:
    return tieline.connect(task.url, **options(task))


_work = Blocking(_open)
echo, receive, send = _work.echo, _work.receive, _work.send
paced, connect, idle = _work.paced, _work.connect, _work.idle


def stream(task: Task) -> int:
    with closing(_open(task)) as connection:
        task.start()
        connection.send("go")
        total = sum(map(len, connection.recv_stream()))
        task.stop()
    return total


def send_many(task: Task) -> Any:
    messages = task.messages
    with closing(_open(task)) as connection:
        if not hasattr(connection, "send_many"):
            raise Unsupported("this tieline has no send_many()")
        task.start()
        connection.send_many(messages)
        answer = connection.recv()
        task.stop()
    return answer


def send_fragments(task: Task) -> Any:
    with closing(_open(task)) as connection:
        task.start()
        connection.send(task.pieces())
        answer = connection.recv()
        task.stop()
    return answer
