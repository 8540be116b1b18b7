"""Many idle connections on one reactor → few bytes for each."""

from __future__ import annotations

import gc
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import tieline
from tieline.protocol.handshake import accept_value

#: Bytes for each, measured and then a quarter more: about 7,000 compiled, 7,500 pure.
BOUND = 9_000

COUNT = 100


def answer(listener: socket.socket, accepted: ExitStack) -> None:
    """Upgrade whoever comes, and say nothing more."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        accepted.enter_context(peer)
        request = b""
        while b"\r\n\r\n" not in request:
            request += peer.recv(4096)
        key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0].decode()
        peer.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_value(key).encode() + b"\r\n\r\n"
        )


@pytest.fixture
def url() -> Iterator[str]:
    """Of a server that has no objects of tieline's."""
    with ExitStack() as accepted:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=answer, args=(listener, accepted))
            thread.start()
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def ignore(message: object) -> None:
    """A handler."""


def held() -> int:
    """Bytes that tieline's own lines have allocated, and the locks that they made."""
    gc.collect()
    package = Path(tieline.__file__).parent
    own = [
        tracemalloc.Filter(True, str(package / "*")),
        tracemalloc.Filter(True, threading.__file__),
    ]
    snapshot = tracemalloc.take_snapshot().filter_traces(own)
    return sum(statistic.size for statistic in snapshot.statistics("filename"))


@pytest.mark.slow
def test_idle_connections_are_small(url: str) -> None:
    reactor = tieline.Reactor()
    clients: list[tieline.WebSocketClient] = []

    def connect() -> None:
        client = tieline.WebSocketClient(ignore, url, reactor=reactor, compression=None, proxy=None)
        clients.append(client)
        client.connect()

    try:
        for _ in range(5):  # the first ones pay for what all of them share
            connect()
        tracemalloc.start()
        try:
            before = held()
            for _ in range(COUNT):
                connect()
            each = (held() - before) / COUNT
        finally:
            tracemalloc.stop()
        assert each < BOUND, f"{each:.0f} bytes for each idle connection"
    finally:
        for client in clients:
            # They have no server that would answer.
            client.disconnect(timeout=0)
