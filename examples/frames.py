"""Frames before they become messages: look at them, leave some out, stop at one.

    python examples/frames.py ws://127.0.0.1:8080/

Try it: `tieline serve --port 8080` in another terminal is its server.
"""

from __future__ import annotations

import sys

import tieline
from tieline import FrameAction, Opcode


def on_frame(frame: tieline.Frame) -> FrameAction:
    print("frame:", frame)
    if frame.payload == b"secret":
        return FrameAction.SKIP  # no message comes of it
    if frame.payload == b"enough":
        return FrameAction.STOP  # nothing more is delivered, and the connection is closed
    return FrameAction.PROCESS


def main(url: str) -> None:
    client = tieline.WebSocketClient(
        url, on_frame=on_frame, on_message=lambda message: print("message:", message)
    )
    client.connect()
    client.send("hello")
    client.send("secret")
    # One message in two frames, made by hand; an iterable does the same: send(["by ", "hand"]).
    client.send_frame("by ", Opcode.TEXT, fin=False)
    client.send_frame("hand", Opcode.CONTINUATION)
    client.send("enough")
    try:
        client.send("too late")
    except tieline.ConnectionClosed:
        pass  # the server's answer to "enough" has come already
    print("closed:", client.wait(timeout=5))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
