"""Echo servers, scripted servers and programs of their own → what the behaviours are shown on."""

from __future__ import annotations

import signal
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme

import tieline
from tests.unmeasured import unmeasured
from tieline.engine import driving, receiving, supervisor
from tieline.testing import EchoServer, Recorder, ScriptedServer
from tieline.transport import attempt

#: Seconds after which something that should have happened long ago will not happen any more.
PATIENCE = 20.0


@dataclass
class Place:
    """A server to connect to, and the options that it takes."""

    url: str
    options: dict[str, Any] = field(default_factory=lambda: {"proxy": None})

    def client(self, callback: Callable[[Any], object], **options: Any) -> tieline.WebSocketClient:
        return tieline.WebSocketClient(callback, self.url, **(self.options | options))


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def place_of(authority: trustme.CA) -> Callable[[Any], Place]:
    """place_of(server): how to reach it, with the options of its TLS."""

    def place(server: Any) -> Place:
        options: dict[str, Any] = {"proxy": None}
        if server.url.startswith("wss:"):
            options["ssl_ca_data"] = authority.cert_pem.bytes()
        return Place(server.url, options)

    return place


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer() as server:
        yield server


@pytest.fixture(params=["tcp", "tls"])
def echo_place(
    request: pytest.FixtureRequest,
    server_context: ssl.SSLContext,
    place_of: Callable[[Any], Place],
) -> Iterator[Place]:
    """An echo server, with and without TLS."""
    context = server_context if request.param == "tls" else None
    with EchoServer(ssl_context=context) as server:
        yield place_of(server)


@pytest.fixture(params=["tcp", "tls"])
def secure_or_not(request: pytest.FixtureRequest, server_context: ssl.SSLContext) -> dict[str, Any]:
    """The keywords of a server, with and without TLS."""
    return {"ssl_context": server_context if request.param == "tls" else None}


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    """scripted(*scripts, **options): a server that is closed, and judged, at the test's end."""
    servers: list[ScriptedServer] = []

    def start(*scripts: Any, **options: Any) -> ScriptedServer:
        servers.append(ScriptedServer(*scripts, **({"timeout": PATIENCE} | options)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def clients() -> Iterator[Callable[..., tieline.WebSocketClient]]:
    """clients(callback, url, **options): a client that is closed at the test's end."""
    made: list[tieline.WebSocketClient] = []

    def make(*arguments: Any, **options: Any) -> tieline.WebSocketClient:
        made.append(tieline.WebSocketClient(*arguments, **({"proxy": None} | options)))
        return made[-1]

    yield make
    for client in made:
        client.disconnect(timeout=0.2)


@pytest.fixture
def plain() -> Iterator[Callable[..., tieline.Connection]]:
    """plain(url or place, **options): an open connection that is closed at the test's end."""
    made: list[tieline.Connection] = []

    def open_connection(where: Any, **options: Any) -> tieline.Connection:
        place = where if isinstance(where, Place) else Place(where)
        made.append(tieline.connect(place.url, **(place.options | options)))
        return made[-1]

    yield open_connection
    for connection in made:
        connection.close(timeout=0.2)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


class Program:
    """A Python program of its own, with every warning an error. Tells when it is ``ready``."""

    def __init__(self, source: str, *arguments: str, measured: bool = True) -> None:
        self._measured = measured
        self._process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(source), *arguments],
            env=None if measured else unmeasured(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # What a buffer had read behind the line ``ready`` would be lost to `communicate`.
            bufsize=0,
        )
        # A program that hangs must not make the test hang with it.
        self._limit = threading.Timer(PATIENCE, self._process.kill)
        self._limit.start()
        self.errors = ""

    def wait_until_ready(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line != b"ready\n":
            raise AssertionError(f"expected 'ready', got {line!r}: {self.finish()}")

    def press_ctrl_c(self) -> None:
        assert not self._measured, "coverage may hang what gets a signal: program(measured=False)"
        self._process.send_signal(signal.SIGINT)

    def finish(self) -> tuple[float, int, str]:
        """Seconds until it had ended, its exit status and what it printed."""
        started = time.monotonic()
        output, errors = self._process.communicate(timeout=2 * PATIENCE)
        self.errors = errors.decode()
        return time.monotonic() - started, self._process.returncode, output.decode() + self.errors

    def kill(self) -> None:
        self._limit.cancel()
        self._limit.join()
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.communicate()


@pytest.fixture
def program() -> Iterator[Callable[..., Program]]:
    """program(source, *arguments): started at once, killed at the test's end.

    ``measured=False`` for one that gets signals, or forks: tests/unmeasured.py says why.
    """
    programs: list[Program] = []

    def start(source: str, *arguments: str, measured: bool = True) -> Program:
        programs.append(Program(source, *arguments, measured=measured))
        return programs[-1]

    yield start
    for one in programs:
        one.kill()


@pytest.fixture
def in_thread() -> Iterator[Callable[..., Callable[[], Any]]]:
    """in_thread(function, *arguments): runs it; the result's call waits, returns or raises."""
    threads: list[threading.Thread] = []

    def start(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        outcome: list[Any] = []

        def run() -> None:
            try:
                outcome.append((function(*arguments), None))
            except BaseException as error:
                outcome.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        threads.append(thread)
        thread.start()

        def result() -> Any:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{function} does not return"
            value, error = outcome[0]
            if error is not None:
                raise error
            return value

        return result

    yield start
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def without_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not woken waits for very long, so that a busy machine cannot hide it."""
    for module in (driving, receiving):
        monkeypatch.setattr(module, "SLICE", 60.0)


@pytest.fixture
def without_second_chances(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dial or a handler that is not told to end is waited for very long, for the same reason."""
    monkeypatch.setattr(attempt, "_LONGEST_POLL", 60.0)
    monkeypatch.setattr(supervisor, "_CANCELLED_DIAL", 60.0)
    monkeypatch.setattr(supervisor, "_LAST_HANDLERS", 60.0)


@pytest.fixture
def within() -> Callable[[float], Any]:
    """``with within(0.5):`` fails when the body takes longer, in seconds."""

    class Within:
        def __init__(self, seconds: float) -> None:
            self._seconds = seconds

        def __enter__(self) -> None:
            self._started = time.monotonic()

        def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
            if error is None:
                taken = time.monotonic() - self._started
                assert taken < self._seconds, f"took {taken:.2f} s, not {self._seconds:g}"

    return Within
