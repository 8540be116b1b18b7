"""The asyncio front: connections that the running event loop serves.

    async with tieline.aio.connect("wss://example.com/feed") as ws:
        await ws.send("subscribe")
        async for message in ws:
            print(message)

The same options, errors, events and attributes as elsewhere; see `connect` and `Connection`.
"""

from __future__ import annotations

from tieline.aio.connection import Connecting, Connection, connect
from tieline.aio.pings import PingWaiter
from tieline.aio.streams import MessageStream

__all__ = ["Connecting", "Connection", "MessageStream", "PingWaiter", "connect"]
