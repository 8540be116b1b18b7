"""Many connections on one event loop. The first that fails ends them all.

    python examples/many.py ws://127.0.0.1:8080/ [HOW_MANY]

Try it: `python examples/feed_server.py` in another terminal is the server that it needs.
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
        acknowledgement = await ws.recv_json(timeout=PATIENCE)
        if acknowledgement.get("type") != "subscribed":
            raise ValueError(f"not the acknowledgement of a subscription: {acknowledgement}")
        price = 0.0
        for _ in range(ticks):
            price = (await ws.recv_json(timeout=PATIENCE))["price"]
        return price


async def main(url: str, how_many: int) -> None:
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            feeds = [group.create_task(read(url, f"S{n}", ticks=100)) for n in range(how_many)]
    except* (tieline.WebSocketError, TimeoutError, ValueError) as errors:
        failure = errors.exceptions[0]
    if failure is not None:
        raise SystemExit(f"{failure}\nDoes that server send prices?")
    for number, feed in enumerate(feeds[:3]):
        print(f"S{number} {feed.result():.2f}")
    print(f"{how_many} feeds read, on one thread")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10))
