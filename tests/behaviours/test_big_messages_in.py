"""Big messages in: whole and in order on every front, whatever comes between."""

from __future__ import annotations

import platform
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import tieline
from tests.builds import IS_COMPILED, compiled_only
from tests.fronts import FRONTS, PATIENCE, Talk
from tieline import Opcode
from tieline.testing import ScriptedPeer
from tieline.testing.frames import frame_bytes

MIB = 1 << 20
BYTES = random.Random(7).randbytes(MIB) * 5 + b"the rest"


class Alarm(Exception):
    """Raised by a signal's handler."""


@pytest.fixture
def alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGINT, ring)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("piece", [1 << 14, 300_000, 1 << 30])
@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.front_name)
def test_they_come_whole_and_in_order(front: type[Talk], piece: int, scripted: Any) -> None:
    wide = "wide: €" + "a" * MIB
    parts = (BYTES[: 2 * MIB], BYTES[2 * MIB : 3 * MIB], BYTES[3 * MIB :])
    wire = b"".join(
        (
            frame_bytes(Opcode.BINARY, BYTES),
            frame_bytes(Opcode.BINARY, BYTES[:600_000]),
            frame_bytes(Opcode.TEXT, b"small"),
            frame_bytes(Opcode.TEXT, b"a" * 5 * MIB),
            frame_bytes(Opcode.BINARY, parts[0], fin=False),
            frame_bytes(Opcode.CONTINUATION, parts[1], fin=False),
            frame_bytes(Opcode.CONTINUATION, parts[2]),
            frame_bytes(Opcode.TEXT, wide.encode()),
            frame_bytes(Opcode.TEXT, b"the last"),
        )
    )

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for start in range(0, len(wire), piece):
            peer.send_raw(wire[start : start + piece])
        peer.finish()

    talk = front(scripted(script).url, compression=None)
    try:
        expected = [BYTES, BYTES[:600_000], "small", "a" * 5 * MIB, BYTES, wide, "the last"]
        if front.front_name == "plain":
            # Without a limit, which is the short way.
            assert [talk.front.recv() for _ in expected] == expected
        else:
            assert [talk.receive() for _ in expected] == expected
    finally:
        talk.close()


@pytest.mark.usefixtures("alarm")
def test_what_a_signal_handler_raises_in_the_middle_takes_nothing_along(
    scripted: Any, plain: Any
) -> None:
    """The message comes all the same, or the end is told if it came amid a read."""
    rounds = 20

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_text("go")
        wire = frame_bytes(Opcode.BINARY, BYTES)
        peer.send_raw(wire[: 3 * MIB])
        # Handled by the main thread, which this does not wake.
        signal.raise_signal(signal.SIGINT)
        with suppress(OSError, AssertionError):  # the connection may have ended
            peer.send_raw(wire[3 * MIB :])
            peer.finish()

    server = scripted(*[script] * rounds)
    alarms = ends = received = 0
    for _ in range(rounds):
        connection = plain(server.url, compression=None)
        with pytest.raises(TimeoutError):
            connection.recv(0.001)  # what it waits with is made now, not under fire
        try:
            connection.send("go")
            connection.recv()
        except Alarm:
            alarms += 1
        except tieline.ConnectionClosed as closed:
            assert isinstance(closed.__cause__, Alarm)
            alarms += 1
            ends += 1
            continue
        try:
            received += connection.recv(PATIENCE) == BYTES
        except tieline.ConnectionClosed as closed:
            assert closed.close_info.code == 1006
            ends += 1
    assert (alarms, ends + received) == (rounds, rounds)


def test_a_close_in_the_middle_is_heard_by_who_waits_for_the_rest(
    scripted: Any, plain: Any, in_thread: Any
) -> None:
    begun = threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_raw(frame_bytes(Opcode.BINARY, BYTES)[: 3 * MIB])
        begun.set()
        peer.hold()

    connection = plain(scripted(script).url, compression=None)
    receives = in_thread(connection.recv)
    assert begun.wait(PATIENCE)
    connection.close(timeout=0.1)
    with pytest.raises(tieline.ConnectionClosed):
        receives()


#: Receives without an end, by functions in C, and prints how long it was until that was given up.
ENDLESS = """
import collections, sys, threading, time, tieline
front, what, url = sys.argv[1:]
options = dict(proxy=None, compression=None, max_fragments=None, max_message_size=None)
if front == "plain":
    connection = tieline.connect(url, **options)
    while connection.recv() != "warm":
        pass
    end = lambda: connection.close(timeout=0.1)
else:
    last = collections.deque(maxlen=1)
    connection = tieline.WebSocketClient(url=url, on_message=last.append, **options)
    connection.connect()
    end = lambda: connection.disconnect(timeout=0.1)
connection.send("go")
started = time.monotonic()
timer = threading.Timer(0.3, end)
timer.start()
try:
    if front == "callback":
        connection.wait(10)
    elif what == "parts":
        connection.recv()
    else:
        collections.deque(connection, maxlen=0)
except tieline.ConnectionClosed:
    pass
timer.join()
print(time.monotonic() - started)
"""


@compiled_only
@pytest.mark.parametrize("what", ["parts", "messages"])
@pytest.mark.parametrize("front", ["plain", "callback"])
def test_what_comes_without_an_end_leaves_other_threads_their_turn(
    front: str, what: str, program: Any, scripted: Any
) -> None:
    """Faster than it is read, so nothing ever waits, and no Python code runs in between."""
    part = frame_bytes(Opcode.CONTINUATION, b"", fin=False)
    block = (part if what == "parts" else frame_bytes(Opcode.BINARY, b"8 bytes.")) * 400_000

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for number in range(50):
            peer.send_text(str(number))
        peer.send_text("warm")
        peer.expect_text("go")
        if what == "parts":
            peer.send_frame(Opcode.BINARY, b"a", fin=False)
        stop = time.monotonic() + 6
        with suppress(OSError):
            while time.monotonic() < stop:
                peer.send_raw(block)

    running = program(ENDLESS, front, what, scripted(script).url)
    _, status, output = running.finish()
    assert status == 0, running.errors
    assert float(output) < 3


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.front_name)
def test_a_peer_that_dies_in_the_middle(front: type[Talk], scripted: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_text("before")
        peer.send_raw(frame_bytes(Opcode.BINARY, BYTES)[: 3 * MIB])
        peer.reset()

    talk = front(scripted(script).url, compression=None, reconnect=None)
    try:
        assert talk.receive() == "before"
        assert talk.ended().code == 1006
    finally:
        talk.close()


#: Receives 300 messages, and prints how often a page was new to it during the last 200.
RECEIVING = """
import resource, sys, threading, tieline
front, url = sys.argv[1:]
faults = []
done = threading.Event()
count = 0
def on_message(message):
    global count
    count += 1
    if count in (100, 300):
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    if count == 300:
        done.set()
if front == "plain":
    with tieline.connect(url, proxy=None, compression=None) as connection:
        for _ in range(300):
            on_message(connection.recv())
else:
    with tieline.WebSocketClient(url=url, on_message=on_message, proxy=None, compression=None):
        assert done.wait(20)
print(faults[1] - faults[0])
"""


#: Sends 150 messages that are new each time, and prints the same of the last 100.
SENDING = """
import resource, sys, tieline
connection = tieline.connect(sys.argv[1], proxy=None, compression=None)
for number in range(150):
    if number == 50:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    connection.send(b"x" * 1_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
connection.close()
"""


@pytest.mark.skipif(not IS_COMPILED, reason="uncompiled, masking takes more blocks of its own")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about the allocator of glibc")
def test_those_that_go_out_use_it_again_too(scripted: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_close()
        peer.send_close()

    done = subprocess.run(
        [sys.executable, "-c", SENDING, scripted(script).url],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < 100 * 20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about the allocator of glibc")
@pytest.mark.parametrize("size", [200_000, 500_000])
@pytest.mark.parametrize("front", ["plain", "callback"])
def test_the_memory_of_those_before_is_used_again(front: str, size: int, scripted: Any) -> None:
    """Pages that the system has to clear anew would cost more than all else."""
    wire = frame_bytes(Opcode.BINARY, BYTES[:size])

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for _ in range(100):
            peer.send_raw(wire * 3)
        peer.finish()

    done = subprocess.run(
        [sys.executable, "-c", RECEIVING, front, scripted(script).url],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    # A message has 49 pages or more.
    assert int(done.stdout) < 200 * 10
