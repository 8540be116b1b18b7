"""The server that ask.py, many.py, market_feed.py, staying_up.py and others talk to.

    python examples/feed_server.py [PORT]

Port 8080 unless another is given, 0 for a free one; ends with Ctrl-C. It answers requests, sends
prices to who subscribes, hangs up on who asks whether it is still there, and echoes all else. It
is made of the server that comes with tieline for tests and demonstrations.
"""

from __future__ import annotations

import json
import sys

from tieline.testing import EchoConnection, EchoServer

TICKS = 100


def answer(connection: EchoConnection, message: str | bytes) -> str | bytes | None:
    """What goes back for a message; None: nothing more."""
    if message == "are you still there?":
        connection.send("yes")
        connection.close(1001, "no")
        return None
    try:
        request = json.loads(message)
    except ValueError:
        return message
    match request:
        case {"op": "subscribe", "symbols": [_, *_] as symbols}:
            connection.send(json.dumps({"type": "subscribed", "symbols": symbols}))
            for number in range(TICKS):
                symbol, price = symbols[number % len(symbols)], 100 + number / 10
                tick = {"type": "tick", "symbol": symbol, "price": price}
                connection.send(json.dumps(tick))
            return None
        case {"id": number, "method": method}:
            connection.send(json.dumps({"event": "somebody else came"}))
            if method == "silence":
                return None
            return json.dumps({"id": number, "result": f"{method} as asked"})
    return message


def main(port: int) -> None:
    with EchoServer(port=port, on_message=answer) as server:
        try:
            print(server.url, flush=True)
            server.wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
