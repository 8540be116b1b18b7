"""Loops of both kinds, sockets and something that is served → what the asyncio tests run on."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Coroutine, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
import trustme

from tests.unmeasured import unmeasured
from tieline.aio.adoption import take_over
from tieline.aio.loop_reactor import LoopReactor, running_loop_reactor
from tieline.testing import EchoServer, ScriptedServer
from tieline.transport.stream import SocketStream, Stream
from tieline.transport.tls_stream import TLSStream

#: Seconds after which something that should have happened long ago will not happen any more.
PATIENCE = 20.0

NewLoop = Callable[[], asyncio.AbstractEventLoop]
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="session", autouse=True)
def descriptors_that_uvloop_keeps() -> None:
    """The first loop of a process opens a pipe for all: that is no leak of the first test."""
    if find_spec("uvloop") is not None:
        import uvloop

        uvloop.new_event_loop().close()


@pytest.fixture(params=["asyncio", "uvloop"])
def new_loop(request: pytest.FixtureRequest) -> NewLoop:
    """Makes a loop of one kind; each test runs on every kind."""
    if request.param == "asyncio":
        return asyncio.new_event_loop
    if find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed")
    import uvloop

    return uvloop.new_event_loop


@pytest.fixture
def run(new_loop: NewLoop) -> Run:
    """run(coroutine): its result, from a loop of its own; what goes wrong in callbacks is raised.

    In debug mode, because asyncio then objects to calls from other threads.
    """

    def run_it(main: Coroutine[Any, Any, Any]) -> Any:
        problems: list[dict[str, Any]] = []

        async def bounded() -> Any:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: problems.append(context))
            async with asyncio.timeout(2 * PATIENCE):
                return await main

        with asyncio.Runner(loop_factory=new_loop, debug=True) as runner:
            result = runner.run(bounded())
        gc.collect()
        assert problems == []
        return result

    return run_it


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer() as server:
        yield server


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(*scripts: Any, **options: Any) -> ScriptedServer:
        servers.append(ScriptedServer(*scripts, **({"timeout": PATIENCE} | options)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected TCP sockets; the far one is non-blocking."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), PATIENCE)
        far, _ = listener.accept()
    far.setblocking(False)
    with near, far:
        yield near, far


class Reader:
    """Something that a reactor serves: keeps what it is told, and reads while `reading`."""

    def __init__(self, stream: Stream, reactor: LoopReactor, size: int | None = None) -> None:
        self.stream = stream
        self.reactor = reactor
        self.reading = True
        self.writing = False
        self.received = bytearray()
        self.ended = False
        self.error: Exception | None = None
        self.told: list[Any] = []
        self._view = reactor.memory.view if size is None else memoryview(bytearray(size))
        self._changed = asyncio.Event()

    def start(self) -> Reader:
        self.reactor.register(self)
        return self

    def watch(self, *, reading: bool | None = None, writing: bool | None = None) -> None:
        self.reading = self.reading if reading is None else reading
        self.writing = self.writing if writing is None else writing
        self.reactor.watch(self, readable=self.reading, writable=self.writing)
        if self.reading and self.stream.has_buffered_input:
            self.reactor.call_soon(self, lambda: self.on_readable(self.reactor.now()))

    def tell(self, what: Any) -> None:
        self.told.append(what)
        self._changed.set()

    async def until(self, predicate: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not predicate():
                self._changed.clear()
                await self._changed.wait()

    async def receive(self, count: int) -> bytes:
        """So many bytes, and no more than these."""
        await self.until(lambda: len(self.received) >= count)
        received = bytes(self.received)
        self.received.clear()
        assert len(received) == count
        return received

    def end(self) -> None:
        self.reactor.unregister(self)
        self.stream.close()

    # What a reactor calls.

    def fileno(self) -> int:
        return self.stream.fileno()

    def on_registered(self) -> None:
        self.tell("registered")
        self.watch()

    def on_readable(self, now: float) -> None:
        if not self.reading:
            return
        try:
            count = self.stream.receive_into(self._view)
        except OSError as error:
            self.error = error
            self.watch(reading=False)
        else:
            if count:
                self.received += self._view[:count]
            elif count == 0:
                self.ended = True
                self.watch(reading=False)
        self.tell("readable")
        if self.reading and self.stream.has_buffered_input:
            self.reactor.call_soon(self, lambda: self.on_readable(self.reactor.now()))

    def on_writable(self) -> None:
        self.stream.flush()
        self.tell("writable")

    def abandon_after_fork(self) -> None:
        self.stream.detach_after_fork()

    def fail(self, error: Exception) -> None:
        self.tell(error)

    # What a session has as well.

    def close(self, code: int, reason: str) -> None:
        self.tell(("close", code))
        self.stream.send(b"closing %d" % code)

    def drop(self) -> None:
        self.tell("drop")
        self.end()


@pytest.fixture
def reader_of() -> type[Reader]:
    """The class, for tests that do not import this file."""
    return Reader


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())


class Program:
    """Runs a program to its end, with every warning an error: its output, and its seconds."""

    def __init__(self, source: str, *arguments: str, measured: bool) -> None:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(source), *arguments],
            env=None if measured else unmeasured(),
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )
        self.seconds = time.monotonic() - began
        self.status = done.returncode
        self.output = done.stdout
        self.errors = done.stderr


@pytest.fixture
def program(new_loop: NewLoop) -> Callable[..., Program]:
    """program(source, *arguments), which may use `open_session(url)` and `new_loop()`.

    ``measured=False`` for one that forks: tests/unmeasured.py says why.
    """
    kind = new_loop.__module__.partition(".")[0]

    def run_it(source: str, *arguments: str, measured: bool = True) -> Program:
        prelude = f"import asyncio, sys\nfrom {kind} import new_event_loop\n"
        source = prelude + OPEN_SESSION + textwrap.dedent(source)
        return Program(source, *arguments, measured=measured)

    return run_it


#: What the front will do: dial on a thread, adopt the stream, start a session on the loop.
OPEN_SESSION = """
import logging
from tieline.aio.adoption import take_over
from tieline.aio.dialling import dial_in_thread
from tieline.aio.loop_reactor import running_loop_reactor
from tieline.engine.callbacks import Callbacks
from tieline.engine.connecting import connect, connection_settings
from tieline.engine.record import Record
from tieline.engine.delivery import Delivery
from tieline.engine.handlers import Handlers
from tieline.engine.route import Target, parse_options_url
from tieline.engine.session import Session
from tieline.options import Options
from tieline.transport.attempt import Attempt

class Owner:
    def on_round_trip(self, seconds): pass
    def on_ended(self, session): pass
    def on_finished(self, session): pass

def new_loop():
    loop = new_event_loop()
    loop.slow_callback_duration = 60  # in debug mode asyncio complains of a busy machine
    return loop

async def open_session(url, on_close=lambda info: None, on_message=lambda message: None):
    options = Options.build(url, {"proxy": None})
    target = Target(options, parse_options_url(options, url), ())
    attempt = Attempt(5)
    connected = await dial_in_thread(
        lambda post: connect(
            target, connection_settings(options, False), attempt, Record(), None),
        attempt, lambda connected: connected.stream.close())
    reactor = running_loop_reactor()
    stream = await take_over(connected.stream, reactor)
    handlers = Handlers(callback=lambda message: None, on_close=on_close, on_message=on_message)
    log = logging.getLogger("tieline")
    session = Session(
        connection=connected.connection, connection_id=1, stream=stream, reactor=reactor,
        delivery=Delivery(Callbacks(handlers, log), None, 10), options=options,
        log=log, owner=Owner())
    session.start(connected.response)
    return session
"""


class Far:
    """The peer: bytes through any number of TLS layers, on the loop."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.layers: list[tuple[ssl.MemoryBIO, ssl.MemoryBIO, ssl.SSLObject]] = []

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, self.wrap(data))

    async def receive(self, count: int) -> bytes:
        """At least so many bytes, or what comes before the end."""
        received = b""
        async with asyncio.timeout(PATIENCE):
            while len(received) < count:
                data = await asyncio.get_running_loop().sock_recv(self.socket, 256 * 1024)
                if not data:
                    break
                received += self.unwrap(data)
        return received

    def add_layer(self, context: ssl.SSLContext) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_side=True)
        self.layers.append((incoming, outgoing, session))

    def wrap(self, data: bytes, depth: int = 0) -> bytes:
        """Plaintext of the layer above `depth`, as it goes over the wire."""
        for _, outgoing, session in reversed(self.layers[depth:]):
            session.write(data)
            data = outgoing.read()
        return data

    def unwrap(self, data: bytes, layers: int | None = None) -> bytes:
        for incoming, _, session in self.layers[:layers]:
            incoming.write(data)
            data = b""
            try:
                while piece := session.read(256 * 1024):
                    data += piece
            except ssl.SSLWantReadError:
                pass
        return data

    def step(self) -> None:
        """One step of the newest layer's handshake, with what has come."""
        below = len(self.layers) - 1
        incoming, outgoing, session = self.layers[-1]
        try:
            while data := self.socket.recv(256 * 1024):
                incoming.write(self.unwrap(data, below))
        except BlockingIOError:
            pass
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            pass
        if outgoing.pending:
            data = outgoing.read()
            for _, lower_outgoing, lower in reversed(self.layers[:below]):
                lower.write(data)
                data = lower_outgoing.read()
            self.socket.sendall(data)


@pytest.fixture
def connected(
    pair: tuple[socket.socket, socket.socket],
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
) -> Callable[[str], tuple[Stream, Far]]:
    """connected("plain" | "tls" | "tls over tls"): a stream of blocking calls, and its peer."""

    def connect(kind: str) -> tuple[Stream, Far]:
        far = Far(pair[1])
        stream: Stream = SocketStream(pair[0])
        for _ in range(kind.count("tls")):
            stream = TLSStream(stream, client_context, "localhost")
            far.add_layer(server_context)
            for _ in range(10_000):
                if stream.handshake():
                    far.step()
                    break
                far.step()
            else:
                pytest.fail("the handshake does not end")
        return stream, far

    return connect


@pytest.fixture
def take() -> Callable[[Stream, LoopReactor], Coroutine[Any, Any, Stream]]:
    """How `served` makes a stream the loop's."""
    return take_over


@pytest.fixture
def served(
    connected: Callable[[str], tuple[Stream, Far]],
    take: Callable[[Stream, LoopReactor], Coroutine[Any, Any, Stream]],
) -> Callable[..., Coroutine[Any, Any, tuple[Reader, Far]]]:
    """await served(kind): a reader on the running loop, and its peer."""

    async def serve(kind: str = "plain", size: int | None = None) -> tuple[Reader, Far]:
        stream, far = connected(kind)
        reactor = running_loop_reactor()
        return Reader(await take(stream, reactor), reactor, size).start(), far

    return serve
