"""Supervisor: one dial and one connection at a time, whatever the threads do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tieline.engine.handlers import Handlers
from tieline.engine.reactor import Reactor
from tieline.engine.supervisor import Supervisor
from tieline.errors import ConnectCancelled, ConnectError, ConnectionClosed
from tieline.events import RequestEvent
from tieline.options import Options
from tieline.protocol.state import State
from tieline.testing import Recorder, ScriptedServer
from tieline.transport.wakeup import Wakeup

SOON = 20.0


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


def test_ctrl_c_while_a_failed_dial_is_cleared_up(
    supervise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever for a dial that is over."""
    from tieline.transport.attempt import Attempt

    supervisor = supervise("ws://127.0.0.1:1/")

    def interrupted(attempt: Attempt) -> None:
        close(attempt)
        raise KeyboardInterrupt

    close = Attempt.close
    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            connect(supervisor)
    assert supervisor.state is State.CLOSED
    with pytest.raises(ConnectionClosed, match="call connect"):
        supervisor.wait(SOON)


@pytest.fixture
def alone(recorder: Recorder) -> Iterator[Callable[..., Supervisor]]:
    """One whose reactor serves nobody else."""
    made: list[Supervisor] = []

    def make(url: str, **options: Any) -> Supervisor:
        checked = Options.build(url, {"proxy": None} | options)
        handlers = Handlers(callback=recorder.callback, **recorder.handlers("open", "close"))
        made.append(Supervisor(checked, handlers, Reactor(), owns_reactor=True))
        connect(made[-1])
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.disconnect(1001, "", 0.2)


def test_the_peers_close_wakes_the_thread(
    alone: Any, echo: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody else has to."""
    supervisor = alone(echo.url)
    recorder.expect("open", timeout=SOON)
    reactor, wakes = supervisor.reactor, []
    monkeypatch.setattr(Wakeup, "set", lambda self: wakes.append(threading.current_thread()))
    supervisor.disconnect(1000, "", None)
    assert wakes == [] and reactor.join(0)
    assert supervisor.state is State.CLOSED
    recorder.expect("close", timeout=0)


def test_no_answer_to_a_quiet_close(
    alone: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline is the thread's business, as ever."""
    monkeypatch.setattr("tieline.engine.supervisor._SOON", 0.01)
    release = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        release.wait(SOON)

    with ScriptedServer(script) as server:
        supervisor = alone(server.url, close_timeout=0.05)
        supervisor.disconnect(1000, "", None)
        release.set()
    assert supervisor.session.finished.is_set() and not supervisor.close_info.clean


def test_ctrl_c_during_a_quiet_close(
    alone: Any, echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = alone(echo.url)

    def interrupt(*arguments: Any, **named: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(supervisor.reactor, "join", interrupt)
        with pytest.raises(KeyboardInterrupt):
            supervisor.disconnect(1000, "", None)
    assert supervisor.session.finished.wait(SOON)
    assert supervisor.reactor.join(SOON)
