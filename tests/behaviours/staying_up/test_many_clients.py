"""Two hundred clients on one reactor that lose their server → all come back, spread in time."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tieline
from tests.outages import Waits, policy, wait_until
from tieline import State
from tieline.testing import EchoServer

pytestmark = pytest.mark.slow

COUNT = 200

#: Seconds in which all of them have to be back, on a busy machine.
SOON = 20.0


class Crowd:
    """Clients on one shared reactor, and what they were told together."""

    def __init__(self, url: str, reactor: tieline.Reactor, **options: Any) -> None:
        self.told: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.clients = [
            tieline.WebSocketClient(
                self._count("message"),
                url,
                proxy=None,
                reactor=reactor,
                ping_interval=None,
                on_open=self._count("open"),
                on_close=self._count("close"),
                on_reconnecting=self._count("reconnecting"),
                **options,
            )
            for _ in range(COUNT)
        ]

    def _count(self, name: str) -> Callable[[object], None]:
        def count(value: object) -> None:
            with self._lock:
                self.told[name if value is not None else "end"] += 1

        return count

    @property
    def states(self) -> set[State]:
        return {client.state for client in self.clients}

    def connect(self) -> None:
        for client in self.clients:
            client.connect()

    def wait_for(self, name: str, count: int = COUNT) -> None:
        wait_until(lambda: self.told[name] >= count)
        assert self.told[name] == count

    def disconnect(self) -> None:
        for client in self.clients:
            client.disconnect(timeout=SOON)


@pytest.fixture
def crowd(server: EchoServer, waits: Waits, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    """Open; its reactor has nobody left when the test has ended. Its delays are random ones."""
    monkeypatch.setattr(random, "uniform", random.Random(7).uniform)
    reactor = tieline.Reactor("crowd")
    crowd = Crowd(server.url, reactor, reconnect=policy(initial=8.0), offline="queue")
    before = threading.active_count()
    try:
        crowd.connect()
        assert threading.active_count() <= before + 1
        yield crowd
    finally:
        crowd.disconnect()
    assert crowd.states == {State.CLOSED}
    assert reactor.join(SOON)
    assert threading.active_count() <= before


def lose_all(server: EchoServer, waits: Waits) -> None:
    """As if its machine was switched off; all clients are in their wait then."""
    for connection in server.connections:
        connection.abort()
    waits.wait_for(COUNT)


def test_they_all_come_back(waits: Waits, server: EchoServer, crowd: Crowd) -> None:
    """Each after a delay of its own, somewhere in the whole range, and with what was sent."""
    with waits.held():
        lose_all(server, waits)
        assert crowd.states == {State.RECONNECTING}
        for number, client in enumerate(crowd.clients):
            client.send(f"from {number}")
    crowd.wait_for("message")
    assert crowd.states == {State.OPEN}
    assert [client.stats().reconnects for client in crowd.clients] == [1] * COUNT
    once = dict.fromkeys(("message", "close", "end", "reconnecting"), COUNT)
    assert crowd.told == Counter(once | {"open": 2 * COUNT})
    assert len(set(waits.seconds)) == COUNT
    assert min(waits.seconds) < 1.0 and max(waits.seconds) > 7.0
    assert 3.0 < sum(waits.seconds) / COUNT < 5.0


def test_they_are_told_to_stop(waits: Waits, server: EchoServer, crowd: Crowd) -> None:
    """Each in its wait, and none of them comes back."""
    with waits.held():
        lose_all(server, waits)
        crowd.disconnect()
    assert crowd.states == {State.CLOSED}
    assert crowd.told["open"] == crowd.told["close"] == COUNT
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("tieline-reconnect")]
    assert server.connections == []
