"""A socket that never waits, whose end is told apart from its breaking."""

from __future__ import annotations

import selectors
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from tieline.testing.listening import bind, listen
from tieline.testing.proxied_socket import ProxiedSocket

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@pytest.fixture
def pair() -> Iterator[tuple[ProxiedSocket, socket.socket]]:
    """A proxied socket, and its peer, which waits 5 s at most."""
    with listen("127.0.0.1", 0) as listener:
        far = socket.create_connection(listener.getsockname(), 5)
        near = ProxiedSocket(listener.accept()[0])
    yield near, far
    near.close()
    far.close()


def until_ready(one: ProxiedSocket, events: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(one.socket, events)
        assert selector.select(5), "not ready"


def read(one: ProxiedSocket) -> bytes:
    until_ready(one, READ)
    return one.read()


def test_bytes_both_ways(pair: tuple[ProxiedSocket, socket.socket]) -> None:
    near, far = pair
    assert near.read() == b"" and not near.has_ended  # nothing yet
    far.sendall(b"hello")
    assert read(near) == b"hello"
    near.pending += b"good bye"
    near.write()
    assert not near.pending and far.recv(100) == b"good bye"


def test_what_it_is_watched_for(pair: tuple[ProxiedSocket, socket.socket]) -> None:
    near, far = pair
    assert near.events(wants_input=True) == READ
    assert near.events(wants_input=False) == 0
    near.pending += b"x"
    assert near.events(wants_input=True) == READ | WRITE
    far.shutdown(socket.SHUT_WR)
    assert read(near) == b"" and near.has_ended
    assert near.events(wants_input=True) == WRITE
    near.close()
    assert near.events(wants_input=True) == 0


def test_what_the_kernel_does_not_take_waits(pair: tuple[ProxiedSocket, socket.socket]) -> None:
    near, far = pair
    near.pending += bytes(20_000_000)
    near.write()
    left = len(near.pending)
    assert left
    near.shut()
    assert not near.is_shut, "FIN comes after all bytes"
    received = 0
    while near.pending:
        received += len(far.recv(1_000_000))
        near.write()
    near.shut()
    while data := far.recv(1_000_000):
        received += len(data)
    assert near.is_shut and received == 20_000_000


def test_reset(pair: tuple[ProxiedSocket, socket.socket]) -> None:
    near, far = pair
    near.reset()
    with pytest.raises(ConnectionResetError):
        far.recv(1)
    near.reset()  # idempotent


@pytest.mark.parametrize("use", [ProxiedSocket.read, ProxiedSocket.write], ids=["read", "write"])
def test_a_broken_line(
    pair: tuple[ProxiedSocket, socket.socket], use: Callable[[ProxiedSocket], object]
) -> None:
    near, far = pair
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    until_ready(near, READ)
    near.pending += b"x"
    use(near)
    assert isinstance(near.error, ConnectionError)
    assert near.is_closed and not near.has_ended and not near.pending


def test_a_dial() -> None:
    with listen("127.0.0.1", 0) as listener:
        dialled = ProxiedSocket.dial(*listener.getsockname())
        assert dialled.events(wants_input=True) in (READ, WRITE)
        until_ready(dialled, WRITE)
        dialled.has_connected()
        assert dialled.is_connected and dialled.error is None
        listener.accept()[0].close()
        assert read(dialled) == b"" and dialled.has_ended
        dialled.close()


def test_a_dial_that_fails() -> None:
    with bind("127.0.0.1", 0) as door:
        dialled = ProxiedSocket.dial(*door.getsockname())
        if not dialled.is_closed:
            until_ready(dialled, WRITE)
            dialled.has_connected()
        assert isinstance(dialled.error, ConnectionRefusedError) and dialled.is_closed
