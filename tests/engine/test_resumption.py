"""Resumption: what every connection begins with, and what becomes of messages in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.outages import Inbound, Waits
from tieline.engine.supervisor import Supervisor
from tieline.engine.unsent import Unsent
from tieline.errors import ConnectCancelled, ConnectionClosed, SendBufferFull
from tieline.events import MessageDroppedEvent, RequestEvent
from tieline.protocol.state import State
from tieline.protocol.wire import Opcode
from tieline.testing import EchoServer

SOON = 20.0


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


def text(supervisor: Supervisor, message: str) -> Unsent:
    return Unsent(Opcode.TEXT, message.encode(), None, supervisor.reactor.now())


def lose(supervisor: Supervisor, server: EchoServer, waits: Waits) -> None:
    """The server restarts; the client is about to wait for its first attempt."""
    before = len(waits.seconds)
    server.close_connections(1012, "restart")
    waits.wait_for(before + 1)


def open_again(supervisor: Supervisor) -> None:
    """Until it is."""
    deadline = threading.Event()
    for _ in range(4000):
        if supervisor.state is State.OPEN:
            return
        deadline.wait(0.005)
    raise AssertionError(f"still {supervisor.state}")


def test_queued_messages_come_behind_the_subscriptions(
    supervise: Callable[..., Supervisor], server: EchoServer, inbound: Inbound, waits: Waits
) -> None:
    supervisor = supervise(server.url, reconnect=True, offline="queue")
    supervisor.connect((), SOON, {})
    supervisor.resumption.subscribe("one")
    second = supervisor.resumption.subscribe(lambda: "two")
    supervisor.resumption.subscribe("three")
    inbound.wait_for("one", "two", "three")
    second.cancel()
    with waits.held():
        lose(supervisor, server, waits)
        supervisor.resumption.send_later(text(supervisor, "queued"), None)
        assert supervisor.stats().offline_queued == 1
    inbound.wait_for("one", "two", "three", "one", "three", "queued")
    open_again(supervisor)
    stats = supervisor.stats()
    assert (stats.offline_queued, stats.offline_dropped, stats.reconnects) == (0, 0, 1)


def test_a_subscription_made_while_offline_is_said_once(
    supervise: Callable[..., Supervisor], server: EchoServer, inbound: Inbound, waits: Waits
) -> None:
    supervisor = supervise(server.url, reconnect=True)
    supervisor.connect((), SOON, {})
    with waits.held():
        lose(supervisor, server, waits)
        supervisor.resumption.subscribe("late")
    inbound.wait_for("late")
    open_again(supervisor)
    supervisor.resumption.send_later(text(supervisor, "after"), None)
    inbound.wait_for("late", "after")


def test_a_message_for_a_connection_that_came_up_meanwhile(
    supervise: Callable[..., Supervisor], server: EchoServer, inbound: Inbound
) -> None:
    supervisor = supervise(server.url)
    supervisor.connect((), SOON, {})
    supervisor.resumption.send_later(text(supervisor, "a"), "raise")
    inbound.wait_for("a")


@pytest.mark.parametrize("wish", ["raise", "queue", "drop"])
def test_without_a_connection_to_come_it_is_refused(
    supervise: Callable[..., Supervisor], wish: str
) -> None:
    supervisor = supervise("ws://127.0.0.1:1/", offline="queue")
    with pytest.raises(ConnectionClosed, match=r"call connect\(\) first"):
        supervisor.resumption.send_later(text(supervisor, "a"), wish)
    assert supervisor.stats().offline_dropped == 0


def test_who_does_not_want_it_queued_is_told_how_it_could_be(
    supervise: Callable[..., Supervisor], server: EchoServer, waits: Waits
) -> None:
    supervisor = supervise(server.url, reconnect=True)
    supervisor.connect((), SOON, {})
    with waits.held():
        lose(supervisor, server, waits)
        with pytest.raises(ConnectionClosed, match='reconnecting; with offline="queue"'):
            supervisor.resumption.send_later(text(supervisor, "a"), None)
        supervisor.disconnect(1001, "", None)


def test_drops_are_told_at_once_by_the_thread_that_waits(
    supervise: Callable[..., Supervisor], server: EchoServer, waits: Waits
) -> None:
    told: list[Any] = []
    came = threading.Event()

    def on_event(event: Any) -> None:
        if isinstance(event, MessageDroppedEvent):
            told.append((event.reason, event.size, threading.current_thread().name[:16]))
            came.set()

    supervisor = supervise(server.url, on_event, reconnect=True)
    supervisor.connect((), SOON, {})
    with waits.held():
        lose(supervisor, server, waits)
        supervisor.resumption.send_later(text(supervisor, "abc"), "drop")
        assert came.wait(SOON)
        supervisor.disconnect(1001, "", None)
    assert told == [("drop", 3, "tieline-reconnec")]
    assert supervisor.stats().offline_dropped == 1


def test_what_waits_when_the_user_closes_is_dropped(
    supervise: Callable[..., Supervisor], server: EchoServer, inbound: Inbound, waits: Waits
) -> None:
    reasons: list[str] = []

    def on_event(event: Any) -> None:
        if isinstance(event, MessageDroppedEvent):
            reasons.append(event.reason)

    supervisor = supervise(server.url, on_event, reconnect=True, offline="queue")
    supervisor.connect((), SOON, {})
    with waits.held():
        lose(supervisor, server, waits)
        supervisor.resumption.send_later(text(supervisor, "abc"), None)
        supervisor.disconnect(1001, "", None)
    assert reasons == ["closed"]
    assert (supervisor.stats().offline_queued, supervisor.stats().offline_dropped) == (0, 1)
    assert inbound.messages == []


def test_what_has_waited_too_long_is_dropped_while_it_waits(
    supervise: Callable[..., Supervisor],
    server: EchoServer,
    waits: Waits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody has to send, or to connect, for that."""
    reasons: list[str] = []
    dropped = threading.Event()

    def on_event(event: Any) -> None:
        if isinstance(event, MessageDroppedEvent):
            reasons.append(event.reason)
            dropped.set()

    supervisor = supervise(
        server.url, on_event, reconnect=True, offline="queue", offline_max_age=60.0
    )
    supervisor.connect((), SOON, {})
    with waits.held():
        lose(supervisor, server, waits)
        supervisor.resumption.send_later(text(supervisor, "abc"), None)
        later = supervisor.reactor.now() + 61.0
        monkeypatch.setattr(supervisor.resumption.offline, "_now", lambda: later)
        assert supervisor.recovery.outage is not None
        supervisor.recovery.outage.pause.bring_news()
        assert dropped.wait(SOON)
        supervisor.disconnect(1001, "", None)
    assert reasons == ["age"]


def test_before_the_first_connect(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise("ws://127.0.0.1:1/", offline="queue")
    with pytest.raises(ConnectionClosed, match=r"call connect\(\) first"):
        supervisor.resumption.send_later(text(supervisor, "a"), "queue")


def test_a_line_that_never_queues_has_no_queue(
    supervise: Callable[..., Supervisor], server: EchoServer
) -> None:
    supervisor = supervise(server.url)
    supervisor.connect((), SOON, {})
    resumption = supervisor.resumption
    resumption.drop_aged()
    resumption.drop_all("closed", ConnectionClosed("closed"))
    assert resumption.waiting == 0 and resumption._offline is None
    assert resumption.offline is resumption.offline
    assert resumption.waiting == 0


def test_a_child_can_drop_messages_where_the_parent_had_not_told_of_its_own(
    supervise: Callable[..., Supervisor], server: EchoServer
) -> None:
    supervisor = supervise(server.url, offline="queue", offline_limit=(5, 1))
    resumption = supervisor.resumption
    resumption.offline.put(text(supervisor, "one"))
    with pytest.raises(SendBufferFull):
        resumption.offline.put(text(supervisor, "two"))
    resumption.offline.refuse(text(supervisor, "two"))
    resumption.abandon_after_fork()  # nobody was told of it
    assert resumption.take_drops() == []
    resumption.offline.refuse(text(supervisor, "three"))
    assert resumption.take_drops() == [("drop", 5)]


def test_a_dial_that_nobody_wants_any_more(
    supervise: Callable[..., Supervisor], server: EchoServer
) -> None:
    """It goes on for a moment, but no message can wait for it, and the error says so."""
    told: list[tuple[State, str]] = []

    def give_up(event: object) -> None:
        if isinstance(event, RequestEvent):
            supervisor.disconnect(1001, "", None)
            try:
                supervisor.resumption.send_later(text(supervisor, "late"), None)
            except ConnectionClosed as error:
                told.append((supervisor.state, str(error)))

    wanted: list[bool] = []
    supervisor = supervise(
        server.url,
        lambda event: wanted or give_up(event),
        reconnect=True,
        offline="queue",
    )
    with pytest.raises(ConnectCancelled):
        supervisor.connect((), SOON, {})
    wanted.append(True)
    supervisor.connect((), SOON, {})
    wanted.clear()
    with pytest.raises(ConnectCancelled):
        supervisor.connect((), SOON, {})
    assert [state for state, _ in told] == [State.CONNECTING] * 2
    assert told[0][1] == "not connected: call connect() first"
    assert "connecting was cancelled" in told[1][1]
