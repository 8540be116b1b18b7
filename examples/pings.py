"""Round trips, measured by Ping and Pong.

    python examples/pings.py ws://127.0.0.1:8080/ [HOW_MANY]

Try it: `tieline serve --port 8080` in another terminal is its server.
The heartbeat (`ping_interval`, `ping_timeout`) pings by itself when the line is quiet, and ends a
connection whose peer has gone silent.
"""

from __future__ import annotations

import sys

import tieline


def main(url: str, how_many: int) -> None:
    pongs: list[bytes] = []
    client = tieline.WebSocketClient(
        url,
        on_pong=pongs.append,
        on_ping=lambda data: print("the server pings:", data),  # it is answered already
        ping_interval=10,
        ping_timeout=10,
    )
    with client:
        for number in range(how_many):
            try:
                seconds = client.ping(f"number {number}".encode()).wait(timeout=5)
            except TimeoutError:
                print("no pong within 5 seconds")
            else:
                print(f"{seconds * 1000:.2f} ms")
        client.pong(b"a heartbeat that wants no answer")
        latency = client.stats().latency
    print("content of the pongs:", pongs)
    print(f"{latency.count} round trips, the longest {(latency.max or 0) * 1000:.2f} ms")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5)
