"""Aftermath: what follows the end of a connection, and who is told in which order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.builds import reaches_inside
from tests.outages import Waits, wait_until
from tieline.engine.callbacks import Watcher
from tieline.engine.handlers import Handlers
from tieline.engine.shared_reactor import Reactor
from tieline.engine.supervisor import Supervisor
from tieline.errors import ConnectError, ConnectionClosed
from tieline.events import GaveUpEvent, ReconnectingEvent
from tieline.options import Options
from tieline.protocol.state import State
from tieline.reconnect import Reconnect
from tieline.testing import EchoServer

SOON = 20.0


class Told:
    """A supervisor whose handlers write down what they were told, and the state they saw."""

    def __init__(self, url: Any, **options: Any) -> None:
        self.calls: list[tuple[str, State]] = []
        self.errors: list[Exception] = []
        self.events: list[Any] = []
        self.threads: set[str] = set()
        self.over = threading.Event()
        handlers = Handlers(
            callback=lambda message: self._note("end"),
            on_open=lambda response: self._note("open"),
            on_close=lambda info: self._note("close"),
            on_reconnecting=lambda attempt: self._note("reconnecting"),
            on_error=self._error,
            on_event=self._event,
        )
        checked = Options.build(url, {"proxy": None, "reconnect": True} | options)
        self.supervisor = Supervisor(checked, handlers, Reactor())

    def _note(self, call: str) -> None:
        self.calls.append((call, self.supervisor.state))
        self.threads.add(threading.current_thread().name.rstrip("0123456789"))

    def _error(self, error: Exception) -> None:
        self.errors.append(error)
        self._note("error")

    def _event(self, event: Any) -> None:
        if isinstance(event, GaveUpEvent | ReconnectingEvent):
            self.events.append(event)
            self._note(type(event).__name__)
        if isinstance(event, GaveUpEvent):
            self.over.set()

    def connect(self) -> None:
        self.supervisor.connect((), SOON, {})


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    return Waits(monkeypatch)


def test_until_it_gives_up(waits: Waits) -> None:
    with EchoServer() as server:
        told = Told(server.url, reconnect=Reconnect(max_attempts=2))
        told.connect()
    info = told.supervisor.wait(SOON)
    assert info.code == 1001
    assert told.calls == [
        ("open", State.OPEN),
        ("close", State.RECONNECTING),
        ("end", State.RECONNECTING),
        ("ReconnectingEvent", State.RECONNECTING),
        ("reconnecting", State.RECONNECTING),
        ("ReconnectingEvent", State.RECONNECTING),
        ("reconnecting", State.RECONNECTING),
        ("GaveUpEvent", State.CLOSED),
        ("error", State.CLOSED),
    ]
    assert "max_attempts=2 is reached" in told.events[-1].reason
    assert isinstance(told.errors[0], ConnectError)
    assert told.supervisor.state is State.CLOSED
    error = told.supervisor.closed_error()
    assert error.__cause__ is told.errors[0] and error.close_info is info
    assert "given up after 2 attempts" in str(error)


def test_an_end_that_is_not_retried_is_the_end(waits: Waits) -> None:
    with EchoServer() as server:
        told = Told(server.url)
        told.connect()
        server.close_connections(1000, "bye")
        assert told.supervisor.wait(SOON).code == 1000
        assert told.over.wait(SOON)
    assert [call for call, _ in told.calls] == ["open", "close", "end", "GaveUpEvent"]
    assert {state for _, state in told.calls[1:]} == {State.CLOSED}
    assert waits.seconds == []


def test_the_users_own_end_is_not_given_up(waits: Waits) -> None:
    with EchoServer() as server:
        told = Told(server.url)
        told.connect()
        told.supervisor.disconnect(1000, "", None)
    assert [call for call, _ in told.calls] == ["open", "close", "end"]


def test_no_thread_can_be_had(waits: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and nobody waits for ever."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("tieline-reconnect"):
            raise RuntimeError("can't start new thread")
        start(thread)

    with EchoServer() as server:
        told = Told(server.url)
        told.connect()
        monkeypatch.setattr(threading.Thread, "start", refuse)
        server.close_connections(1012, "")
        assert told.supervisor.wait(SOON).code == 1012
        assert told.over.wait(SOON)
    assert [call for call, _ in told.calls] == ["open", "close", "end", "GaveUpEvent", "error"]


def test_with_an_executor_its_threads_run_all_handlers(waits: Waits) -> None:
    jobs: list[Callable[[], None]] = []
    posted = threading.Semaphore(0)

    def submit(job: Callable[[], None]) -> None:
        jobs.append(job)
        posted.release()

    def run() -> None:
        while posted.acquire() and jobs:
            jobs.pop(0)()

    thread = threading.Thread(target=run, name="executor")
    thread.start()
    with EchoServer() as server:
        told = Told(server.url, executor=submit, reconnect=Reconnect(max_attempts=1))
        told.connect()
    told.supervisor.wait(SOON)
    posted.release()
    thread.join(SOON)
    told.threads.discard("MainThread")  # events of the first dial
    assert told.threads == {"executor"}
    assert [call for call, _ in told.calls][-2:] == ["GaveUpEvent", "error"]


def test_the_old_connection_ends_before_the_new_one_is_served(waits: Waits) -> None:
    with EchoServer() as server:
        told = Told(server.url)
        told.connect()
        old = told.supervisor.session
        response = told.supervisor.reconnect(overlap=True)
        assert response.reconnected and response.downtime == 0.0
        new = told.supervisor.session
        assert new is not old and new is not None and new.is_open
        assert old is not None and old.finished.wait(SOON)
        new.speaker.ping(b"").wait(SOON)
        assert told.supervisor.stats().reconnects == 1
        told.supervisor.disconnect(1000, "", None)
    calls = [call for call, _ in told.calls]
    assert calls == ["open", "close", "end", "open", "close", "end"]
    assert [state for _, state in told.calls][1:4] == [State.OPEN] * 3


def test_an_overlap_that_fails_keeps_the_old_connection(waits: Waits) -> None:
    with EchoServer() as server:
        urls = iter([server.url, "ws://127.0.0.1:1/", server.url])
        told = Told(lambda: next(urls))
        told.connect()
        session = told.supervisor.session
        with pytest.raises(ConnectError):
            told.supervisor.reconnect(overlap=True)
        assert told.supervisor.session is session and told.supervisor.state is State.OPEN
        server.close_connections(1012, "")
        waits.wait_for(1)  # and is replaced when it is lost, as before
        told.supervisor.disconnect(1000, "", None)
    assert [call for call, _ in told.calls][:3] == ["open", "close", "end"]


def test_a_handler_that_connects_by_itself_cannot_wait(waits: Waits) -> None:
    """Its connection is not read before it has returned, so it would wait for ever."""
    refusals: list[str] = []

    def connect_here(told: Told) -> None:
        told.connect()
        session = told.supervisor.session
        assert session is not None and session.is_open
        try:
            session.speaker.ping(b"").wait(SOON)
        except RuntimeError as error:
            refusals.append(str(error))

    with EchoServer() as server:
        told = Told(server.url)
        told.connect()
        first, note = told.supervisor.session, told._note

        def noted(call: str) -> None:
            note(call)
            if call == "reconnecting":
                connect_here(told)

        told._note = noted  # type: ignore[method-assign]
        server.close_connections(1012, "")
        wait_until(lambda: [call for call, _ in told.calls].count("open") == 2)
        session = told.supervisor.session
        assert session is not None and session is not first
        session.speaker.ping(b"").wait(SOON)
        told.supervisor.disconnect(1000, "", None)
    assert len(refusals) == 1 and "in a handler" in refusals[0]


def test_an_overlap_tells_beside_nobody(waits: Waits) -> None:
    """What it tries is told where the handlers of the connection run that is still there."""
    with EchoServer() as server:
        told = Told([server.url, "ws://127.0.0.1:1/"])
        told.connect()
        told.supervisor.recovery.good = 1  # from now on the second one comes first
        told.threads.clear()
        told.supervisor.reconnect(overlap=True)
        told.supervisor.disconnect(1000, "", None)
    calls = [call for call, _ in told.calls]
    assert "reconnecting" in calls
    assert told.threads == {"tieline-"}


@reaches_inside
def test_what_was_left_to_an_overlap_is_not_kept(
    waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old connection has ended during the overlap, whose dial fails at that very moment."""
    with EchoServer() as server:
        told = Told(server.url)
        told.connect()
        supervisor = told.supervisor
        with supervisor.lock:
            outage = supervisor.recovery.begin_again(is_first=False, overlaps=True)
        begin_after, kept = supervisor.recovery.begin_after, []

        def left_to_the_overlap(lost: Any, info: Any) -> Any:
            follows = begin_after(lost, info)
            kept.append((follows, supervisor.keep_old(outage)))
            return follows

        monkeypatch.setattr(supervisor.recovery, "begin_after", left_to_the_overlap)
        server.close_connections(1012, "restart")
        wait_until(lambda: bool(kept))
        assert kept == [(None, False)]
        assert supervisor.state is not State.CLOSED and supervisor.is_coming_back
        supervisor.recover(outage)
        wait_until(lambda: supervisor.state is State.OPEN)
        supervisor.disconnect(1000, "", None)


def test_who_waits_for_a_message_of_the_next_connection_in_a_child_process() -> None:
    line = tieline.WebSocketClient(print, "ws://127.0.0.1:1/")._line
    watcher = Watcher(lambda message: True, 1)
    line.callbacks.watch(watcher)
    line.abandon_after_fork()
    assert watcher.done.is_set() and isinstance(watcher.error, ConnectionClosed)
