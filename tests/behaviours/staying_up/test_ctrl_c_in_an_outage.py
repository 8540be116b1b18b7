"""Ctrl-C in an outage → the program ends at once, and says nothing."""

from __future__ import annotations

import pytest

from tests.behaviours.staying_up.programs import (
    CLIENT,
    PLAIN,
    Outages,
    in_each_situation,
    interrupted,
)
from tieline.testing import faults

pytestmark = pytest.mark.slow


WAITS = {
    "wait": (
        CLIENT,
        "client.wait()",
        "print(client.state); client.disconnect(); print(client.state)",
    ),
    "run_forever": (CLIENT, "print(client.run_forever().code)", "print(client.state)"),
    "recv": (PLAIN, "ws.recv()", "print(ws.state.value != 'closed'); ws.close(); print(ws.state)"),
    "for": (PLAIN, "list(ws)", "ws.close(); print(ws.state)"),
    "with": ("", "with tieline.connect(url, **options) as ws: ws.send('break'); ws.recv()", ""),
}


@in_each_situation
@pytest.mark.parametrize("name", WAITS)
def test_ctrl_c(outage: Outages, situation: str, name: str) -> None:
    setup, wait, then = WAITS[name]
    source = (
        f"{setup}\ntry:\n    {wait}\nexcept KeyboardInterrupt:\n    print('interrupted')\n{then}"
    )
    output = interrupted(outage(source, situation, measured=False))
    told = "1006\n" if name == "run_forever" else "interrupted\n"
    assert output.startswith(told)
    if name != "with":
        assert output.endswith("State.CLOSED\n")
    if name in ("wait", "recv"):  # the interrupt has changed nothing
        still = "RECONNECTING" if situation == "in a wait" else "CONNECTING"
        assert output in (f"{told}State.{still}\nState.CLOSED\n", f"{told}True\nState.CLOSED\n")


@pytest.mark.parametrize("front", ["client", "plain", "asyncio"])
@in_each_situation
def test_ctrl_c_in_a_connect_that_keeps_trying(outage: Outages, situation: str, front: str) -> None:
    """With `initial_connect`, on the calling thread."""
    connect = {
        "client": "client = tieline.WebSocketClient(url, **options); client.connect()",
        "plain": "tieline.connect(url, **options)",
        "asyncio": "asyncio.run(connect())",
    }[front]
    source = f"""
from dataclasses import replace
options["reconnect"] = replace(options["reconnect"], initial_connect=True)
async def connect():
    unhurried()
    await tieline.aio.connect(url, **options)
try:
    {connect}
except KeyboardInterrupt:
    print("interrupted")
if "client" in globals():
    print(client.state)
print([thread.name for thread in threading.enumerate() if "tieline-re" in thread.name])
"""
    running = outage(source, situation, measured=False, first=faults.cut())
    state = "State.CLOSED\n" if front == "client" else ""
    assert interrupted(running) == f"interrupted\n{state}[]\n"


@in_each_situation
def test_ctrl_c_under_asyncio(outage: Outages, situation: str) -> None:
    """No task is left, and nothing is said of one."""
    source = """
async def main():
    unhurried()
    async with tieline.aio.connect(url, **options) as ws:
        await ws.send("break")
        async for message in ws:
            pass
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""
    assert interrupted(outage(source, situation, measured=False)) == "interrupted\n"


@in_each_situation
def test_a_signal_handler_that_closes(outage: Outages, situation: str) -> None:
    """On top of whatever the main thread does."""
    source = f"""
import signal
signal.signal(signal.SIGINT, lambda *_: client.disconnect())
{CLIENT}
print(client.wait().code, client.state)
"""
    assert interrupted(outage(source, situation, measured=False)) == "1006 State.CLOSED\n"
