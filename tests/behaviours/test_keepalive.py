"""ping_interval and ping_timeout → a dead peer is noticed, a live one is left alone."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tieline.protocol.wire import Opcode
from tieline.testing import Recorder

SOON = 10.0


def test_a_dead_peer(
    scripted: Any, clients: Any, recorder: Recorder, secure_or_not: Any, place_of: Any
) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_frame(Opcode.PING)
        peer.hold()

    server = scripted(script, **secure_or_not)
    client = place_of(server).client(
        recorder.callback,
        ping_interval=0.05,
        ping_timeout=0.1,
        **recorder.handlers("close", "error"),
    )
    client.connect()
    info = client.wait(SOON)  # the default of either is longer
    assert (info.code, info.clean) == (1006, False)
    assert info.sent.code == 1011
    assert isinstance(info.error, TimeoutError) and "ping_timeout=0.1 s" in str(info.error)
    assert [one.kind for one in recorder.take()] == ["error", "close", "end"]


@pytest.mark.slow
def test_a_peer_that_only_sends_data_lives(scripted: Any, clients: Any) -> None:
    """It answers no Ping, but what it sends shows that it is there: for twice `ping_timeout`.

    Which is so long because a busy machine may hold up the server's thread and not the client's.
    """

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_frame(Opcode.PING)
        for _ in range(100):
            peer.send_text("tick")
            peer.pause(0.02)
        peer.finish(1000)

    url = scripted(script).url
    client = clients(lambda message: None, url, ping_interval=0.03, ping_timeout=1.0)
    client.connect()
    assert client.wait(SOON).code == 1000
    assert client.stats().pings_sent > 0
    assert client.latency is None


def test_latency(echo_place: Any) -> None:
    answered = threading.Event()
    client = echo_place.client(
        lambda message: None, ping_interval=0.01, on_pong=lambda data: answered.set()
    )
    client.connect()
    assert answered.wait(SOON)
    assert 0 < client.latency < SOON
    assert client.stats().latency.count >= 1
    client.disconnect()


def test_off(scripted: Any, clients: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_text("a")
        peer.finish(1000)

    client = clients(lambda message: None, scripted(script).url, ping_interval=None)
    client.connect()
    client.send("a")
    client.wait(SOON)
    assert client.stats().pings_sent == 0


@pytest.mark.slow
def test_a_handler_that_holds_up_the_thread_is_not_the_peers_fault(echo: Any, clients: Any) -> None:
    """The Pong had come, and was only not read yet."""
    held: list[int] = []

    def hold(message: Any) -> None:
        if message is not None:
            held.append(1)
            if len(held) == 1:
                threading.Event().wait(1.5)

    client = clients(hold, echo.url, ping_interval=0.03, ping_timeout=1.0)
    client.connect()
    client.send("a")
    assert client.wait_for(lambda message: message == "b", SOON, send="b") == "b"
    assert client.is_open()


@pytest.mark.parametrize("answers", ["last", "none"])
def test_ping_waiters(scripted: Any, clients: Any, answers: str) -> None:
    """RFC 6455 5.5.3: the Pong for the last of several Pings answers them all."""
    from tieline.errors import ConnectionClosed

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for data in (b"1", b"2", b"3"):
            peer.expect_frame(Opcode.PING, data)
        if answers == "last":
            peer.send_frame(Opcode.PONG, b"3")
        else:
            peer.send_frame(Opcode.PONG, b"unasked")
        peer.expect_text("done")
        peer.close()

    client = clients(lambda message: None, scripted(script).url)
    client.connect()
    waiters = [client.ping(data) for data in (b"1", "2", bytearray(b"3"))]
    if answers == "last":
        assert all(0 <= waiter.wait(SOON) < SOON for waiter in waiters)
        client.send("done")
    else:
        with pytest.raises(TimeoutError, match="no Pong within 0.01 s"):
            waiters[0].wait(0.01)
        client.send("done")
        for waiter in waiters:
            with pytest.raises(ConnectionClosed):
                waiter.wait(SOON)
            assert waiter.done
