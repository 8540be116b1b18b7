"""Supervisor: one dial and one connection at a time, whatever the threads do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tieline.engine.handlers import Handlers
from tieline.engine.supervisor import Supervisor
from tieline.errors import ConnectCancelled, ConnectError, ConnectionClosed, OptionError
from tieline.events import RequestEvent
from tieline.options import Options
from tieline.protocol.state import State
from tieline.testing import EchoServer, Recorder, ScriptedServer

SOON = 5.0


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer() as server:
        yield server


@pytest.fixture
def supervise(recorder: Recorder) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(url: Any, on_event: Any = None, **options: Any) -> Supervisor:
        handlers = Handlers(
            callback=recorder.callback, on_event=on_event, **recorder.handlers("open", "close")
        )
        made.append(Supervisor(Options.build(url, {"proxy": None} | options), handlers))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.disconnect(1001, "", 0.2)


def connect(supervisor: Supervisor, timeout: float = SOON) -> dict[str, Any]:
    info: dict[str, Any] = {}
    supervisor.connect((), timeout, info)
    return info


def test_before_anything(supervise: Any) -> None:
    supervisor = supervise("ws://127.0.0.1:1/")
    assert supervisor.state is State.CLOSED and supervisor.present is None
    supervisor.disconnect(1001, "", None)
    with pytest.raises(ConnectionClosed, match="call connect"):
        supervisor.wait(0)


def test_the_states(supervise: Any, echo: Any, recorder: Recorder) -> None:
    states: list[State] = []
    supervisor = supervise(echo.url, lambda event: states.append(supervisor.state))
    connect(supervisor)
    recorder.expect("open", timeout=SOON)
    assert supervisor.state is State.OPEN
    supervisor.disconnect(1000, "", None)
    assert supervisor.state is State.CLOSED
    assert states[0] is State.CONNECTING
    assert list(dict.fromkeys(states)) == [
        State.CONNECTING,
        State.OPEN,
        State.CLOSING,
        State.CLOSED,
    ]


def test_wait_during_a_dial_waits_for_what_comes_of_it(supervise: Any, echo: Any) -> None:
    go_on, dialling = threading.Event(), threading.Event()

    def hold(event: Any) -> None:
        if isinstance(event, RequestEvent):
            dialling.set()
            assert go_on.wait(SOON)

    supervisor = supervise(echo.url, hold)
    thread = threading.Thread(target=connect, args=(supervisor,))
    thread.start()
    assert dialling.wait(SOON)
    with pytest.raises(TimeoutError, match="still connecting"):
        supervisor.wait(0.01)
    go_on.set()
    thread.join(SOON)
    with pytest.raises(TimeoutError, match="still open"):
        supervisor.wait(0.01)
    supervisor.disconnect(1000, "", None)
    assert supervisor.wait(0).sent.code == 1000


def test_a_second_connect_cancels_the_first(supervise: Any, recorder: Recorder) -> None:
    dialling = threading.Event()

    def silent(peer: Any) -> None:
        peer.read_request()
        peer.expect_end()

    def accept(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close()
        peer.send_close(1001)

    errors: list[BaseException] = []
    with ScriptedServer(silent, accept) as server:
        supervisor = supervise(
            server.url, lambda event: isinstance(event, RequestEvent) and dialling.set()
        )

        def first() -> None:
            try:
                connect(supervisor)
            except ConnectError as error:
                errors.append(error)

        thread = threading.Thread(target=first)
        thread.start()
        assert dialling.wait(SOON)
        connect(supervisor)
        thread.join(SOON)
        assert [type(error) for error in errors] == [ConnectCancelled]
        assert supervisor.state is State.OPEN
        supervisor.disconnect(1001, "", None)
    assert [record.kind for record in recorder.take()] == ["open", "close", "end"]


def test_a_connection_that_came_up_meanwhile_is_closed_first(
    supervise: Any, echo: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread has connected after this one had looked: still one connection is left."""
    supervisor = supervise(echo.url)
    with monkeypatch.context() as patch:
        patch.setattr(Supervisor, "disconnect", lambda *arguments: None)
        connect(supervisor)
        first = supervisor.session
        connect(supervisor)
    assert first.finished.wait(SOON)
    assert first.connection.close_info.sent == (1001, "")
    assert supervisor.session is not first and supervisor.session.is_open
    supervisor.disconnect(1000, "", None)
    kinds = [record.kind for record in recorder.take()]
    assert sorted(kinds) == sorted(["open", "close", "end"] * 2)
    assert recorder.overlaps == []
    assert supervisor.stats().connects == 2


def test_callables_are_asked_for_each_attempt(supervise: Any) -> None:
    def accept(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close()
        peer.send_close(1001)

    numbers = iter(range(10))
    with ScriptedServer(accept, accept) as server:
        supervisor = supervise(
            lambda: f"{server.url}{next(numbers)}", headers=lambda: {"X": str(next(numbers))}
        )
        assert connect(supervisor)["url"].endswith("/0")
        connect(supervisor)
        supervisor.disconnect(1001, "", None)
        targets = [(peer.request.target, peer.request.headers["x"]) for peer in server.peers]
    assert targets == [("/0", "1"), ("/2", "3")]


@pytest.mark.parametrize(
    ("url", "kind"),
    [(lambda: 1 / 0, ZeroDivisionError), (lambda: 5, OptionError), (lambda: "x", OptionError)],
)
def test_a_callable_that_fails_leaves_no_dial_behind(supervise: Any, url: Any, kind: Any) -> None:
    supervisor = supervise(url)
    for _ in range(2):
        with pytest.raises(kind):
            connect(supervisor)
    assert supervisor.state is State.CLOSED


def test_reconnect_uses_the_same_headers(supervise: Any) -> None:
    def accept(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        peer.send_close(1001)

    with ScriptedServer(accept, accept) as server:
        supervisor = supervise(server.url)
        supervisor.connect((("X", "1"),), SOON, {})
        supervisor.reconnect()
        supervisor.disconnect(1001, "", None)
        assert [peer.request.headers.get("x") for peer in server.peers] == ["1", "1"]


def test_a_failed_start_closes_the_stream(
    supervise: Any, echo: Any, monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    """No thread can be had: the caller is told, nothing is left open, the next try succeeds."""
    supervisor = supervise(echo.url)

    def refuse(registrant: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(supervisor._reactor, "register", refuse)
        with pytest.raises(RuntimeError):
            connect(supervisor)
    assert supervisor.state is State.CLOSED
    assert supervisor.stats().messages_sent == 0
    recorder.assert_exhausted()
    connect(supervisor)
    assert supervisor.state is State.OPEN


def test_stats_over_connections(supervise: Any, echo: Any) -> None:
    from tieline.protocol.wire import Opcode

    supervisor = supervise(echo.url)
    for _ in range(3):
        connect(supervisor)
        supervisor.session.speaker.message(Opcode.TEXT, b"abc")
        supervisor.session.speaker.ping(b"").wait(SOON)
        supervisor.disconnect(1000, "", None)
    stats = supervisor.stats()
    assert (stats.connects, stats.messages_sent, stats.messages_received) == (3, 3, 3)
    assert (stats.payload_bytes_sent, stats.payload_bytes_received) == (9, 9)
    assert stats.latency.count == 3 and supervisor.last_round_trip == stats.latency.last
    supervisor.reset_stats()
    assert supervisor.stats().messages_sent == 0


def test_slow_callbacks_are_told_of(supervise: Any, echo: Any, recorder: Recorder) -> None:
    from tieline.events import SlowCallbackEvent

    events: list[Any] = []
    recorder.react("open", lambda response: threading.Event().wait(0.02))
    supervisor = supervise(echo.url, events.append, slow_callback=0.01)
    connect(supervisor)
    supervisor.disconnect(1000, "", None)
    (slow,) = [event for event in events if isinstance(event, SlowCallbackEvent)]
    assert slow.handler == "on_open" and slow.seconds >= 0.02
    assert slow.connection_id == supervisor.session.connection_id
