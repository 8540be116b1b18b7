"""websocket-rs, its blocking client: a loop over `recv`. Python 3.12 and later."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from websocket_rs.sync.client import connect as _connect

from bench.clients.blocking import Blocking
from bench.task import Task, Unsupported

VERSION = f"websocket-rs {version('websocket-rs')}"
LOADING = "from websocket_rs.sync.client import connect"


def _open(task: Task) -> Any:
    if task.deflate:
        raise Unsupported("no permessage-deflate in the blocking client")
    if task.ssl_context is not None:
        raise Unsupported("the blocking client cannot be given an authority to trust")
    return _connect(task.url)


_work = Blocking(_open)
echo, send, paced = _work.echo, _work.send, _work.paced
connect, idle = _work.connect, _work.idle


def receive(task: Task) -> Any:
    messages = total = 0
    count = task.count
    connection = _open(task)
    recv = connection.recv
    task.start()
    connection.send("go")
    while messages < count:
        message = recv()
        messages += 1
        total += len(message)
    task.stop()
    connection.close()
    return messages, total, message
