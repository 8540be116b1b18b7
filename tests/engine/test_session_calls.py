"""SessionCalls: what others ask of a session happens on its reactor's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Lines = Callable[..., Any]


def test_the_reactor_is_asked(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session, asked = line.session, []
    monkeypatch.setattr(line.reactor, "call_soon", lambda whose, call: asked.append((whose, call)))
    session.call_handler(lambda: None)
    session.on_blocked()
    session.on_broken()
    calls = (session.deliver_now, session.watch, session.after_broken_write)
    assert asked == [(session, call) for call in calls]


def test_at_once_on_its_thread_and_soon_on_another(line_of: Lines) -> None:
    line = line_of(ping_interval=5.0)
    line.session.liveness.cancel()
    line.session.delivered()
    assert line.reactor.next_deadline() == line.clock.now() + 5.0
    line.session.liveness.cancel()
    line.in_another_thread(line.session.delivered)
    assert line.reactor.next_deadline() is None
    line.run()
    assert line.reactor.next_deadline() == line.clock.now() + 5.0


def test_heartbeats(line_of: Lines) -> None:
    line = line_of(heartbeat_interval=60.0, heartbeat_message="beat")
    line.session.send_heartbeat()
    line.session.send_heartbeat()
    assert line.server_gets() == ["beat", "beat"]


def test_one_object_with_several_roles(line: Any) -> None:
    assert line.session.pump is line.session.speaker is line.session
