"""Messages, Pings and Closes between every front of tieline and every peer."""

from __future__ import annotations

import threading

import pytest

import tieline
from tests.peers.processes import PATIENCE

pytestmark = pytest.mark.peers

#: Messages that take more than one read; the last needs a length of 64 bits.
LONG_TEXT = "grüße aus dem Norden, " * 20_000
LONG_BINARY = bytes(range(256)) * 1_000


@pytest.fixture
def line(front, peer, key):
    """A connection to the peer's echo."""
    return front.open(peer.url("/echo", key), **peer.options)


def test_messages_of_every_kind_and_size_come_back_in_order(line):
    sent = ["text", "", LONG_TEXT, b"\x00\xff binary", b"", LONG_BINARY]
    sent += [f"{number}" if number % 3 else b"%d" % number for number in range(200)]
    for message in sent:
        line.send(message)
    got = [line.receive() for _ in sent]
    assert got == sent
    assert [type(message) for message in got] == [type(message) for message in sent]


def test_fragments_go_both_ways(line, peer):
    line.send(["one ", "mess", "age"])
    assert line.receive() == "one message"
    line.send_frames(
        ("by ", tieline.Opcode.TEXT, False),
        (b"between", tieline.Opcode.PING, True),
        ("hand", tieline.Opcode.CONTINUATION, True),
    )
    assert line.receive() == "by hand"
    if peer.name != "aiohttp":  # which cannot send fragments
        line.send("!fragments one message grüße")
        assert line.receive() == "onemessagegrüße"


def test_pings_are_answered_both_ways(line):
    assert 0 < line.ping(b"here") < PATIENCE
    assert 0 < line.connection.latency < PATIENCE
    line.send("!ping")
    assert line.receive() == "pong"


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1003, "why"), pytest.param(4999, "ü" * 61, id="4999")]
)
def test_a_close_of_ours_reaches_the_peer_with_its_code(line, peer, key, code, reason):
    line.send("one")
    assert line.receive() == "one"
    line.close(code, reason)
    seen = peer.saw("close", key)
    assert (seen["code"], seen["reason"]) == (code, reason)
    info = line.ended()
    assert info == line.connection.close_info
    assert (info.sent, info.clean, info.initiator) == ((code, reason), True, "local")
    assert line.receive_rest() == []
    assert not line.connection.is_open()
    line.close()  # a no-op
    assert peer.saw_nothing_more("close", key)


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("!close 1000 bye", 1000, "bye"),
        ("!close 1001 gone", 1001, "gone"),
        pytest.param("!close 4321 grüße", 4321, "grüße", id="4321"),
        ("!vanish", 1006, ""),
    ],
)
def test_the_peer_ends_the_connection(line, command, code, reason):
    line.send("last words")
    line.send(command)
    info = line.ended()
    assert (info.code, info.reason, info.clean) == (code, reason, command != "!vanish")
    assert info.initiator == ("none" if command == "!vanish" else "remote")
    # What came before the end is still there.
    assert line.receive() == "last words"
    for _ in range(2):
        with pytest.raises(tieline.ConnectionClosed) as raised:
            line.receive()
        assert raised.value.close_info == line.connection.close_info == info
    assert line.connection.state is tieline.State.CLOSED
    assert line.connection.connection_id == -1
    with pytest.raises(tieline.ConnectionClosed):
        line.send("too late")


def test_redirect_credentials_and_subprotocol(front, peer, key):
    offered = {"subprotocols": ["unheard.of", "tieline.v1"], **peer.options}
    line = front.open(peer.url("/redirect", key), **offered)
    assert line.connection.response.url == peer.url("/echo", key)
    assert line.connection.subprotocol == "tieline.v1"
    private = peer.url("/private", key, "Aladdin:open%20sesame@")
    line = front.open(private, **peer.options)
    line.send("hello")
    assert line.receive() == "hello"
    assert "sesame" not in repr(line.connection) + line.connection.safe_url


def test_a_refusal_holds_status_headers_and_body(front, peer, key):
    info = {}
    with pytest.raises(tieline.HandshakeError, match="403") as raised:
        front.open(peer.url("/refuse", key), info, **peer.options)
    assert raised.value.response["x-why"] == "closed"
    assert raised.value.response.body == b"not today"
    assert info["response-code"] == 403
    assert info["peer"] == ("127.0.0.1", peer.port)


@pytest.mark.slow
def test_connect_timeout_spans_the_whole_set_up(front, peer, key):
    with pytest.raises(tieline.ConnectTimeout, match="connect_timeout") as raised:
        front.open(peer.url("/silent", key), connect_timeout=1.0, **peer.options)
    assert raised.value.phase == "upgrade"


def test_unix_socket(front, peer, key):
    url = f"{peer.scheme}://localhost/echo?{key}"
    line = front.open(url, unix_socket=peer.unix_path, **peer.options)
    line.send("hello")
    assert line.receive() == "hello"


def test_many_threads_send_and_receive(line):
    sent = [f"{sender}: {number}" for sender in range(4) for number in range(50)]
    got = []
    errors = []

    def work(messages):
        try:
            for message in messages:
                line.send(message)
                got.append(line.receive())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(sent[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert errors == []
    assert sorted(got) == sorted(sent)


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["websockets-asyncio", "ws", "nginx"], indirect=True)
def test_more_than_all_buffers_hold_is_echoed_to_who_sends_first_and_receives_later(line):
    """Nobody is inside `receive` while the messages come, and they are read all the same."""
    block = bytes(range(256)) * 1024
    for _ in range(64):
        line.send(block)
    for _ in range(64):
        assert line.receive() == block
