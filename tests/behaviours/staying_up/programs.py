"""Sources of programs → programs that are in an outage of their only connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tieline.testing import EchoServer, FaultProxy, faults
from tieline.testing.faults import Fault

#: Seconds that a program may take to end, on a busy machine. What it must not wait for takes 60 s.
AT_ONCE = 6.0

#: The answer to a message breaks the line; handlers say "ready" when the outage is far enough.
BEGINNING = """
import asyncio, gc, os, sys, threading, time, warnings, weakref
import tieline
from tieline import events
never = threading.Event()
is_lost = threading.Event()
def ready():
    print("ready", flush=True)
    is_lost.set()
def unhurried():
    asyncio.get_running_loop().slow_callback_duration = 60.0
def on_event(event):
    if {in_dial} and is_lost.is_set() is False and isinstance(event, events.RequestEvent):
        if on_event.dials:
            ready()
        on_event.dials += 1
on_event.dials = 0
def on_reconnecting(attempt):
    if not {in_dial}:
        threading.Timer(0.05, ready).start()
options = dict(
    proxy=None, ping_interval=None, connect_timeout=60.0, close_timeout=60.0, on_event=on_event,
    on_reconnecting=on_reconnecting,
    reconnect=tieline.Reconnect(initial={delay}, max_delay=60.0, jitter=False),
)
url = sys.argv[1]
"""

CLIENT = """
client = tieline.WebSocketClient(lambda message: None, url, **options)
client.connect()
client.send("break")
"""
PLAIN = """
ws = tieline.connect(url, **options)
ws.send("break")
"""

in_each_situation = pytest.mark.parametrize("situation", ["in a wait", "in a dial"])


#: In the answer to the first message.
BREAKS = faults.reset(3, past=faults.HEAD_END)


class Outages:
    """outage(source, situation): the program, in an outage of its only connection.

    `first`: what happens to the first dial, or to its connection.
    """

    def __init__(self, program: Any, server: EchoServer, lines: Callable[..., FaultProxy]) -> None:
        self._program = program
        self._server = server
        self._lines = lines

    def __call__(
        self, source: str, situation: str, measured: bool = True, first: Fault = BREAKS
    ) -> Any:
        in_dial = situation == "in a dial"
        proxy = self._lines(self._server, first, faults.HANG)
        beginning = BEGINNING.format(in_dial=in_dial, delay=0.001 if in_dial else 60.0)
        running = self._program(beginning + source, proxy.url, measured=measured)
        running.wait_until_ready()
        return running


def output_of(running: Any) -> str:
    seconds, status, output = running.finish()
    assert (status, running.errors) == (0, ""), output
    assert seconds < AT_ONCE
    return str(output)


def interrupted(running: Any) -> str:
    running.press_ctrl_c()
    return output_of(running)
