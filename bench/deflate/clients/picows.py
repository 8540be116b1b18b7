"""picows.websockets: its interface in the manner of websockets', because its own has no deflate."""

from __future__ import annotations

from importlib.metadata import version

from picows.websockets.asyncio.client import connect

from bench.deflate.clients.websockets_like import WebsocketsLike

VERSION = f"picows.websockets {version('picows')}"

_work = WebsocketsLike(connect)
receive, send = _work.receive, _work.send
