"""Many connections, one background thread.

    python examples/shared_reactor.py ws://127.0.0.1:8080/ [HOW_MANY]

Try it: `tieline serve --port 8080` in another terminal is its server.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack

import tieline


def main(url: str, how_many: int) -> None:
    reactor = tieline.Reactor()
    answers = [0] * how_many
    threads = set()
    all_answered = threading.Event()

    def receiver(number: int) -> Callable[[str | bytes], None]:
        def on_message(message: str | bytes) -> None:
            # One thread calls all of them, so this needs no lock.
            answers[number] += 1
            threads.add(threading.current_thread())
            if all(answers):
                all_answered.set()

        return on_message

    with ExitStack() as stack:
        clients = [
            stack.enter_context(
                tieline.WebSocketClient(url, on_message=receiver(number), reactor=reactor)
            )
            for number in range(how_many)
        ]
        for client in clients:
            client.send("hello")
        if not all_answered.wait(timeout=10):
            raise SystemExit(f"answered: {sum(answers)} of {how_many}")
    print(f"{how_many} connections answered, on {len(threads)} thread")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20)
