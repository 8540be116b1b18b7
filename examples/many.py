"""Many connections on one event loop. The first that fails ends them all.

python examples/many.py wss://example.com/feed [HOW_MANY]
"""

from __future__ import annotations

import asyncio
import sys

import tieline

#: Seconds that any one message may take to come.
PATIENCE = 10.0


async def read(url: str, symbol: str, ticks: int) -> float:
    """The last of so many prices of one symbol."""
    async with tieline.aio.connect(url) as ws:
        await ws.send_json({"op": "subscribe", "symbols": [symbol]})
        await ws.recv_json(timeout=PATIENCE)  # the server's acknowledgement
        price = 0.0
        for _ in range(ticks):
            price = (await ws.recv_json(timeout=PATIENCE))["price"]
        return price


async def main(url: str, how_many: int) -> None:
    async with asyncio.TaskGroup() as group:
        feeds = [group.create_task(read(url, f"S{n}", ticks=100)) for n in range(how_many)]
    for number, feed in enumerate(feeds[:3]):
        print(f"S{number} {feed.result():.2f}")
    print(f"{how_many} feeds read, on one thread")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10))
