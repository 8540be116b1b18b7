"""A program that connects again when the server hangs up, a few times, and more and more slowly.

    python examples/reconnect_by_hand.py ws://127.0.0.1:8080/ [ROUNDS]

Try it: `python examples/feed_server.py` in another terminal is a server that hangs up; from any
other the program disconnects after a while.

`connect()` works again after every end and every failure, so this is a loop and no more. The option
`reconnect=` does it in the background, and better: see staying_up.py.
"""

from __future__ import annotations

import sys
import time

import tieline

LONGEST_PAUSE = 5.0

#: Seconds that the server gets to hang up.
PATIENCE = 10.0


def main(url: str, rounds: int) -> None:
    client = tieline.WebSocketClient(print, url, connect_timeout=5)
    pause = 0.1
    for _ in range(rounds):
        try:
            client.connect()
        except tieline.ConnectError as error:
            print("not connected:", error)
        else:
            pause = 0.1
            client.send("are you still there?")
            try:
                print("it ended:", client.wait(timeout=PATIENCE))
            except TimeoutError:
                client.disconnect()
                print(f"still there after {PATIENCE:g} s, ended here:", client.close_info)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    print(f"{client.stats().connects} connections in {rounds} rounds")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)
