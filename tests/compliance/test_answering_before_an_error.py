"""A message and a broken rule in one packet → the message is answered before the connection fails.

Ten Autobahn cases (3.2, 4.1.3, 5.15 among them) send a text and right behind it what RFC 6455
forbids. A program that receives by asking gets to its answer only after the error was read.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

import tieline
from compliance import fronts
from compliance.fronts import Talk
from tieline.protocol.endpoints import server_connection
from tieline.protocol.events import Closed, RequestReceived

PATIENCE = 20.0

#: A text frame, and one with a reserved bit.
HELLO, BROKEN = b"\x81\x05Hello", b"\xc1\x05Hello"


class RudeServer:
    """Answers one connection with the 101 and `behind_it`, then with `later`; keeps what comes."""

    def __init__(self, connected: socket.socket) -> None:
        self.behind_it = b""
        self.later = b""
        self.received: list[str | bytes] = []
        self.close_code: int | None = None
        self.closed = threading.Event()
        self._socket = connected
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def say(self, data: bytes) -> None:
        self._socket.sendall(data)

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with self._socket:
            self._socket.settimeout(PATIENCE)
            try:
                self._talk()
            finally:
                self.closed.set()

    def _talk(self) -> None:
        connection = server_connection()
        while data := self._socket.recv(4096):
            connection.receive_data(data, len(data), 0.0)
            rude = b""
            while (event := connection.next_event(0.0)) is not None:
                if isinstance(event, RequestReceived):
                    connection.accept(0.0)
                    rude = self.behind_it
                elif isinstance(event, list):
                    self.received += event
                elif isinstance(event, Closed):
                    assert event.info.received is not None
                    self.close_code = event.info.received.code
            self._socket.sendall(b"".join(connection.data_to_send()) + rude)
            if rude and self.later:
                self._socket.sendall(self.later)
            if self.close_code is not None:
                return


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, RudeServer]]:
    ours, theirs = socket.socketpair()
    server = RudeServer(theirs)
    yield ours, server
    ours.close()
    server.join()


@pytest.fixture(params=["callback", "sync", "asyncio", "uvloop"])
def talk(request: pytest.FixtureRequest) -> Talk:
    if request.param in ("callback", "sync"):
        return fronts.front(request.param)
    try:
        return fronts.front("aio", request.param)
    except ImportError:
        pytest.skip("uvloop is not installed")


@pytest.mark.parametrize("behind_the_101", [True, False], ids=["with the 101", "later"])
def test_what_came_before_the_error_is_answered_before_the_close(
    line: tuple[socket.socket, RudeServer], talk: Talk, behind_the_101: bool
) -> None:
    sock, server = line
    if behind_the_101:
        server.behind_it = HELLO + BROKEN
    else:
        server.behind_it, server.later = HELLO, HELLO + BROKEN
    server.start()
    unsent = talk("ws://127.0.0.1/", lambda message: message, PATIENCE, sock=sock)
    server.join()
    assert unsent == []
    assert server.received == (["Hello"] if behind_the_101 else ["Hello", "Hello"])
    assert server.close_code == 1002


def test_who_never_asks_for_more_does_not_keep_the_connection_from_failing(
    line: tuple[socket.socket, RudeServer],
) -> None:
    sock, server = line
    server.behind_it = HELLO + BROKEN
    server.start()
    connection = tieline.connect("ws://127.0.0.1/", sock=sock)
    assert server.closed.wait(PATIENCE)
    assert server.close_code == 1002
    assert connection.recv(PATIENCE) == "Hello"
    with pytest.raises(tieline.ConnectionClosed) as raised:
        connection.recv(PATIENCE)
    assert isinstance(raised.value.__cause__, tieline.ProtocolError)
    connection.close()


def test_a_task_that_never_asks_does_not_either(line: tuple[socket.socket, RudeServer]) -> None:
    sock, server = line
    server.behind_it = HELLO + BROKEN
    server.start()

    async def run() -> None:
        connection = await tieline.aio.connect("ws://127.0.0.1/", sock=sock)
        assert await asyncio.to_thread(server.closed.wait, PATIENCE)
        assert server.close_code == 1002
        assert await connection.recv(PATIENCE) == "Hello"
        with pytest.raises(tieline.ConnectionClosed) as raised:
            await connection.recv(PATIENCE)
        assert isinstance(raised.value.__cause__, tieline.ProtocolError)
        await connection.close()

    asyncio.run(run())


def test_closing_does_not_wait_for_the_messages_to_be_taken(
    line: tuple[socket.socket, RudeServer],
) -> None:
    sock, server = line
    server.behind_it = HELLO + BROKEN
    server.start()
    connection = tieline.connect("ws://127.0.0.1/", sock=sock)
    connection.close()
    server.join()
    assert server.close_code in (1000, 1002)
    assert connection.recv(0) == "Hello"


@pytest.fixture
def busy_reactor() -> Iterator[tuple[tieline.Reactor, threading.Event]]:
    """A reactor whose thread is in a handler of another client until the event is set."""
    reactor = tieline.Reactor()
    over, entered = threading.Event(), threading.Event()

    def on_open(response: object) -> None:
        entered.set()
        over.wait(2 * PATIENCE)

    ours, theirs = socket.socketpair()
    server = RudeServer(theirs)
    server.start()
    client = tieline.WebSocketClient(
        url="ws://127.0.0.1/", sock=ours, on_open=on_open, on_message=print, reactor=reactor
    )
    client.connect()
    assert entered.wait(PATIENCE)
    yield reactor, over
    over.set()
    client.disconnect()
    ours.close()
    server.join()


def test_what_comes_with_the_101_is_received_first_when_the_reactor_has_no_time(
    line: tuple[socket.socket, RudeServer], busy_reactor: tuple[tieline.Reactor, threading.Event]
) -> None:
    sock, server = line
    reactor, over = busy_reactor
    server.behind_it = HELLO + b"\x81\x05Wo"
    server.start()
    opened: list[object] = []
    connection = tieline.connect(
        "ws://127.0.0.1/", sock=sock, reactor=reactor, on_open=opened.append
    )
    assert connection.recv(PATIENCE) == "Hello"
    server.say(b"rld")
    assert connection.recv(PATIENCE) == "World"
    assert len(opened) == 1
    over.set()
    connection.close()
