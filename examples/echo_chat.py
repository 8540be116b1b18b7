"""Lines of standard input → messages; messages → lines of standard output. Ends with the input.

    printf 'hello\\nhow are you\\n' | python examples/echo_chat.py ws://127.0.0.1:8080/

Try it: `tieline serve --port 8080` in another terminal is its server.
"""

from __future__ import annotations

import sys

import tieline


def show(mark: str, text: object) -> None:
    # One write for the whole line: two threads call this.
    sys.stdout.write(f"{mark} {text}\n")
    sys.stdout.flush()


def main(url: str) -> None:
    with tieline.WebSocketClient(url, on_message=lambda text: show("<", text)) as client:
        try:
            for line in sys.stdin:
                show(">", line.rstrip("\n"))
                client.send(line.rstrip("\n"))
            # A server answers a Ping after what came before it: the last echo is here by then.
            client.ping().wait(timeout=5)
        except tieline.ConnectionClosed as error:
            print("the server has hung up:", error.close_info)
    print("closed:", client.close_info)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
