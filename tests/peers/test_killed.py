"""A server that dies in the middle of a transfer: the callback hears of it once, nothing hangs."""

from __future__ import annotations

import signal
import threading
import time

import pytest

import tieline
from tests.peers.nginx import PeerBehindNginx
from tests.peers.processes import PATIENCE, PLAIN_PEERS, Peer

pytestmark = [pytest.mark.peers, pytest.mark.slow]

#: Seconds from the death of a peer on this machine to `callback(None)`.
NOTICED = 8.0


@pytest.fixture
def make_peer(authority, tmp_path):
    """make_peer(name): a peer that the test may kill."""
    peers = []

    def make(name: str) -> Peer:
        if name.startswith("nginx"):
            peers.append(PeerBehindNginx("websockets-sync", authority, tmp_path))
        else:
            peers.append(Peer(name))
        return peers[-1]

    yield make
    for peer in peers:
        peer.stop()


def kill(peer: Peer, name: str) -> None:
    if name == "nginx":
        peer.nginx.kill()
    else:
        peer.kill()


@pytest.mark.parametrize("name", [*PLAIN_PEERS, "nginx", "nginx, upstream killed"])
def test_server_killed_while_both_sides_send(make_peer, make_client, key, name):
    peer = make_peer(name)
    flowing = threading.Event()
    calls = []
    closed = []
    errors = []
    bytes_received = 0

    def callback(message):
        nonlocal bytes_received
        if message is None:
            calls.append(threading.current_thread())
            return
        bytes_received += len(message)
        if bytes_received > 4 * 1024 * 1024:
            flowing.set()

    client = make_client(
        callback, peer.url("/echo", key), on_close=closed.append, timeout=5, **peer.options
    )
    client.connect()

    def send_until_it_breaks():
        block = bytes(100_000)
        try:
            while True:
                client.send(block)
        except tieline.WebSocketError as error:
            errors.append(error)

    client.send("!flood")
    sender = threading.Thread(target=send_until_it_breaks)
    sender.start()
    assert flowing.wait(PATIENCE)
    kill(peer, name)
    begun = time.monotonic()
    info = client.wait(PATIENCE)
    sender.join(PATIENCE)
    assert not sender.is_alive()
    assert time.monotonic() - begun < NOTICED

    assert len(calls) == len(closed) == len(errors) == 1
    calls[0].join(PATIENCE)
    assert not calls[0].is_alive()
    assert closed == [info] == [client.close_info]
    assert info.code == 1006
    assert not info.clean
    assert info.initiator == "none"
    assert isinstance(errors[0], tieline.ConnectionClosed)
    assert not client.is_open()
    assert client.state is tieline.State.CLOSED

    client.disconnect()
    with pytest.raises(tieline.ConnectError):
        client.connect(timeout=5)
    assert len(calls) == 1, "a failed connect() is not the end of a connection"


@pytest.mark.parametrize("name", ["websockets-sync", "ws", "nginx"])
def test_server_killed_while_the_line_is_idle(make_peer, make_client, received, key, name):
    peer = make_peer(name)
    client = make_client(received, peer.url("/echo", key), **peer.options)
    client.connect()
    client.send("hello")
    assert received.next() == "hello"
    kill(peer, name)
    assert client.wait(NOTICED).code == 1006
    assert received.until_none() == []
    received.assert_thread_ends()


def test_server_killed_during_the_handshake(make_peer, make_client, received, key):
    peer = make_peer("websockets-sync")
    client = make_client(received, peer.url("/silent", key))

    def kill_when_asked():
        peer.saw("request", key)
        peer.kill()

    killer = threading.Thread(target=kill_when_asked)
    killer.start()
    with pytest.raises(tieline.ConnectError) as raised:
        client.connect()
    killer.join(PATIENCE)
    assert not isinstance(raised.value, tieline.ConnectTimeout)
    assert received.thread is None


def test_a_stopped_process_is_noticed_by_the_heartbeat(make_peer, make_client, received, key):
    """A frozen server keeps its TCP connection: only unanswered Pings tell."""
    peer = make_peer("ws")
    client = make_client(received, peer.url("/echo", key), ping_interval=0.2, ping_timeout=0.3)
    client.connect()
    client.send("hello")
    assert received.next() == "hello"
    peer.process.send_signal(signal.SIGSTOP)
    info = client.wait(NOTICED)
    assert info.code == 1006
    assert "ping" in str(info.error).lower()
    assert received.until_none() == []
