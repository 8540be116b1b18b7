"""Slow handlers on a thread pool: the connection stays lively, and the order is kept.

    python examples/executor.py ws://127.0.0.1:8080/

Try it: `tieline serve --port 8080` in another terminal is its server.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import tieline

MESSAGES = 5


def say(text: str) -> None:
    # One write for the whole line: two threads call this.
    sys.stdout.write(text + "\n")


def main(url: str) -> None:
    done = threading.Event()

    def work(message: str) -> None:
        time.sleep(0.05)  # stands for a database, a disk, a computation
        say(f"worked on {message}, on {threading.current_thread().name}")
        if message == f"job {MESSAGES - 1}":
            done.set()

    with (
        ThreadPoolExecutor(max_workers=2, thread_name_prefix="worker") as pool,
        tieline.WebSocketClient(url, on_message=work, executor=pool) as client,
    ):
        for number in range(MESSAGES):
            client.send(f"job {number}")
        # Answered by the background thread, while the worker works.
        round_trip = client.ping().wait(timeout=5)
        say(f"ping answered after {round_trip * 1000:.1f} ms")
        if not done.wait(timeout=10):
            raise SystemExit("the work was not done")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
