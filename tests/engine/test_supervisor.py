"""Supervisor: one dial and one connection at a time, whatever the threads do."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.builds import reaches_inside
from tests.engine.instead import instead
from tieline.engine.supervisor import Supervisor
from tieline.errors import ConnectCancelled, ConnectError, ConnectionClosed
from tieline.events import RequestEvent
from tieline.protocol.state import State
from tieline.testing import Recorder, ScriptedServer

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


@reaches_inside
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


@reaches_inside
@pytest.mark.parametrize(
    ("step", "act"),
    [
        ("_close", lambda supervisor: supervisor.disconnect(1001, "", None)),
        ("_close", lambda supervisor: supervisor.connect((), SOON, {})),
        ("_drop_sessions", lambda supervisor: supervisor.reconnect()),
    ],
    ids=["disconnect", "connect", "reconnect"],
)
def test_what_another_thread_has_connected_meanwhile_stays(
    supervise: Any, echo: Any, monkeypatch: pytest.MonkeyPatch, step: str, act: Any
) -> None:
    """It was decided what is to be ended, and that was not this connection."""
    supervisor = supervise(echo.url, reconnect=True)
    connect(supervisor)
    real = getattr(supervisor, step)
    others = iter([threading.Thread(target=connect, args=(supervisor,))])

    def ended_later(*arguments: Any) -> Any:
        for other in others:
            other.start()
            other.join(SOON)
        return real(*arguments)

    instead(monkeypatch, supervisor, step, ended_later)
    try:
        act(supervisor)
    except ConnectCancelled:
        pass  # the other one has won
    assert supervisor.state is State.OPEN
    session = supervisor.session
    assert supervisor.present is session and session.is_open and supervisor.recovery.is_wanted
