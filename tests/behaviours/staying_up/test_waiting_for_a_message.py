"""`wait_for()` without a connection → a message of the next one, or the reason why none comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.losing import Proxied, lose
from tests.fronts import PATIENCE
from tests.outages import Waits, policy, wait_until
from tieline import ConnectionClosed, State
from tieline.testing import EchoServer, FaultProxy, faults


def anything(message: Any) -> bool:
    return True


def waits_for_one(client: tieline.WebSocketClient) -> bool:
    return len(client._line.callbacks.watchers) == 1


@pytest.fixture
def clients() -> Iterator[Callable[..., tieline.WebSocketClient]]:
    made: list[tieline.WebSocketClient] = []

    def make(url: str, **options: Any) -> tieline.WebSocketClient:
        given = {"proxy": None, "reconnect": policy(), "offline": "queue"} | options
        made.append(tieline.WebSocketClient(lambda message: None, url, **given))
        return made[-1]

    yield make
    for client in made:
        client.disconnect()


def test_in_an_outage_it_is_one_of_the_next_connection(
    clients: Any, server: EchoServer, proxied: Proxied, waits: Waits, in_thread: Any
) -> None:
    proxy = proxied(server)
    client = clients(proxy.url)
    client.connect()
    with waits.held():
        lose(proxy, waits)
        answer = in_thread(partial(client.wait_for, anything, PATIENCE, send="asked while offline"))
        wait_until(lambda: waits_for_one(client) and client.stats().offline_queued == 1)
        assert client.state is State.RECONNECTING
    assert answer() == "asked while offline"


def test_also_while_the_first_one_is_made(
    clients: Any, server: EchoServer, lines: Any, in_thread: Any
) -> None:
    proxy: FaultProxy = lines(server, faults.HANG)
    client = clients(proxy.url)
    connected = in_thread(client.connect)
    proxy.wait_for(lambda: len(proxy.connections) == 1, PATIENCE)
    answer = in_thread(partial(client.wait_for, anything, PATIENCE, send="early"))
    wait_until(lambda: waits_for_one(client))
    proxy.connections[0].strike(faults.PASS)
    assert connected().status == 101
    assert answer() == "early"


def test_it_says_why_a_question_cannot_be_sent_now(
    clients: Any, server: EchoServer, proxied: Proxied, waits: Waits
) -> None:
    proxy = proxied(server)
    client = clients(proxy.url, offline="raise")
    client.connect()
    with waits.held():
        lose(proxy, waits)
        with pytest.raises(ConnectionClosed, match="is reconnecting; with offline="):
            client.wait_for(anything, PATIENCE, send="now")
        with pytest.raises(TimeoutError, match="within 0 s"):
            client.wait_for(anything, 0)
        assert client._line.callbacks.watchers == []


def test_nothing_follows_after_all(
    clients: Any, server: EchoServer, proxied: Proxied, waits: Waits, in_thread: Any
) -> None:
    proxy = proxied(server, faults.PASS, faults.REFUSE)
    client = clients(proxy.url, reconnect=policy(max_attempts=1))
    client.connect()
    with waits.held():
        lose(proxy, waits)
        answer = in_thread(client.wait_for, anything, PATIENCE)
        wait_until(lambda: waits_for_one(client))
    with pytest.raises(ConnectionClosed, match="reconnecting was given up after 1 attempts"):
        answer()


def test_somebody_disconnects(
    clients: Any, server: EchoServer, proxied: Proxied, waits: Waits, in_thread: Any
) -> None:
    proxy = proxied(server)
    client = clients(proxy.url)
    client.connect()
    with waits.held():
        lose(proxy, waits)
        answer = in_thread(client.wait_for, anything, PATIENCE)
        wait_until(lambda: waits_for_one(client))
        client.disconnect()
    with pytest.raises(ConnectionClosed, match="1006"):
        answer()
    with pytest.raises(ConnectionClosed, match="is closed: no message will come"):
        client.wait_for(anything, PATIENCE)


def test_the_one_that_it_waits_on_is_lost(
    clients: Any, server: EchoServer, proxied: Proxied, waits: Waits, in_thread: Any
) -> None:
    """What was asked on it is not answered on the next one."""
    proxy = proxied(server)
    client = clients(proxy.url)
    client.connect()
    with waits.held():
        answer = in_thread(client.wait_for, anything, PATIENCE)
        wait_until(lambda: waits_for_one(client))
        lose(proxy, waits)
        with pytest.raises(ConnectionClosed, match="1006"):
            answer()
