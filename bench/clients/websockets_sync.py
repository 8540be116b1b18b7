"""websockets.sync: a loop over `recv`, with a background thread that reads."""

from __future__ import annotations

from typing import Any

from websockets.sync.client import connect as _connect
from websockets.version import version

from bench.clients.blocking import Blocking
from bench.clients.websockets_options import options
from bench.task import Task, Unsupported

VERSION = f"websockets {version}"
LOADING = "from websockets.sync.client import connect"
#: A thread for each connection: more of them measure the system.
_MOST_THREADS = 2000


def _open(task: Task) -> Any:
    return _connect(task.url, **options(task))


_work = Blocking(_open)
echo, receive, send = _work.echo, _work.receive, _work.send
paced, connect = _work.paced, _work.connect


def idle(task: Task) -> None:
    if task.count > _MOST_THREADS:
        raise Unsupported("a thread for each connection")
    _work.idle(task)
