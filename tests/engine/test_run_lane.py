"""What a handler sends in one go: the same messages in the same order, and none waits for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import tieline
from tests.builds import compiled_only
from tests.engine.test_lane import SIZES, Client, message
from tests.fronts import PATIENCE
from tieline.testing import EchoServer, ScriptedPeer, ScriptedServer

#: More than are worth gathering (`writer`), so that the next calls are expected to send as many.
MANY = 300


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as running:
        yield running


class Burst:
    """A handler that sends these whenever it gets "go", and keeps what comes back."""

    def __init__(self, messages: list[Any], calls: int) -> None:
        self.messages, self.wanted = messages, messages * calls
        self.got: list[Any] = []
        self.is_done = threading.Event()
        self.client: Any = None

    def __call__(self, incoming: Any) -> None:
        if isinstance(incoming, str) and incoming == "go":
            for one in self.messages:
                self.client.send(one)
            return
        self.got.append(incoming)
        if len(self.got) == len(self.wanted):
            self.is_done.set()

    def run(self, url: str, calls: int, **options: Any) -> Client:
        running = Client(url, on_message=self, write_limit=1 << 24, **options)
        self.client = running.client
        for _ in range(calls):
            running.client.send("go")
        assert self.is_done.wait(PATIENCE)
        return running


@pytest.mark.parametrize("kind", [str, bytes])
@pytest.mark.parametrize("size", SIZES)
def test_bursts_of_one_size(server: EchoServer, kind: type, size: int) -> None:
    count = MANY if size < 1000 else 20
    burst = Burst([message(size, kind)] * count, 3)
    with burst.run(server.url, 3) as one:
        assert burst.got == burst.wanted
        stats = one.client.stats()
        assert stats.messages_sent == 3 * count + 3


def test_bursts_of_all_kinds(server: EchoServer) -> None:
    """Those that are gathered in C, and between them those that go the general way."""
    kinds: list[Any] = [message(size, kind) for size in SIZES for kind in (str, bytes)]
    kinds = [each for each in kinds if len(each) < 20_000] + ["é", bytearray(b"copied"), "\0"]
    messages = [kinds[number % 17 :: 5] for number in range(40)]
    flat = [one for some in messages for one in some for _ in range(3)]
    burst = Burst(flat, 2)
    with burst.run(server.url, 2):
        assert burst.got == burst.wanted


def test_others_send_meanwhile(server: EchoServer) -> None:
    """Each thread's messages keep their order, and none is lost."""
    calls, mine = 30, 400
    burst = Burst([f"h {number}" for number in range(MANY)], calls)
    own: list[str] = []
    all_here = threading.Event()

    def on_message(incoming: str) -> None:
        if not incoming.startswith("t"):
            burst(incoming)
            return
        own.append(incoming)
        if len(own) == mine:
            all_here.set()

    with Client(server.url, on_message=on_message, write_limit=1 << 24) as one:
        burst.client = one.client

        def send() -> None:
            for number in range(mine):
                one.client.send(f"t {number}")

        thread = threading.Thread(target=send)
        thread.start()
        for _ in range(calls):
            one.client.send("go")
        thread.join(PATIENCE)
        assert burst.is_done.wait(PATIENCE) and all_here.wait(PATIENCE)
    assert burst.got == burst.wanted
    assert own == [f"t {number}" for number in range(mine)]


def test_a_close_comes_behind_them_and_nothing_behind_it() -> None:
    refused: list[str] = []
    heard: list[Any] = []

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_text("ready")
        for _ in range(2):
            peer.send_text("go")
        for _ in range(2 * MANY):
            heard.append(peer.receive_frame().payload)
        peer.expect_close(1001)
        peer.send_close(1001)

    calls: list[str] = []

    def on_message(incoming: str) -> None:
        calls.append(incoming)
        for number in range(MANY):
            one.client.send(f"{number}")
        if len(calls) == 2:
            one.client.disconnect()
            try:
                one.client.send("too late")
            except tieline.ConnectionClosed as error:
                refused.append(str(error))

    closed = threading.Event()
    with ScriptedServer(script, timeout=PATIENCE) as server:
        one = Client(server.url, on_message=on_message, on_close=lambda _: closed.set())
        with one:
            one.client.send("ready")
            assert closed.wait(PATIENCE)
    assert heard == [b"%d" % number for number in range(MANY)] * 2
    assert len(refused) == 1
    assert one.client.close_info is not None and one.client.close_info.code == 1001


def test_a_peer_that_reads_slowly() -> None:
    """What the kernel took a part of is not added to: it is being looked at."""
    goes_on = threading.Event()
    heard: list[Any] = []
    payload = "x" * 5000
    count = 2000  # 10 MB: more than all pipes hold

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_text("ready")
        peer.send_text("go")
        assert goes_on.wait(PATIENCE)
        for _ in range(count):
            heard.append(peer.receive_frame().payload)
        peer.finish(1000)

    def on_message(incoming: str) -> None:
        for number in range(count):
            one.client.send(f"{number:05}{payload}")
        goes_on.set()

    closed = threading.Event()
    with ScriptedServer(script, timeout=PATIENCE) as server:
        one = Client(
            server.url,
            on_message=on_message,
            on_close=lambda _: closed.set(),
            write_limit=1 << 25,
        )
        with one:
            one.client.send("ready")
            assert closed.wait(PATIENCE)
    assert [one[:5] for one in heard] == [b"%05d" % number for number in range(count)]
    assert {len(one) for one in heard} == {5005}


@compiled_only
def test_a_handler_that_becomes_slow_has_its_messages_sent(server: EchoServer) -> None:
    """After a millisecond the next ones look at the time, long before the prompter would."""
    waiting: list[int] = []
    done = threading.Event()

    def on_message(incoming: str) -> None:
        if incoming != "go":
            return
        sender = one.client._line.session.sender
        for _ in range(MANY):
            one.client.send("quick")
        until = time.monotonic() + 0.002
        while time.monotonic() < until:
            pass
        for _ in range(16):
            one.client.send("slow")
        waiting.append(sender.buffered)
        if len(waiting) == 5:
            done.set()

    with Client(server.url, on_message=on_message) as one:
        for _ in range(5):
            one.client.send("go")
        assert done.wait(PATIENCE)
    assert max(waiting) <= 16 * len(b"..maskslow")
