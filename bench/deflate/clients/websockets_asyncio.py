"""websockets.asyncio: a loop over `recv` in a coroutine."""

from __future__ import annotations

from websockets.asyncio.client import connect
from websockets.version import version

from bench.deflate.clients.websockets_like import WebsocketsLike

VERSION = f"websockets {version} asyncio"

_work = WebsocketsLike(connect)
receive, send = _work.receive, _work.send
