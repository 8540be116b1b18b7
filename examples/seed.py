"""The two example programs of Qore's WebSocketClient, which tieline grew from, in Python.

    python examples/seed.py ws://127.0.0.1:8080/

Try it: `tieline serve --port 8080` in another terminal is its server.
The first gives everything in one mapping, the second the function and the options. Both say
something and hang up after half a second, where the originals listen until they are stopped.
"""

from __future__ import annotations

import sys
from datetime import datetime

import tieline


def event(message: str | bytes | None) -> None:
    if message is None:
        print("connection closed")
    else:
        print(f"{datetime.now():%Y-%m-%d %H:%M:%S.%f} msg: {message!r}")


def listen(client: tieline.WebSocketClient) -> None:
    client.send("hello")
    client.send(b"\x01\x02")
    try:
        client.wait(timeout=0.5)
    except TimeoutError:
        client.disconnect()


def first(url: str) -> None:
    client = tieline.WebSocketClient({"url": url, "callback": event})
    client.connect()
    listen(client)


def second(url: str) -> None:
    client = tieline.WebSocketClient(event, {"url": url})
    info: dict[str, object] = {}
    response = client.connect({"hdr": {"X-Program": "second"}}, info)
    print(f"status {response['status_code']}, {info['request-uri']}")
    listen(client)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    first(sys.argv[1])
    second(sys.argv[1])
