"""Several threads that bring a line up → its handlers are called one at a time all the same."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import tieline
from tests.fronts import PATIENCE
from tests.outages import Waits, policy
from tieline.testing import EchoServer, FaultProxy, Recorder

pytestmark = pytest.mark.usefixtures("without_slices", "without_second_chances")

#: What a dial tells.
DIAL = ["ResolveEvent", "ConnectingEvent", "ConnectedEvent", "RequestEvent", "ResponseEvent"]


def told(recorder: Recorder) -> list[str]:
    """The kinds of events and handlers since it was asked last."""
    return [
        type(record.value).__name__ if record.kind == "event" else record.kind
        for record in recorder.take()
    ]


class Held:
    """A handler that waits until it may return."""

    def __init__(self) -> None:
        self.is_in = threading.Event()
        self._goes_on = threading.Event()

    def __call__(self, _: object) -> None:
        self.is_in.set()
        assert self._goes_on.wait(PATIENCE)

    def let_go(self) -> None:
        self._goes_on.set()


def test_a_dial_while_the_last_handler_of_the_connection_before_runs(
    clients: Any, server: EchoServer
) -> None:
    """What it tells waits, and comes before the next connection begins."""
    recorder, held, asked = Recorder(), Held(), [""]

    def url() -> str:
        asked.append("again")
        if len(asked) == 3:
            server.close_connections()
            assert held.is_in.wait(PATIENCE)
        return server.url

    client = clients(url=url, **recorder.handlers("open", "close", "event"))
    client.connect()
    recorder.wait_for("open", timeout=PATIENCE)
    recorder.react("close", held)
    client.reconnect(overlap=True)
    assert client.is_open() and told(recorder)[-1] == "close"
    held.let_go()
    recorder.wait_for("open", timeout=PATIENCE)
    assert told(recorder) == [*DIAL, "OpenEvent"]
    assert recorder.overlaps == []


def test_a_predicate_that_raises_beside_a_handler(clients: Any, server: EchoServer) -> None:
    """Of a dial that fails, while the connection that it was to replace is up."""

    def retry(cause: object) -> bool:
        raise ValueError("no verdict")

    recorder, held = Recorder(), Held()
    with FaultProxy(server.url) as proxy:
        client = clients(
            proxy.url,
            reconnect=policy(retry=retry, max_attempts=1),
            **recorder.handlers("open", "message", "error"),
        )
        client.connect()
        recorder.wait_for("open", timeout=PATIENCE)
        recorder.react("message", held)
        client.send("here")
        assert held.is_in.wait(PATIENCE)
        proxy.refuse()
        with pytest.raises(tieline.ConnectError):
            client.reconnect(overlap=True)
        assert told(recorder) == ["message"]
        held.let_go()
        assert isinstance(recorder.wait_for("error", timeout=PATIENCE), ValueError)
        assert recorder.overlaps == []


def test_a_dial_while_an_outage_that_was_ended_tells_of_itself(
    clients: Any, waits: Waits, server: EchoServer
) -> None:
    recorder, held = Recorder(), Held()
    client = clients(
        server.url, reconnect=policy(), **recorder.handlers("open", "reconnecting", "event")
    )
    client.connect()
    recorder.wait_for("open", timeout=PATIENCE)
    recorder.react("reconnecting", held)
    server.close_connections()
    assert held.is_in.wait(PATIENCE)
    client.disconnect()
    client.connect()
    assert client.is_open() and told(recorder)[-1] == "reconnecting"
    held.let_go()
    recorder.wait_for("open", timeout=PATIENCE)
    assert told(recorder) == [*DIAL, "OpenEvent"]
    assert recorder.overlaps == []
