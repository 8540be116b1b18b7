"""Ctrl-C, wherever the program is → it ends at once, and says nothing."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

#: Seconds that a program may take to end, on a busy machine. Starting to end is immediate, the rest
#: is a goodbye; what it must not wait for (`close_timeout`, a dial) takes 10 s and more.
AT_ONCE = 8.0

WAITING = """
import sys, tieline
client = tieline.WebSocketClient(lambda message: None, sys.argv[1], proxy=None)
client.connect()
try:
    print("ready", flush=True)
    client.wait()
except KeyboardInterrupt:
    print("interrupted")
"""

RUNNING = """
import sys, tieline
class Client(tieline.WebSocketClient):
    def wait(self, timeout=None):
        print("ready", flush=True)  # not in on_open, when connect() may not have returned yet
        return super().wait(timeout)
client = Client(lambda message: None, sys.argv[1], proxy=None)
print("ended:", client.run_forever())
"""

DIALLING = """
import sys, tieline
from tieline import events
def tell(event):
    if isinstance(event, {event}):
        print("ready", flush=True)
client = tieline.WebSocketClient(sys.argv[1], proxy=None, on_event=tell)
try:
    print({call})
except KeyboardInterrupt:
    print("interrupted")
print(client.state, client.is_open())
"""


def interrupted(program: Any, source: str, url: str) -> str:
    """What the program prints after 'ready', when Ctrl-C is pressed there."""
    running = program(source, url, measured=False)
    running.wait_until_ready()
    running.press_ctrl_c()
    seconds, status, output = running.finish()
    assert seconds < AT_ONCE
    assert status == 0, output
    assert running.errors == ""
    return output


def test_wait(program: Any, echo: Any) -> None:
    assert interrupted(program, WAITING, echo.url) == "interrupted\n"


def test_run_forever_disconnects_and_returns(program: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        peer.send_close(1001)

    output = interrupted(program, RUNNING, scripted(script).url)
    assert output.startswith("ended: 1001")


def test_run_forever_does_not_wait_long_for_a_peer_that_does_not_answer(
    program: Any, scripted: Any
) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    assert "without a closing handshake" in interrupted(program, RUNNING, scripted(script).url)


IN_A_HANDLER = """
import logging, sys, threading, tieline
logging.disable()
def on_open(response):
    print("ready", flush=True)
    threading.Event().wait()
client = tieline.WebSocketClient(sys.argv[1], proxy=None, on_open=on_open)
info = client.run_forever()
print(type(info).__name__, info.sent.code)
"""


def test_run_forever_tells_how_it_ended_also_when_a_handler_does_not_return(
    program: Any, scripted: Any
) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        peer.hold()

    assert interrupted(program, IN_A_HANDLER, scripted(script).url) == "CloseInfo 1001\n"


def silent(peer: Any) -> None:
    peer.read_request()
    peer.hold()


@pytest.mark.parametrize(
    ("call", "output"),
    [
        ("client.connect()", "interrupted\nState.CLOSED False\n"),
        ("client.run_forever()", "None\nState.CLOSED False\n"),
    ],
)
def test_a_dial_to_a_server_that_stays_silent(
    program: Any, scripted: Any, call: str, output: str
) -> None:
    source = DIALLING.format(event="events.RequestEvent", call=call)
    assert interrupted(program, source, scripted(silent).url) == output


def test_a_dial_to_a_host_that_does_not_answer(program: Any, unanswering_port: int) -> None:
    source = DIALLING.format(event="events.ConnectingEvent", call="client.connect()")
    output = interrupted(program, source, f"ws://127.0.0.1:{unanswering_port}/")
    assert output == "interrupted\nState.CLOSED False\n"


LOOKING_UP = """
import socket, sys, threading, tieline
never = threading.Event()
def look_up(host, port, family=0, type=0, proto=0, flags=0):
    if flags & socket.AI_NUMERICHOST:
        raise socket.gaierror(socket.EAI_NONAME, "not numeric")
    print("ready", flush=True)
    never.wait()
socket.getaddrinfo = look_up
client = tieline.WebSocketClient(print, "ws://example.com/", proxy=None)
try:
    client.connect()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_name_look_up_that_does_not_end(program: Any) -> None:
    assert interrupted(program, LOOKING_UP, "") == "interrupted\n"


def test_a_send_that_waits_for_the_peer(program: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    source = """
    import sys, threading, tieline
    client = tieline.WebSocketClient(lambda message: None, sys.argv[1], proxy=None)
    client.connect()
    def watch():
        while not client.stats().buffered_bytes > 1 << 16:
            threading.Event().wait(0.01)
        print("ready", flush=True)
    threading.Thread(target=watch, daemon=True).start()
    piece = bytes(2 << 20)
    try:
        while True:
            client.send(piece)
    except KeyboardInterrupt:
        print("interrupted")
    client.disconnect(timeout=0.2)
    """
    assert interrupted(program, source, scripted(script).url) == "interrupted\n"


def test_a_handler_of_the_signal_that_disconnects(program: Any, echo: Any) -> None:
    """As programs with a handler for SIGTERM do: on top of whatever the main thread does."""
    source = """
    import signal, sys, tieline
    client = tieline.WebSocketClient(lambda message: None, sys.argv[1], proxy=None)
    pressed = []
    def stop(*_):
        pressed.append(1)
        client.disconnect()
    signal.signal(signal.SIGINT, stop)
    client.connect()
    print("ready", flush=True)
    try:
        while True:
            client.send("a" * 100)
    except tieline.ConnectionClosed:
        print("closed", len(pressed))
    print(client.wait(15).clean)
    """
    assert interrupted(program, source, echo.url) == "closed 1\nTrue\n"


def test_a_handler_of_the_signal_that_cancels_the_dial(program: Any, scripted: Any) -> None:
    source = """
    import signal, sys, tieline
    from tieline import events
    client = tieline.WebSocketClient(
        sys.argv[1], proxy=None,
        on_event=lambda event: isinstance(event, events.RequestEvent)
        and print("ready", flush=True))
    signal.signal(signal.SIGINT, lambda *_: client.disconnect())
    try:
        client.connect()
    except tieline.ConnectCancelled:
        print("cancelled")
    """
    assert interrupted(program, source, scripted(silent).url) == "cancelled\n"


def test_an_interrupted_wait_leaves_the_client_usable(program: Any, echo: Any) -> None:
    """The interrupt is raised in the middle of a wait, and the connection does not notice."""
    source = """
    import sys, threading, tieline
    client = tieline.WebSocketClient(lambda message: None, sys.argv[1], proxy=None)
    client.connect()
    try:
        threading.Timer(0.1, print, ["ready"], {"flush": True}).start()
        client.wait()
    except KeyboardInterrupt:
        print("interrupted")
    print(client.wait_for(lambda message: message == "still here", 15, send="still here"))
    client.disconnect()
    print(client.close_info.clean)
    """
    assert interrupted(program, source, echo.url) == "interrupted\nstill here\nTrue\n"
