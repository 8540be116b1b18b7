"""Requests and their answers, in a plain script: each answer awaited, none of them for ever.

    python examples/ask.py ws://127.0.0.1:8080/

Try it: `python examples/feed_server.py` in another terminal is the server that it needs.
The server is asked in JSON and answers in JSON; what else it says meanwhile is skipped.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import tieline


def ask(ws: tieline.Connection, number: int, method: str, timeout: float = 5.0) -> Any:
    """The result that the server gives for one request. Raises TimeoutError, ValueError."""
    ws.send_json({"id": number, "method": method})
    deadline = time.monotonic() + timeout
    while True:
        answer = ws.recv_json(timeout=max(0.0, deadline - time.monotonic()))
        if answer.get("id") == number:
            if "result" not in answer:
                raise ValueError(f"no result in the answer to {method!r}: {answer}")
            return answer["result"]


def main(url: str) -> None:
    try:
        with tieline.connect(url, connect_timeout=10) as ws:
            print("status:", ask(ws, 1, "status"))
            print("users:", ask(ws, 2, "users"))
            try:
                ask(ws, 3, "silence", timeout=0.2)
            except TimeoutError:
                print("no answer to the third")
            print("status:", ask(ws, 4, "status"))  # the connection is as good as before
    except tieline.ConnectError as error:
        raise SystemExit(f"no connection: {error}") from None
    except tieline.ConnectionClosed as closed:
        raise SystemExit(f"the server has gone: {closed.close_info}") from None
    except ValueError as error:
        raise SystemExit(f"{error}\nDoes that server only echo?") from None
    print("closed:", ws.close_info)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
