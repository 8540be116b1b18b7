"""The rules of the class that tieline grew from, held against servers of other projects.

One test for each row of the first table of docs/seed.md, on every peer; the options that the
second table lists are in test_seed_options.py.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

import tieline
from tests.peers.processes import PATIENCE

pytestmark = pytest.mark.peers

#: A message that takes more than one read, and a length of 64 bits.
LONG_TEXT = "grüße aus dem Norden, " * 20_000
LONG_BINARY = bytes(range(256)) * 1_000


@pytest.fixture
def connected(peer, key, received, make_client):
    """A client that is connected to the peer's echo."""
    client = make_client(received, peer.url("/echo", key), **peer.options)
    client.connect()
    return client


# --- constructor, callback -----------------------------------------------------------------------


def test_options_may_be_a_mapping_with_the_url(peer, key, received, make_client):
    client = make_client(received, {"url": peer.url("/echo", key), **peer.options})
    client.connect()
    client.send("by mapping")
    assert received.next() == "by mapping"


@pytest.mark.parametrize(
    "message",
    ["text", "", LONG_TEXT, b"\x00\xff binary", b"", LONG_BINARY],
    ids=["text", "empty text", "long text", "binary", "empty binary", "long binary"],
)
def test_callback_gets_str_for_text_and_bytes_for_binary(connected, received, message):
    connected.send(message)
    got = received.next()
    assert type(got) is type(message)
    assert got == message


def test_messages_arrive_in_order(connected, received):
    sent = [f"{number}" if number % 3 else b"%d" % number for number in range(500)]
    for message in sent:
        connected.send(message)
    assert [received.next() for _ in sent] == sent


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("!close 1000 bye", 1000, "bye"),
        ("!close 1001 gone", 1001, "gone"),
        pytest.param("!close 4321 grüße", 4321, "grüße", id="4321"),
        ("!vanish", 1006, ""),
    ],
)
def test_callback_gets_none_once_when_the_server_disconnects(
    connected, peer, key, received, command, code, reason
):
    connected.send("last words")
    connected.send(command)
    assert received.until_none() == ["last words"]
    received.assert_thread_ends()
    assert not connected.is_open()
    assert connected.state is tieline.State.CLOSED
    assert connected.connection_id == -1
    info = connected.close_info
    assert (info.code, info.reason, info.clean) == (code, reason, command != "!vanish")
    assert info.initiator == ("none" if command == "!vanish" else "remote")

    with pytest.raises(tieline.ConnectionClosed) as raised:
        connected.send("too late")
    assert raised.value.err == "WEBSOCKET-ERROR"

    assert connected.connect().status == 101
    assert connected.is_open()
    connected.send("again")
    assert received.next() == "again"


# --- connect -------------------------------------------------------------------------------------


def test_connect_sends_hdr_and_returns_the_response_as_a_mapping(peer, key, received, make_client):
    client = make_client(received, peer.url("/echo", key), **peer.options)
    info = {}
    response = client.connect({"hdr": {"X-Seat": "47 11", "X-Empty": ""}}, info)

    sent = {name.lower(): value for name, value in peer.saw("request", key)["headers"].items()}
    assert sent["x-seat"] == "47 11"
    assert dict(response) == {
        "http_version": "1.1",
        "status_code": 101,
        "status_message": response["status_message"],
        **{name.lower(): value for name, value in response.headers.raw},
    }
    assert response["status_message"] == "Switching Protocols"
    assert response["upgrade"].lower() == "websocket"
    assert response["sec-websocket-accept"]

    assert info["request-uri"] == f"GET /echo?{key} HTTP/1.1"
    assert info["request-headers"]["X-Seat"] == "47 11"
    assert info["response-uri"] == "HTTP/1.1 101 Switching Protocols"
    assert info["response-code"] == 101
    assert info["response-headers"]["upgrade"].lower() == "websocket"
    assert info["redirects"] == []
    assert info["proxy"] is None
    assert info["peer"] == ("127.0.0.1", peer.port)
    assert info["local"][0] == "127.0.0.1"
    assert (info["tls"] is not None) == peer.secure
    assert {"dns", "tcp", "upgrade", "total"} <= set(info["timings"])


def test_headers_of_one_connect_are_not_kept_for_the_next(connected, peer, key):
    peer.saw("request", key)
    connected.connect({"hdr": {"X-Once": "1"}})
    assert "x-once" in {name.lower() for name in peer.saw("request", key)["headers"]}
    connected.connect()
    assert "x-once" not in {name.lower() for name in peer.saw("request", key)["headers"]}


def test_info_is_filled_when_connect_fails(peer, key, received, make_client):
    client = make_client(received, peer.url("/refuse", key), **peer.options)
    info = {}
    with pytest.raises(tieline.HandshakeError) as raised:
        client.connect(None, info)

    assert raised.value.err == "WEBSOCKET-ERROR"
    assert raised.value.response["status_code"] == 403
    assert raised.value.response["x-why"] == "closed"
    assert raised.value.response.body == b"not today"
    assert info["request-uri"] == f"GET /refuse?{key} HTTP/1.1"
    assert info["response-code"] == 403
    assert info["response-uri"] == "HTTP/1.1 403 Forbidden"
    assert info["response-headers"]["x-why"] == "closed"
    assert info["peer"] == ("127.0.0.1", peer.port)
    assert not client.is_open()
    assert received.thread is None, "no connection was open, so none has ended"


def test_connect_while_connected_closes_the_old_connection_with_1001(
    connected, peer, key, received
):
    first_id = connected.connection_id
    assert connected.connect().status == 101
    assert received.next() is None
    seen = peer.saw("close", key)
    assert (seen["code"], seen["reason"]) == (1001, "")
    assert connected.is_open()
    assert connected.connection_id > first_id
    connected.send("on the new one")
    assert received.next() == "on the new one"
    assert peer.saw_nothing_more("close", key)


# --- disconnect, isOpen --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        pytest.param((), 1001, "", id="default"),
        pytest.param((1000,), 1000, "", id="1000"),
        pytest.param((tieline.CloseCode.UNSUPPORTED_DATA, "why"), 1003, "why", id="1003"),
        pytest.param((4999, "ü" * 61), 4999, "ü" * 61, id="4999"),
    ],
)
def test_disconnect_sends_its_code_and_ends_the_thread(
    connected, peer, key, received, arguments, code, reason
):
    connected.send("one")
    assert received.next() == "one"
    connected.disconnect(*arguments)
    assert not received.thread.is_alive(), "disconnect() returned before its thread had ended"
    assert received.until_none() == []
    received.assert_thread_ends()

    seen = peer.saw("close", key)
    assert (seen["code"], seen["reason"]) == (code, reason)
    assert connected.close_info.sent == (code, reason)
    assert connected.close_info.clean
    assert connected.close_info.initiator == "local"
    assert not connected.is_open()

    connected.disconnect()  # a no-op
    assert peer.saw_nothing_more("close", key)
    connected.connect()
    connected.send("again")
    assert received.next() == "again"


def test_a_code_that_may_not_be_sent_leaves_the_connection_up(connected, received):
    with pytest.raises(tieline.OptionError, match="1005"):
        connected.disconnect(1005)
    connected.send("still here")
    assert received.next() == "still here"


def test_is_open_is_true_only_while_messages_can_be_sent(peer, key, received, make_client):
    client = make_client(received, peer.url("/echo", key), **peer.options)
    assert client.isOpen() is client.is_open() is False
    client.connect()
    assert client.isOpen() is client.is_open() is True
    client.disconnect()
    assert client.isOpen() is client.is_open() is False


# --- messages beyond one frame, pings, subprotocols ----------------------------------------------


def test_fragments_sent_arrive_as_one_message(connected, received):
    connected.send(["one ", "mess", "age"])
    assert received.next() == "one message"
    connected.send_frame("by ", tieline.Opcode.TEXT, False)
    connected.ping()
    connected.send_frame("hand", tieline.Opcode.CONTINUATION)
    assert received.next() == "by hand"


@pytest.mark.parametrize(
    "peer", ["websockets-sync", "websockets-asyncio", "ws", "ws-deflate", "nginx"], indirect=True
)
def test_fragments_received_are_one_message(connected, received):
    connected.send("!fragments one message grüße")
    assert received.next() == "onemessagegrüße"


def test_pings_are_answered_both_ways(connected, received):
    assert 0 < connected.ping(b"here").wait(PATIENCE) < PATIENCE
    assert 0 < connected.latency < PATIENCE
    connected.send("!ping")
    assert received.next() == "pong"


def test_the_server_chooses_a_subprotocol(peer, key, received, make_client):
    offered = ["unheard.of", "tieline.v1", "tieline.v2"]
    client = make_client(received, peer.url("/echo", key), subprotocols=offered, **peer.options)
    response = client.connect()
    assert client.subprotocol == response.subprotocol == response["sec-websocket-protocol"]
    assert client.subprotocol in ("tieline.v1", "tieline.v2")


def test_compression_that_is_not_offered_is_not_used(peer, key, received, make_client):
    """Also by the servers that would."""
    client = make_client(received, peer.url("/echo", key), compression=None, **peer.options)
    client.connect()
    assert client.response.extensions == ()
    client.send(LONG_TEXT)
    assert received.next() == LONG_TEXT
    assert client.stats().wire_bytes_received > len(LONG_TEXT)


def test_wait_for_gives_the_answer_to_a_message(connected):
    answer = connected.wait_for(lambda message: message == "ack", PATIENCE, send="ack")
    assert answer == "ack"


def test_on_frame_sees_frames_before_they_are_messages(peer, key, received, make_client):
    """Qore's raw_callback: process, leave out, stop listening."""
    seen = []
    actions = {b"noise": tieline.FrameAction.SKIP, b"stop": tieline.FrameAction.STOP}

    def on_frame(frame):
        seen.append((frame.opcode, frame.payload))
        return actions.get(frame.payload, tieline.FrameAction.PROCESS)

    # A compressed frame's payload would be shown as it came.
    client = make_client(
        received, peer.url("/echo", key), on_frame=on_frame, compression=None, **peer.options
    )
    client.connect()
    sent = ["one", "noise", b"two", "stop", "three"]
    with suppress(tieline.ConnectionClosed):  # the echo of "stop" may be quicker than the last one
        for message in sent:
            client.send(message)
    assert client.wait(PATIENCE).sent == (1001, "")
    assert received.until_none() == ["one", b"two"]
    assert seen == [
        (tieline.Opcode.TEXT, b"one"),
        (tieline.Opcode.TEXT, b"noise"),
        (tieline.Opcode.BINARY, b"two"),
        (tieline.Opcode.TEXT, b"stop"),
    ]
    assert peer.saw("close", key)["code"] == 1001


# --- WEBSOCKET-ERROR -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "named"),
    [
        ((print, {}), {}, "url"),
        ((print,), {}, "url"),
        ((print, "telnet://example.com"), {}, "telnet"),
        ((print, {"url": 5}), {}, "int"),
        ((print, "ws://example.com"), {"timeout": "soon"}, "timeout"),
        ((print, "ws://example.com"), {"time_out": 5}, "time_out"),
        ((None, "ws://example.com"), {}, "callback"),
        ((17, "ws://example.com"), {}, "callback"),
    ],
)
def test_wrong_options_are_a_websocket_error(arguments, options, named):
    with pytest.raises(tieline.OptionError, match=named) as raised:
        tieline.WebSocketClient(*arguments, **options)
    assert raised.value.err == "WEBSOCKET-ERROR"
    assert isinstance(raised.value, ValueError)


def test_every_code_and_opcode_has_a_description():
    for code in (*tieline.CloseCode, *tieline.Opcode):
        assert len(code.description) > 5
