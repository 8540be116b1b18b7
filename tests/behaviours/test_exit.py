"""A program that ends with open clients → it ends quickly, and says nothing."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

#: Seconds, of which a peer that does not answer gets most; `close_timeout` is 10.
LIMIT = 8.0

PROGRAM = """
import sys, threading, tieline
from concurrent.futures import ThreadPoolExecutor
never = threading.Event()
options = dict(proxy=None)
callback = lambda message: None
{setup}
client = tieline.WebSocketClient(callback, sys.argv[1], **options)
client.connect()
{then}
print("ready", flush=True)
"""

CASES = {
    "open": ("", ""),
    "with an executor": ("options['executor'] = ThreadPoolExecutor(1)", "client.send('a')"),
    "with a shared reactor": (
        "options['reactor'] = tieline.Reactor()",
        "others = [tieline.WebSocketClient(callback, sys.argv[1], **options) for _ in range(20)]\\n"
        "for other in others: other.connect()",
    ),
    "with a handler that does not return": (
        "inside = threading.Event()\\ndef callback(message): inside.set(); never.wait()",
        "client.send('a'); inside.wait()",
    ),
    "with a thread that sends": (
        "",
        "def work():\\n"
        "    try:\\n"
        "        while True: client.send('a' * 1000)\\n"
        "    except tieline.WebSocketError: pass\\n"
        "threading.Thread(target=work, daemon=True).start()",
    ),
    "with a thread that waits": (
        "",
        "threading.Thread(target=client.wait, daemon=True).start()",
    ),
    "with a handler that connects again": (
        "def callback(message):\\n    if message is None: client.connect()",
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_open_clients(program: Any, echo: Any, case: str) -> None:
    setup, then = (text.replace("\\n", "\n") for text in CASES[case])
    ending = program(PROGRAM.format(setup=setup, then=then), echo.url)
    ending.wait_until_ready()
    seconds, status, output = ending.finish()
    assert seconds < LIMIT
    assert (status, output) == (0, "")


def test_a_peer_that_does_not_answer_gets_its_close_all_the_same(
    program: Any, scripted: Any
) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        peer.expect_end()

    server = scripted(script)
    ending = program(PROGRAM.format(setup="", then=""), server.url)
    ending.wait_until_ready()
    seconds, status, output = ending.finish()
    assert seconds < LIMIT
    assert (status, output) == (0, "")
    server.wait()


def test_a_dial_in_the_background(program: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.read_request()
        peer.hold()

    source = """
    import sys, threading, tieline
    from tieline import events
    dialling = threading.Event()
    client = tieline.WebSocketClient(
        sys.argv[1], proxy=None,
        on_event=lambda event: isinstance(event, events.RequestEvent) and dialling.set())
    threading.Thread(target=client.connect, daemon=True).start()
    dialling.wait()
    print("ready", flush=True)
    """
    ending = program(source, scripted(script).url)
    ending.wait_until_ready()
    seconds, status, output = ending.finish()
    assert seconds < LIMIT
    assert (status, output) == (0, "")


def test_the_last_handlers_run(program: Any, echo: Any) -> None:
    source = """
    import sys, tieline
    client = tieline.WebSocketClient(
        lambda message: print("ended:", message), sys.argv[1], proxy=None,
        on_close=lambda info: print("closed", info.code, info.clean))
    client.connect()
    print("ready", flush=True)
    """
    ending = program(source, echo.url)
    ending.wait_until_ready()
    seconds, status, output = ending.finish()
    assert (status, output) == (0, "closed 1001 True\nended: None\n")
    assert seconds < LIMIT


def test_a_daemon_thread_inside_recv_is_left_there(program: Any, echo: Any) -> None:
    source = """
    import sys, threading, tieline
    ws = tieline.connect(sys.argv[1], proxy=None)
    for _ in range(3):
        threading.Thread(target=ws.recv, daemon=True).start()
    print("ready", flush=True)
    """
    ending = program(source, echo.url)
    ending.wait_until_ready()
    seconds, status, output = ending.finish()
    assert (status, output) == (0, "")
    assert seconds < LIMIT
