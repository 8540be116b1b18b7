"""A server that stops, and starts again on its port → the client is back, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tests.outages import Inbound, Waits, Watch, delays, settled, wait_until
from tieline import State
from tieline.testing import EchoServer, FaultProxy, faults
from tieline.testing.listening import bind

Proxied = Callable[..., FaultProxy]


@pytest.mark.parametrize("code", [1001, 1012], ids=str)
def test_a_server_that_says_goodbye(
    watch: Watch, waits: Waits, inbound: Inbound, code: int
) -> None:
    with ExitStack() as servers:
        first = servers.enter_context(EchoServer(on_message=inbound))
        talk = watch.open(first.url, offline="queue")
        talk.send("before")
        assert talk.receive() == "before"
        with waits.held():
            first.close_connections(code)
            waits.wait_for(1)
            first.close()
            # Else another program might get the port: bound, it still refuses.
            servers.enter_context(bind("127.0.0.1", first.port))
            talk.send("during")
        # The port is closed for two dials more.
        waits.before[4] = lambda: servers.enter_context(
            EchoServer(port=first.port, on_message=inbound)
        )
        assert talk.receive() == "during"
        numbers = [f"reconnecting {number}" for number in (1, 2, 3, 4)]
        watch.expect("open", f"close {code}", "end", *numbers, "open again")
        watch.expect_events("open", f"closed {code}", *numbers, "open")
        talk.send("after")
        assert talk.receive() == "after"
        inbound.wait_for("before", "during", "after")
        assert waits.seconds == delays(4)
        assert watch.responses[1].attempts == 4
        watch.finish()


def test_a_server_that_is_killed(
    watch: Watch, waits: Waits, server: EchoServer, inbound: Inbound, proxied: Proxied
) -> None:
    proxy = proxied(server)
    talk = watch.open(proxy.url, offline="queue")
    talk.send("before")
    assert talk.receive() == "before"
    waits.before[3] = proxy.listen
    with waits.held():
        proxy.crash()
        waits.wait_for(1)
        receipts = [talk.call("send", f"during {n}", receipt=True) for n in range(5)]
    for receipt in receipts:
        settled(talk, receipt)
    during = [f"during {n}" for n in range(5)]
    assert [talk.receive() for _ in receipts] == during
    inbound.wait_for("before", *during)
    numbers = [f"reconnecting {number}" for number in (1, 2, 3)]
    lost = ("error ConnectionResetError", "close 1006", "end")
    watch.expect("open", *lost, *numbers, "open again")
    watch.expect_events("open", "closed 1006", *numbers, "open")
    watch.finish()


def test_restarts_one_after_the_other(
    watch: Watch, waits: Waits, server: EchoServer, inbound: Inbound, proxied: Proxied
) -> None:
    """No connection is stable in between, so the delays go on growing; each outage is told."""
    proxy = proxied(server)
    talk = watch.open(proxy.url, offline="queue")
    watch.expect("open")
    for number in range(1, 6):
        with waits.held():
            proxy.strike(faults.reset())
            waits.wait_for(number)
            talk.send(f"message {number}")
        assert talk.receive() == f"message {number}"
        watch.expect(
            "error ConnectionResetError",
            "close 1006",
            "end",
            f"reconnecting {number}",
            "open again",
        )
    inbound.wait_for(*(f"message {number}" for number in range(1, 6)))
    assert waits.seconds == delays(5)
    assert [response.attempts for response in watch.responses] == [1] * 6
    assert talk.front.stats().reconnects == 5


def test_subscriptions_come_first(
    watch: Watch, waits: Waits, server: EchoServer, inbound: Inbound, proxied: Proxied
) -> None:
    counted = iter(range(100))
    proxy = proxied(server)
    talk = watch.open(proxy.url, offline="queue")
    talk.call("subscribe", "prices")
    ended = talk.call("subscribe", "news")
    talk.call("subscribe", lambda: f"from {next(counted)}")
    inbound.wait_for("prices", "news", "from 0")
    ended.cancel()
    with waits.held():
        proxy.strike(faults.reset())
        waits.wait_for(1)
        talk.send("during")
        assert watch.state is State.RECONNECTING
    inbound.wait_for("prices", "news", "from 0", "prices", "from 1", "during")


def test_the_wait_ends_at_a_wish(
    watch: Watch, waits: Waits, front: Any, server: EchoServer, inbound: Inbound, proxied: Proxied
) -> None:
    """`reconnect()` does not wait for the delay; nothing that was queued is lost by it."""
    proxy = proxied(server)
    talk = watch.open(proxy.url, offline="queue")
    if not hasattr(talk.front, "reconnect"):
        pytest.skip("this front has no reconnect()")
    with waits.held():
        proxy.strike(faults.reset())
        waits.wait_for(1)
        talk.send("during")
        response = talk.call("reconnect")
        assert response.status == 101
    assert talk.receive() == "during"
    wait_until(lambda: watch.state is State.OPEN)
    inbound.wait_for("during")
    watch.expect("open", "error ConnectionResetError", "close 1006", "end", "reconnecting 1")
    watch.expect("open again")
    watch.expect_events("open", "closed 1006", "reconnecting 1", "open")
    watch.finish()
