"""The first message, or the open itself → a handler that may already use the client.

The first frame of nearly every Autobahn case follows the 101 so closely that its handler runs
before `connect` has returned.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import tieline
from tieline import client
from tieline.engine.reactor import OwnReactor
from tieline.protocol.endpoints import server_connection
from tieline.protocol.events import RequestReceived
from tieline.protocol.wire import Opcode

TIMEOUT = 20.0


@pytest.fixture
def slow_start(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Sessions that have started only when a test sets this: their handlers come first."""
    handled = threading.Event()

    class Slow(OwnReactor):
        def register(self, registrant: Any, **how: bool) -> None:
            super().register(registrant, **how)
            assert handled.wait(TIMEOUT), "no handler was called"

    monkeypatch.setattr(client, "OwnReactor", Slow)
    return handled


class GreetingServer:
    """Accepts one connection and says hello in the packet that holds the 101."""

    def __init__(self, connected: socket.socket) -> None:
        self.received: list[str | bytes] = []
        self._socket = connected
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._socket:
            self._socket.settimeout(TIMEOUT)
            self._talk()

    def _talk(self) -> None:
        connection = server_connection()
        while data := self._socket.recv(4096):
            connection.receive_data(data, len(data), 0.0)
            while (event := connection.next_event(0.0)) is not None:
                if isinstance(event, RequestReceived):
                    connection.accept(0.0)
                    connection.outgoing.message(Opcode.TEXT, b"hello")
                elif isinstance(event, list):
                    self.received += event
            self._socket.sendall(b"".join(connection.data_to_send()))
            if connection.close_info is not None:
                return

    def join(self) -> None:
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, GreetingServer]]:
    ours, theirs = socket.socketpair()
    server = GreetingServer(theirs)
    yield ours, server
    ours.close()
    server.join()


def test_a_message_that_comes_with_the_101_can_be_answered_at_once(
    line: tuple[socket.socket, GreetingServer], slow_start: threading.Event
) -> None:
    sock, server = line
    errors: list[BaseException] = []

    def echo(message: object) -> None:
        client.send(message)
        slow_start.set()

    client = tieline.WebSocketClient(
        url="ws://127.0.0.1/", sock=sock, on_message=echo, on_error=errors.append
    )
    client.connect()
    client.disconnect()
    server.join()
    assert errors == []
    assert server.received == ["hello"]


def test_on_open_finds_the_client_open_and_complete(
    line: tuple[socket.socket, GreetingServer], slow_start: threading.Event
) -> None:
    sock, server = line
    found: dict[str, object] = {}

    def look(response: tieline.HandshakeResponse) -> None:
        found["is_open"] = client.is_open()
        found["state"] = client.state
        found["response"] = client.response is response
        found["connection_id"] = client.connection_id > 0
        found["status"] = client.connection_info().get("response-code")
        client.send("from on_open")
        slow_start.set()

    client = tieline.WebSocketClient(url="ws://127.0.0.1/", sock=sock, on_open=look)
    client.connect()
    client.disconnect()
    server.join()
    assert found == {
        "is_open": True,
        "state": tieline.State.OPEN,
        "response": True,
        "connection_id": True,
        "status": 101,
    }
    assert server.received == ["from on_open"]
