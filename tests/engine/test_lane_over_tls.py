"""The short way through TLS: nobody can tell that the lane reads and writes below it."""

from __future__ import annotations

import itertools
import queue
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

import tieline
from tests.engine.test_lane import message
from tests.engine.test_run_lane import Burst
from tests.fronts import PATIENCE
from tieline.testing import EchoServer, ScriptedPeer, ScriptedServer

SIZES = [0, 1, 125, 126, 16_000, 16_384, 16_385, 65_536, 300_000]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def context(request: pytest.FixtureRequest, authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
    context.maximum_version = ssl.TLSVersion[request.param]
    return context


@pytest.fixture
def options(authority: trustme.CA) -> dict[str, Any]:
    return {
        "proxy": None,
        "compression": None,
        "ssl_ca_data": authority.cert_pem.bytes(),
    }


@pytest.fixture
def scripted(context: ssl.SSLContext) -> Iterator[Callable[[Any], ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(script: Any) -> ScriptedServer:
        servers.append(ScriptedServer(script, ssl_context=context, timeout=PATIENCE))
        return servers[-1].__enter__()

    yield start
    for each in servers:
        each.__exit__(None, None, None)


def test_round_trips_of_every_size(context: ssl.SSLContext, options: dict[str, Any]) -> None:
    with EchoServer(ssl_context=context) as server:
        with tieline.connect(server.url, **options) as plain:
            for size in SIZES * 5:
                plain.send(b"x" * size)
                assert plain.recv() == b"x" * size
        got: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with tieline.WebSocketClient(on_message=got.put, url=server.url, **options) as client:
            for size in SIZES * 5:
                client.send("y" * size)
                assert got.get(timeout=PATIENCE) == "y" * size


def test_bursts_from_a_handler(context: ssl.SSLContext, options: dict[str, Any]) -> None:
    burst = Burst([message(size, bytes) for size in SIZES if size < 1000] * 100, 3)
    with EchoServer(ssl_context=context) as server, burst.run(server.url, 3, **options):
        assert burst.got == burst.wanted


def test_many_round_trips_and_then_a_burst(scripted: Any, options: dict[str, Any]) -> None:
    """A thread that is used to waiting for one answer after the other."""
    trips, burst = 50, 3000

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for _ in range(trips):
            peer.send_text(peer.receive_frame().payload.decode())
        peer.socket.sendall(b"".join(b"\x82\x04%04d" % number for number in range(burst)))
        for _ in range(trips):
            peer.send_text(peer.receive_frame().payload.decode())
        peer.finish()

    with tieline.connect(scripted(script).url, **options) as plain:
        for number in range(trips):
            plain.send(str(number))
            assert plain.recv() == str(number)
        assert [int(plain.recv()) for _ in range(burst)] == list(range(burst))
        for number in range(trips):
            plain.send(str(number))
            assert plain.recv() == str(number)


def test_a_peer_that_stops_reading_and_goes_on(scripted: Any, options: dict[str, Any]) -> None:
    """What the kernel does not take waits, in order; above the limit senders do."""
    full = threading.Event()
    numbers: list[int] = []

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        assert full.wait(PATIENCE)
        while (frame := peer.receive_frame()).payload != b"end":
            numbers.append(int(frame.payload[:8]))
        peer.finish()

    client = tieline.WebSocketClient(
        on_message=len, url=scripted(script).url, timeout=0.2, **options
    )
    with client:
        sent = 0
        with pytest.raises(tieline.SendTimeout):
            for sent in itertools.count():
                client.send(b"%08d" % sent + b"x" * 8000)
        full.set()
        for _ in range(100):  # of 0.2 s each
            try:
                client.send(b"end")
                break
            except tieline.SendTimeout:
                continue
        client.wait(PATIENCE)
    assert numbers == list(range(len(numbers))) and len(numbers) in (sent, sent + 1)


def test_a_broken_line_is_told_of_once(scripted: Any, options: dict[str, Any]) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        assert opened.wait(PATIENCE)
        peer.reset()

    opened = threading.Event()
    infos: list[tieline.CloseInfo] = []
    client = tieline.WebSocketClient(
        on_message=len, on_close=infos.append, url=scripted(script).url, **options
    )
    with client:
        opened.set()
        with pytest.raises(tieline.ConnectionClosed):
            while True:
                client.send("a")
        assert client.wait(PATIENCE).code == 1006
    assert [info.code for info in infos] == [1006]
