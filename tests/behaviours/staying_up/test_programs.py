"""Programs that end, fork or let go of their connection in an outage → quick and quiet."""

from __future__ import annotations

import pytest

from tests.behaviours.staying_up.programs import (
    CLIENT,
    PLAIN,
    Outages,
    in_each_situation,
    output_of,
)

pytestmark = pytest.mark.slow


@in_each_situation
@pytest.mark.parametrize("setup", [CLIENT, PLAIN], ids=["client", "plain"])
def test_the_end_of_the_program(outage: Outages, situation: str, setup: str) -> None:
    """The outage does not outlive it, nor does it hold it up."""
    then = "is_lost.wait(20)\ngc.disable()\nkept = globals().copy()"
    assert output_of(outage(f"{setup}\n{then}", situation)) == ""


@in_each_situation
def test_the_end_with_threads_that_wait(outage: Outages, situation: str) -> None:
    source = f"""
{PLAIN}
client = tieline.WebSocketClient(lambda message: None, url, **options)
for _ in range(3):
    threading.Thread(target=ws.recv, daemon=True).start()
is_lost.wait(20)
"""
    assert output_of(outage(source, situation)) == ""


@in_each_situation
def test_the_end_of_the_loop(outage: Outages, situation: str) -> None:
    """`asyncio.run` ends in the outage, and nobody has closed: no task is left, no warning."""
    source = """
async def main():
    global ws
    unhurried()
    ws = await tieline.aio.connect(url, **options)
    await ws.send("break")
    while not is_lost.is_set():
        await asyncio.sleep(0.005)
asyncio.run(main())
print(ws.is_open(), [t.name for t in threading.enumerate() if "reconnect" in t.name])
gc.collect()
"""
    assert output_of(outage(source, situation)) == "False []\n"


# --- nobody holds it


@in_each_situation
def test_a_plain_connection_that_nobody_holds(outage: Outages, situation: str) -> None:
    source = f"""
{PLAIN}
is_lost.wait(20)
seen = weakref.ref(ws._line)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    del ws
    gc.collect()
print([str(warning.message).endswith("was not closed") for warning in told])
told.clear()  # they hold what they are about
deadline = time.monotonic() + 20
while seen() is not None or any("reconnect" in t.name for t in threading.enumerate()):
    assert time.monotonic() < deadline, (seen(), threading.enumerate())
    gc.collect()
    never.wait(0.005)
print("gone")
"""
    assert output_of(outage(source, situation)) == "[True]\ngone\n"


@in_each_situation
def test_an_asyncio_connection_that_nobody_holds(outage: Outages, situation: str) -> None:
    source = """
async def main():
    unhurried()
    ws = await tieline.aio.connect(url, **options)
    await ws.send("break")
    while not is_lost.is_set():
        await asyncio.sleep(0.005)
    seen = weakref.ref(ws._line)
    del ws
    async with asyncio.timeout(20):
        while seen() is not None or len(asyncio.all_tasks()) > 1:
            gc.collect()
            await asyncio.sleep(0.005)
    print("gone")
asyncio.run(main())
"""
    assert output_of(outage(source, situation)) == "gone\n"


# --- fork


@in_each_situation
@pytest.mark.parametrize("setup", [CLIENT, PLAIN], ids=["client", "plain"])
def test_fork(outage: Outages, situation: str, setup: str) -> None:
    """In the child the line is closed, and can be closed again; the parent's outage goes on."""
    front, close = ("client", "disconnect") if setup is CLIENT else ("ws", "close")
    source = f"""
warnings.simplefilter("ignore", DeprecationWarning)
{setup}
is_lost.wait(20)
front = {front}
pid = os.fork()
if pid == 0:
    status = 1
    try:
        assert front.state is tieline.State.CLOSED, front.state
        try:
            front.send("a")
        except tieline.ConnectionClosed:
            front.{close}()
            if hasattr(front, "recv"):
                try:
                    front.recv(5)
                except tieline.ConnectionClosed:
                    status = 0
            else:
                front.wait(5)
                status = 0
    finally:
        os._exit(status)
print("child:", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(front.state is not tieline.State.CLOSED)
front.{close}()
print(front.state)
"""
    output = output_of(outage(source, situation, measured=False))
    assert output == "child: 0\nTrue\nState.CLOSED\n"
