"""The server's end in memory keeps to the protocol, with the sans-I/O client at the other end."""

from __future__ import annotations

import pytest

from tieline import ConnectionClosed, OptionError
from tieline.protocol.endpoints import client_connection
from tieline.protocol.events import Closed, Opened, PingReceived, PongReceived
from tieline.protocol.handshake import UpgradeRequest
from tieline.protocol.settings import Settings
from tieline.protocol.wire import Opcode
from tieline.testing import MemoryPeer, StepReactor, frame_bytes, memory_streams


class Client:
    """A protocol connection on the near stream, pumped by hand."""

    def __init__(self, stream, subprotocols=()):
        self.stream = stream
        request = UpgradeRequest("memory.test", "/", subprotocols)
        self.connection = client_connection(
            request, "ws://memory.test/", Settings(ping_interval=None)
        )
        self.connection.start()
        self.unsent = bytearray()
        self.events = []

    def pump(self):
        """Write, read and take events until nothing moves."""
        while True:
            self.unsent += b"".join(self.connection.data_to_send())
            if self.unsent and not self.stream.at_end:
                del self.unsent[: self.stream.send(self.unsent)]
            if self.stream.is_readable and not self.stream.at_end:
                data = self.stream.read()
                self.connection.receive_data(data, len(data), 0)
            elif self.stream.at_end:
                self.connection.receive_eof()
            before = len(self.events)
            while (event := self.connection.next_event(0)) is not None:
                self.events += event if isinstance(event, list) else [event]
            if len(self.events) == before and self.connection.outgoing.is_empty:
                return


@pytest.fixture
def pair():
    near, far = memory_streams()
    peer = MemoryPeer(far, StepReactor(), headers=(("X-Answer", "42"),))
    client = Client(near)
    client.pump()
    return client, peer


def test_the_upgrade_is_accepted_at_once(pair):
    client, peer = pair
    (opened,) = client.events
    assert isinstance(opened, Opened)
    assert opened.response.headers["x-answer"] == "42"
    assert peer.request.target == "/"
    assert peer.is_open
    assert "open" in repr(peer)


@pytest.mark.parametrize(("offered", "chosen"), [(("a", "b"), "b"), (("c",), None)])
def test_the_subprotocol_is_chosen_if_offered(offered, chosen):
    near, far = memory_streams()
    peer = MemoryPeer(far, StepReactor(), subprotocol="b")
    client = Client(near, offered)
    client.pump()
    assert client.events[0].response.subprotocol == chosen
    assert peer.is_open


def test_messages_go_both_ways(pair):
    client, peer = pair
    client.connection.outgoing.message(Opcode.TEXT, b"hi")
    client.connection.outgoing.message(Opcode.BINARY, b"\0")
    client.pump()
    assert peer.messages == ["hi", b"\0"]
    peer.send("héllo")
    peer.send(bytearray(b"\1"))
    peer.send_frame(Opcode.TEXT, b"in ", fin=False)
    peer.send_frame(Opcode.CONTINUATION, b"two")
    peer.send_raw(frame_bytes(1, "raw"))
    client.pump()
    assert client.events[1:] == ["héllo", b"\1", "in two", "raw"]


def test_pings_are_answered_and_told(pair):
    client, peer = pair
    client.connection.outgoing.ping(b"1", 0)
    client.pump()
    peer.ping(b"2")
    peer.pong(b"3")
    client.pump()
    told = [(type(event), event.data) for event in peer.events]
    assert told == [(PingReceived, b"1"), (PongReceived, b"2")]
    told = [(type(event), event.data) for event in client.events[1:]]
    assert told == [(PongReceived, b"1"), (PingReceived, b"2"), (PongReceived, b"3")]


@pytest.mark.parametrize("who", ["client", "peer"])
def test_the_closing_handshake(pair, who):
    client, peer = pair
    if who == "client":
        client.connection.send_close(4000, "bye", 0)
    else:
        peer.close(4000, "bye")
    client.pump()
    assert peer.close_info.clean and peer.close_info.code == 4000
    assert isinstance(client.events[-1], Closed) and client.events[-1].info.clean
    assert client.stream.at_end
    with pytest.raises(ConnectionClosed):
        peer.send("too late")


@pytest.mark.parametrize("how", ["drop", "reset"])
def test_breaking_off(pair, how):
    client, peer = pair
    getattr(peer, how)()
    if how == "drop":
        assert client.stream.at_end
    else:
        with pytest.raises(ConnectionResetError):
            client.stream.send(b"x")


def test_the_client_s_end_without_a_close(pair):
    client, peer = pair
    client.stream.close()
    assert peer.close_info.code == 1006


def test_silence(pair):
    client, peer = pair
    peer.go_silent()
    client.connection.outgoing.ping(b"", 0)
    client.pump()
    assert peer.events == []
    assert len(client.events) == 1


def test_replies():
    near, far = memory_streams()
    peer = MemoryPeer(
        far, StepReactor(), reply=lambda message: None if message == "quiet" else message * 2
    )
    client = Client(near)
    for message in (b"a", b"quiet"):
        client.pump()
        client.connection.outgoing.message(Opcode.TEXT, message)
    client.pump()
    assert client.events[1:] == ["aa"]
    assert peer.messages == ["a", "quiet"]


@pytest.mark.parametrize("capacity", [1, 2, 7, 100])
def test_a_narrow_stream_delivers_all(pair, capacity):
    client, peer = pair
    peer.stream.capacity = capacity
    peer.send("x" * 200)
    peer.send("y")
    peer.close()
    for _ in range(300):
        client.pump()
    assert client.events[1:3] == ["x" * 200, "y"]


def test_a_broken_rule_is_answered(pair):
    client, peer = pair
    client.stream.write(frame_bytes(1, "unmasked"))
    client.pump()
    assert client.events[-1].received.code == 1002
    assert peer.close_info is None or peer.close_info.error is not None


def test_what_cannot_be_sent(pair):
    with pytest.raises(OptionError, match="got int"):
        pair[1].send(5)
