"""A session in memory, stepped by hand → what the engine's tests look at."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.engine.owning import Owner
from tieline.engine.callbacks import Callbacks
from tieline.engine.connecting import connection_settings
from tieline.engine.delivery import Delivery
from tieline.engine.handlers import NO_HANDLERS, Handlers
from tieline.engine.inbox import Inbox
from tieline.engine.receiving import Receiver
from tieline.engine.serial import Runner
from tieline.engine.session import Session
from tieline.engine.shared_reactor import Reactor
from tieline.engine.stream_delivery import StreamDelivery
from tieline.engine.supervisor import Supervisor
from tieline.options import Options
from tieline.protocol.endpoints import client_connection, server_connection
from tieline.protocol.events import Opened, RequestReceived
from tieline.protocol.handshake import UpgradeRequest
from tieline.protocol.settings import Settings
from tieline.protocol.wire import Opcode
from tieline.testing import (
    EchoServer,
    ManualClock,
    MemoryStream,
    Recorder,
    ScriptedServer,
    StepReactor,
)
from tieline.testing.memory import memory_streams

REQUEST = UpgradeRequest(host="example.com", target="/")


class OpenInbox(Inbox):
    """A class of Python's, also where its base is compiled: a test may replace its methods."""


class SteppedSession:
    """A session, its reactor, and the server's end of its stream."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        kinds: tuple[str, ...] = ("open", "close", "error", "ping", "pong"),
        capacity: int = 64 * 1024,
        submit: Any = None,
        drivable: bool = False,
        **options: Any,
    ) -> None:
        self.options = Options.build("ws://example.com/", options)
        self.clock = ManualClock()
        self.reactor = StepReactor(self.clock)
        near, self.far = memory_streams(capacity)
        self.near: MemoryStream = near
        self.server = server_connection(Settings(ping_interval=None))
        self.round_trips: list[float] = []
        self.ended: list[Session] = []
        self.log = logging.getLogger("tieline")
        handlers = Handlers(callback=recorder.callback, **recorder.handlers(*kinds))
        self.callbacks = Callbacks(handlers, self.log)
        self.owner = Owner(lambda: self.session.resume_reading())
        kind = OpenInbox if drivable else StreamDelivery if self.options.streaming else Delivery
        self.delivery = kind(
            self.callbacks,
            None if submit is None else Runner(submit),
            self.options.max_queue,
            self.owner,
        )
        inspect = "frame" in kinds or self.options.frame_events
        connection = client_connection(
            REQUEST, "ws://example.com/", connection_settings(self.options, inspect)
        )
        connection.start()
        request = b"".join(connection.data_to_send())
        self.server.receive_data(request, len(request), self.clock.now())
        assert isinstance(self.server.next_event(self.clock.now()), RequestReceived)
        self.server.accept(self.clock.now())
        answer = b"".join(self.server.data_to_send())
        connection.receive_data(answer, len(answer), self.clock.now())
        opened = connection.next_event(self.clock.now())
        assert isinstance(opened, Opened)
        self.response = opened.response
        if self.options.streaming:
            connection.stream_messages()
        self.session = Session(
            connection=connection,
            connection_id=7,
            stream=near,
            reactor=self.reactor,  # type: ignore[arg-type]
            delivery=self.delivery,
            options=self.options,
            log=self.log,
            owner=self,
            drivable=drivable,
        )
        # What a driving thread waits on: readable at any time, so that it never does.
        self._descriptor: socket.socket | None = None
        if drivable:
            self._descriptor, other = socket.socketpair()
            other.close()
            near.fileno = self._descriptor.fileno  # type: ignore[method-assign]

    def open(self) -> SteppedSession:
        self.session.start(self.response)
        self.run()
        return self

    def on_round_trip(self, seconds: float) -> None:
        self.round_trips.append(seconds)

    def on_finished(self, session: Session) -> None:
        """Nothing follows."""

    def on_ended(self, session: Session) -> None:
        self.ended.append(session)
        self.delivery.end(session.connection.close_info)

    def close(self) -> None:
        self.session.drop()
        self.run()
        if self._descriptor is not None:
            self._descriptor.close()

    def drive(self, timeout: float = 0.0) -> bool:
        """One step of a thread that waits for a message. False: it could not begin."""
        driver = self.session.driver
        assert driver is not None
        try:
            if not driver.enter():
                return False
            driver.step(timeout)
        finally:
            driver.leave()
        return True

    def run(self) -> None:
        self.reactor.run_until_idle()

    def server_sends(self, *messages: str | bytes) -> None:
        """All in one piece."""
        for message in messages:
            kind = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
            data = message.encode() if isinstance(message, str) else message
            self.server.outgoing.message(kind, data)
        self.flush_server()
        self.run()

    def flush_server(self) -> None:
        for piece in self.server.data_to_send():
            self.far.write(bytes(piece))

    def server_gets(self) -> list[Any]:
        """All that the server is told of what has come, answers sent."""
        data = self.far.read()
        self.server.receive_data(data, len(data), self.clock.now())
        if self.far.at_end:
            self.server.receive_eof()
        events = []
        while (event := self.server.next_event(self.clock.now())) is not None:
            events += event if isinstance(event, list) else [event]
        if not self.far.at_end:
            self.flush_server()
        self.run()
        return events

    def in_another_thread(self, function: Callable[[], Any]) -> Any:
        """The result of a call by a thread that is not the reactor's."""
        outcome: list[Any] = []

        def call() -> None:
            try:
                outcome.append((function(), None))
            except BaseException as error:
                outcome.append((None, error))

        thread = threading.Thread(target=call)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
        value, error = outcome[0]
        if error is not None:
            raise error
        return value


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def line_of(recorder: Recorder) -> Iterator[Callable[..., SteppedSession]]:
    """line_of(**options): an open line; start=False: one whose `open()` the test calls."""
    lines: list[SteppedSession] = []

    def make(start: bool = True, **options: Any) -> SteppedSession:
        lines.append(SteppedSession(recorder, **options))
        return lines[-1].open() if start else lines[-1]

    yield make
    for line in lines:
        line.close()
        assert line.ended == [line.session]


@pytest.fixture
def line(line_of: Callable[..., SteppedSession]) -> SteppedSession:
    return line_of()


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
        checked = Options.build(url, {"proxy": None} | options)
        made.append(Supervisor(checked, handlers, checked.reactor or Reactor()))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.disconnect(1001, "", 0.2)


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(*scripts: Any, **options: Any) -> ScriptedServer:
        servers.append(ScriptedServer(*scripts, **({"timeout": 20.0} | options)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def receiver_of() -> Iterator[Callable[..., Receiver]]:
    """receiver_of(server, handlers, **options): connected, and closed at the test's end."""
    made: list[Receiver] = []

    def connect(server: Any, handlers: Handlers | None = None, **options: Any) -> Receiver:
        checked = Options.build(server.url, {"proxy": None} | options)
        made.append(Receiver(checked, handlers or NO_HANDLERS))
        made[-1].connect((), checked.connect_timeout, {})
        return made[-1]

    yield connect
    for receiver in made:
        receiver.disconnect(1000, "", 0.2)
