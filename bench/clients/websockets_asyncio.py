"""websockets.asyncio: a loop over `recv` in a coroutine, on asyncio's event loop or uvloop's."""

from __future__ import annotations

from websockets.asyncio.client import connect as _connect
from websockets.version import version

from bench.clients.coroutines import Coroutines
from bench.clients.websockets_options import options

VERSION = f"websockets {version}"
LOADING = "from websockets.asyncio.client import connect"

_work = Coroutines(lambda task: _connect(task.url, **options(task)))
echo, receive, send = _work.echo, _work.receive, _work.send
paced, connect, idle = _work.paced, _work.connect, _work.idle
