"""Complaints: what goes wrong around handlers is told, and ends a connection if that is wanted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tieline.engine.handlers import Handlers
from tieline.engine.shared_reactor import Reactor
from tieline.engine.supervisor import Supervisor
from tieline.events import SlowCallbackEvent
from tieline.options import Options
from tieline.protocol.state import State
from tieline.protocol.wire import Opcode
from tieline.reconnect import Reconnect
from tieline.testing import EchoServer

SOON = 20.0

Connect = Callable[..., Supervisor]


class Heard:
    """What handlers were told."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.events: list[Any] = []
        self.has_error = threading.Event()

    def error(self, error: Exception) -> None:
        self.errors.append(error)
        self.has_error.set()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def connected(heard: Heard, echo: EchoServer) -> Iterator[Connect]:
    """connected(on_message, **options): an open line."""
    made: list[Supervisor] = []

    def connect(on_message: Any = print, **options: Any) -> Supervisor:
        handlers = Handlers(
            on_message=on_message, on_error=heard.error, on_event=heard.events.append
        )
        checked = Options.build(echo.url, {"proxy": None} | options)
        made.append(Supervisor(checked, handlers, Reactor()))
        made[-1].connect((), SOON, {})
        return made[-1]

    yield connect
    for supervisor in made:
        supervisor.disconnect(1000, "", None)


def say(supervisor: Supervisor) -> None:
    assert supervisor.session is not None
    supervisor.session.speaker.message(Opcode.TEXT, b"secret")


def fail(message: str) -> None:
    raise ValueError(f"cannot read {message}")


def test_a_slow_handler(connected: Connect, heard: Heard) -> None:
    supervisor = connected(lambda message: threading.Event().wait(0.02), slow_callback=0.01)
    say(supervisor)
    supervisor.disconnect(1000, "", None)
    told = [event for event in heard.events if isinstance(event, SlowCallbackEvent)]
    assert [event.handler for event in told if event.seconds >= 0.02] == ["on_message"]


def test_a_handler_that_raises_changes_nothing(connected: Connect, heard: Heard) -> None:
    supervisor = connected(fail)
    say(supervisor)
    assert heard.has_error.wait(SOON)
    assert str(heard.errors[0]) == "cannot read secret"
    assert supervisor.state is State.OPEN


def test_or_ends_the_connection(connected: Connect, heard: Heard, echo: EchoServer) -> None:
    """With 1011, and without a word to the peer of what it has said."""
    supervisor = connected(fail, close_on_callback_error=True)
    say(supervisor)
    info = supervisor.wait(SOON)
    assert info.sent is not None and info.sent.code == 1011
    assert info.sent.reason == "a handler raised ValueError"
    assert isinstance(heard.errors[0], ValueError)


def test_a_predicate_that_raises(connected: Connect, heard: Heard, echo: EchoServer) -> None:
    """It is told, and the default rules decide."""

    def retry(cause: object) -> bool:
        raise SystemExit("from the predicate")

    supervisor = connected(reconnect=Reconnect(retry=retry))
    echo.close_connections(1000, "bye")
    assert supervisor.wait(SOON).code == 1000
    assert heard.has_error.wait(SOON)
    assert [str(error) for error in heard.errors] == ["from the predicate"]


def test_messages_that_nobody_will_get(
    connected: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = connected()
    with caplog.at_level(logging.INFO, "tieline"):
        supervisor.on_dropped(3)
        supervisor.log_dropped()
        supervisor.log_dropped()  # only once
    assert supervisor.stats().dropped == 3
    told = [text for text in caplog.messages if "after close()" in text]
    assert len(told) == 1 and told[0].startswith("3 messages") or "] 3 messages" in told[0]
