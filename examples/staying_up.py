"""A client that stays up: the server hangs up again and again, and nothing is lost on the way.

    python examples/staying_up.py ws://127.0.0.1:8080/ [OUTAGES]

Try it: `python examples/feed_server.py` in another terminal is a server that hangs up when it is
asked whether it is still there. Any other may be stopped and started meanwhile.
"""

from __future__ import annotations

import sys
import threading

import tieline

#: Seconds that the server gets to hang up, and to be there again.
PATIENCE = 30.0


class Line:
    """What the client tells. `came_back` is released after each outage."""

    def __init__(self, url: str) -> None:
        self.came_back = threading.Semaphore(0)
        self.client = tieline.WebSocketClient(
            url,
            on_open=self.on_open,
            on_message=lambda message: print("got", message),
            on_reconnecting=self.on_reconnecting,
            reconnect=tieline.Reconnect(initial=0.1, max_delay=5),
            offline="queue",
        )

    def on_open(self, response: tieline.HandshakeResponse) -> None:
        if response.reconnected:
            print("open again, dials:", response.attempts)
            self.came_back.release()
        else:
            print("open")

    def on_reconnecting(self, attempt: tieline.ReconnectAttempt) -> None:
        print(f"attempt {attempt.number}: {attempt.cause}")
        # There is no connection now, so this one waits for the next.
        self.client.send(f"written before attempt {attempt.number}")


def main(url: str, outages: int) -> None:
    line = Line(url)
    client = line.client
    # Said at the beginning of every connection, before anything else.
    client.subscribe("I am interested")
    with client:
        for _ in range(outages):
            client.send("are you still there?")
            if not line.came_back.acquire(timeout=PATIENCE):
                raise SystemExit("That server does not hang up.")
        client.wait_for(lambda message: message == "goodbye", timeout=PATIENCE, send="goodbye")
        stats = client.stats()
    print(f"{stats.reconnects} reconnects, {stats.offline_dropped} messages dropped")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)
