"""picows.websockets: picows behind the interface of websockets, on both event loops."""

from __future__ import annotations

from importlib.metadata import version

from picows.websockets.asyncio.client import connect as _connect

from bench.clients.coroutines import Coroutines
from bench.clients.websockets_options import options

VERSION = f"picows {version('picows')}"
LOADING = "from picows.websockets.asyncio.client import connect"

_work = Coroutines(lambda task: _connect(task.url, **options(task)))
echo, receive, send = _work.echo, _work.receive, _work.send
paced, connect, idle = _work.paced, _work.connect, _work.idle
