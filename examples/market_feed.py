"""A subscription, its acknowledgement, some ticks, and the counters at the end.

    python examples/market_feed.py ws://127.0.0.1:8080/

Try it: `python examples/feed_server.py` in another terminal is the server that it needs.
"""

from __future__ import annotations

import json
import sys
import threading

import tieline

TICKS_WANTED = 100


class Feed:
    """The last price of each symbol. `enough` is set after `TICKS_WANTED` ticks."""

    def __init__(self) -> None:
        self.prices: dict[str, float] = {}
        self.ticks = 0
        self.enough = threading.Event()

    def on_message(self, message: str | bytes) -> None:
        tick = json.loads(message)
        if tick.get("type") != "tick":
            return
        self.prices[tick["symbol"]] = tick["price"]
        self.ticks += 1
        if self.ticks >= TICKS_WANTED:
            self.enough.set()

    def on_close(self, info: tieline.CloseInfo) -> None:
        self.enough.set()  # nothing more will come


def main(url: str) -> None:
    feed = Feed()
    with tieline.WebSocketClient(url, on_message=feed.on_message, on_close=feed.on_close) as client:
        # The first thing that such a server says.
        acknowledgement = json.loads(
            client.wait_for(
                lambda message: True,
                timeout=5,
                send=json.dumps({"op": "subscribe", "symbols": ["ABC", "XYZ"]}),
            )
        )
        if acknowledgement.get("type") != "subscribed":
            raise SystemExit(f"{acknowledgement}\nDoes that server send prices?")
        print("subscribed:", acknowledgement["symbols"])
        if not feed.enough.wait(timeout=30):
            print("the market is quiet")
        stats = client.stats()
    for symbol, price in sorted(feed.prices.items()):
        print(f"{symbol} {price:.2f}")
    print(
        f"{stats.messages_received} messages, {stats.payload_bytes_received} bytes of content, "
        f"{stats.wire_bytes_received} bytes on the wire"
    )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
