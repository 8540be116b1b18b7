"""The options of staying up at work, on each front; more is in fault_matrix and staying_up."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.behaviours.every_front.conftest import Open, shows
from tests.outages import Inbound, Waits, settled
from tieline import Reconnect, SendBufferFull
from tieline.testing import EchoServer


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    return Waits(monkeypatch)


@pytest.fixture
def inbound() -> Inbound:
    return Inbound()


@pytest.fixture
def server(inbound: Inbound) -> Iterator[EchoServer]:
    with EchoServer(on_message=inbound) as echo:
        yield echo


def lose(server: EchoServer, waits: Waits) -> None:
    """The line is lost, and waits for the first attempt."""
    server.close_connections(1012, "restart")
    waits.wait_for(1)


@shows("reconnect")
def test_the_next_message_comes_on_the_next_connection(
    talk: Open, server: EchoServer, waits: Waits
) -> None:
    opened = talk(server.url, reconnect=Reconnect(initial=3.0))
    opened.send("before")
    assert opened.receive() == "before"
    opened.call("subscribe", "hello again")
    assert opened.receive() == "hello again"
    lose(server, waits)
    assert opened.receive() == "hello again"
    assert waits.seconds == [3.0]
    assert opened.front.response.reconnected


@shows("offline")
def test_messages_wait_for_the_next_connection(
    talk: Open, server: EchoServer, inbound: Inbound, waits: Waits
) -> None:
    opened = talk(server.url, reconnect=True, offline="queue")
    with waits.held():
        lose(server, waits)
        receipt = opened.call("send", "waited", receipt=True)
        assert not receipt.done and opened.front.stats().offline_queued == 1
    settled(opened, receipt)
    inbound.wait_for("waited")


@shows("offline_limit", "offline_overflow")
@pytest.mark.parametrize(
    ("overflow", "arrived"),
    [("raise", ["a", "b"]), ("drop_oldest", ["b", "c"]), ("drop_newest", ["a", "b"])],
)
def test_what_gives_way_when_too_much_waits(
    overflow: str,
    arrived: list[str],
    talk: Open,
    server: EchoServer,
    inbound: Inbound,
    waits: Waits,
) -> None:
    opened = talk(
        server.url,
        reconnect=True,
        offline="queue",
        offline_limit=(1000, 2),
        offline_overflow=overflow,
    )
    with waits.held():
        lose(server, waits)
        opened.send("a")
        opened.send("b")
        if overflow == "raise":
            with pytest.raises(SendBufferFull, match="offline_limit"):
                opened.send("c")
        else:
            opened.send("c")
        assert opened.front.stats().offline_dropped == (overflow != "raise")
    inbound.wait_for(*arrived)


@shows("offline_max_age")
def test_what_has_waited_too_long_is_not_sent(
    talk: Open,
    server: EchoServer,
    inbound: Inbound,
    waits: Waits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = talk(server.url, reconnect=True, offline="queue", offline_max_age=60.0)
    with waits.held():
        lose(server, waits)
        with monkeypatch.context() as patch:
            a_minute_ago = time.monotonic() - 61.0
            patch.setattr(opened.front._line.reactor, "now", lambda: a_minute_ago)
            opened.send("stale")
        opened.send("fresh")
    inbound.wait_for("fresh")
    assert opened.front.stats().offline_dropped == 1
