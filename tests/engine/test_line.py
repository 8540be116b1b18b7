"""Line: one connection at a time, and what is told of all of them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tieline.engine.supervisor import Supervisor
from tieline.protocol.state import State
from tieline.testing import Recorder

SOON = 20.0


def connect(supervisor: Supervisor, timeout: float = SOON) -> dict[str, Any]:
    info: dict[str, Any] = {}
    supervisor.connect((), timeout, info)
    return info


def test_a_connection_that_is_up_is_closed_first(
    supervise: Any, echo: Any, recorder: Recorder
) -> None:
    """Whoever has made it: one connection is left."""
    supervisor = supervise(echo.url)
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


def test_a_failed_start_closes_the_stream(
    supervise: Any, echo: Any, monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    """No thread can be had: the caller is told, nothing is left open, the next try succeeds."""
    supervisor = supervise(echo.url)

    def refuse(registrant: Any, *, quietly: bool) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(supervisor.reactor, "register", refuse)
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
    assert stats.latency.count == 3 and supervisor.recorder.last_round_trip == stats.latency.last
    supervisor.recorder.reset()
    assert supervisor.stats().messages_sent == 0


def test_slow_callbacks_are_told_of(supervise: Any, echo: Any, recorder: Recorder) -> None:
    from tieline.events import SlowCallbackEvent

    events: list[Any] = []
    recorder.react("open", lambda response: threading.Event().wait(0.02))
    supervisor = supervise(echo.url, events.append, slow_callback=0.01)
    connect(supervisor)
    supervisor.disconnect(1000, "", None)
    told = [event for event in events if isinstance(event, SlowCallbackEvent)]
    # A busy machine may hold up the others, too.
    (slow,) = [event for event in told if event.handler == "on_open"]
    assert slow.seconds >= 0.02
    assert slow.connection_id == supervisor.session.connection_id


def test_ctrl_c_after_the_start(supervise: Any, echo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is served already: the reactor ends it, and closes its stream, in an orderly way."""
    supervisor = supervise(echo.url)
    register = supervisor.reactor.register

    def interrupted(registrant: Any, *, quietly: bool) -> None:
        register(registrant, quietly=quietly)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(supervisor.reactor, "register", interrupted)
        with pytest.raises(KeyboardInterrupt):
            connect(supervisor)
    session = supervisor.session
    assert session is not None and session.finished.wait(SOON)
    assert session.connection.close_info.sent == (1001, "")
    assert supervisor.reactor.join(SOON)
