"""A server that dies, at any time: every front tells of it once and soon, and nothing hangs."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

import tieline
from tests.peers.nginx import PeerBehindNginx
from tests.peers.processes import PATIENCE, PLAIN_PEERS, Peer
from tieline.events import ClosingEvent, ConnectedEvent

pytestmark = [pytest.mark.peers, pytest.mark.slow]

#: Seconds from the death of a peer on this machine until every front has told of it.
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


class Worker:
    """Calls in a loop, on a thread, until it raises; keeps what."""

    def __init__(self, function) -> None:
        self.error: BaseException | None = None
        self._function = function
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                self._function()
        except Exception as error:
            self.error = error

    def raised(self) -> BaseException | None:
        """What it ended with, soon after the death of the peer."""
        self._thread.join(NOTICED)
        assert not self._thread.is_alive()
        return self.error


@pytest.mark.parametrize("name", [*PLAIN_PEERS, "nginx", "nginx, upstream killed"])
def test_server_killed_while_both_sides_send(make_peer, front, key, name):
    peer = make_peer(name)
    line = front.open(peer.url("/echo", key), timeout=5, **peer.options)
    flowing = threading.Event()
    bytes_received = 0

    def receive():
        nonlocal bytes_received
        bytes_received += len(line.receive())
        if bytes_received > 4 * 1024 * 1024:
            flowing.set()

    line.send("!flood")
    receiver = Worker(receive)
    block = bytes(100_000)
    sender = Worker(lambda: line.send(block))
    assert flowing.wait(PATIENCE)
    kill(peer, name)
    begun = time.monotonic()
    info = line.ended()
    assert isinstance(sender.raised(), tieline.ConnectionClosed)
    assert isinstance(receiver.raised(), tieline.ConnectionClosed)
    assert time.monotonic() - begun < NOTICED
    assert receiver.error.close_info == info == line.connection.close_info
    assert (info.code, info.clean, info.initiator) == (1006, False, "none")
    assert not line.connection.is_open()
    assert line.connection.state is tieline.State.CLOSED

    line.close()
    with pytest.raises(tieline.ConnectError):
        front.open(peer.url("/echo", key), connect_timeout=5, **peer.options)
    assert line.ends.empty(), "the end was told twice"


@pytest.mark.parametrize("name", ["websockets-sync", "ws", "nginx"])
@pytest.mark.parametrize("receiving", [True, False], ids=["inside recv", "nobody receives"])
def test_server_killed_while_the_line_is_idle(make_peer, front, key, name, receiving):
    peer = make_peer(name)
    line = front.open(peer.url("/echo", key), **peer.options)
    line.send("hello")
    assert line.receive() == "hello"
    receiver = Worker(line.receive) if receiving else None
    kill(peer, name)
    assert line.ended(NOTICED).code == 1006
    if receiver is not None:
        assert isinstance(receiver.raised(), tieline.ConnectionClosed)
    assert line.receive_rest() == []
    with pytest.raises(tieline.ConnectionClosed):
        line.send("too late")


@pytest.mark.parametrize("name", ["websockets-sync", "nginx"])
def test_server_killed_while_a_ping_and_a_close_wait_for_it(make_peer, front, key, name):
    """Stopped first, so that it answers neither."""
    peer = make_peer(name)
    closing = threading.Event()

    def on_event(event):
        if isinstance(event, ClosingEvent):
            closing.set()

    line = front.open(peer.url("/echo", key), on_event=on_event, **peer.options)
    if name == "nginx":
        os.killpg(peer.nginx.process.pid, signal.SIGSTOP)
    else:
        peer.freeze()
    pinger = Worker(line.ping)
    closer = threading.Thread(target=line.close)
    closer.start()
    assert closing.wait(PATIENCE)
    kill(peer, name)
    assert isinstance(pinger.raised(), tieline.ConnectionClosed)
    closer.join(NOTICED)
    assert not closer.is_alive()
    info = line.ended()
    assert (info.code, info.clean, info.sent) == (1006, False, (1000, ""))


@pytest.mark.parametrize("name", ["websockets-sync", "nginx", "nginx, upstream killed"])
def test_server_killed_before_it_answers_the_upgrade(make_peer, front, key, name):
    peer = make_peer(name)

    def kill_when_asked():
        peer.saw("request", key)
        kill(peer, name)

    killer = threading.Thread(target=kill_when_asked)
    killer.start()
    with pytest.raises(tieline.ConnectError) as raised:
        front.open(peer.url("/silent", key), **peer.options)
    killer.join(PATIENCE)
    assert not isinstance(raised.value, tieline.ConnectTimeout)


def test_server_killed_in_the_tls_handshake(make_peer, front, key):
    """The kernel has accepted the connection for an nginx that is stopped, and then killed."""
    peer = make_peer("nginx")
    os.killpg(peer.nginx.process.pid, signal.SIGSTOP)
    info = {}
    connected = threading.Event()

    def on_event(event):
        if isinstance(event, ConnectedEvent):
            connected.set()

    url = peer.url("/echo", key)
    dial = Worker(lambda: front.open(url, info, on_event=on_event, **peer.options))
    assert connected.wait(PATIENCE)
    peer.nginx.kill()
    assert isinstance(dial.raised(), tieline.ConnectError)
    assert not isinstance(dial.error, tieline.ConnectTimeout)
    assert info["tls"] is None


def test_a_stopped_process_is_noticed_by_the_heartbeat(make_peer, front, key):
    """A frozen server keeps its TCP connection: only unanswered Pings tell."""
    peer = make_peer("ws")
    line = front.open(peer.url("/echo", key), ping_interval=0.2, ping_timeout=2.0)
    line.send("hello")
    assert line.receive() == "hello"
    peer.freeze()
    info = line.ended(NOTICED)
    assert info.code == 1006
    assert "ping" in str(info.error).lower()
    assert line.receive_rest() == []
