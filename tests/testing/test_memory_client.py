"""A whole client without a network: handlers, keepalive and endings, at the pace of the test."""

from __future__ import annotations

import threading

import pytest

from tieline import ConnectionClosed, Deflate, Opcode, OptionError, SendBufferFull, State
from tieline.testing import (
    ManualClock,
    Recorder,
    StepReactor,
    deflate_payload,
    frame_bytes,
    open_client,
)


@pytest.fixture
def recorder():
    with Recorder() as recorder:
        yield recorder


def test_it_is_open(recorder):
    client, peer = open_client(recorder.callback, **recorder.handlers("open"))
    assert client.is_open() and peer.is_open
    assert recorder.expect("open") is client.response
    client.disconnect()
    recorder.take()


@pytest.mark.parametrize("receive_limit", [None, 1, 2, 3, 10])
def test_what_the_peer_sends_has_been_delivered(recorder, receive_limit):
    client, peer = open_client(
        **recorder.handlers("message", "ping", "close"), receive_limit=receive_limit
    )
    peer.send("héllo")
    recorder.expect("message", "héllo")
    peer.send(b"\0" * 300)
    recorder.expect("message", b"\0" * 300)
    peer.ping(b"1")
    recorder.expect("ping", b"1")
    peer.close(1001, "bye")
    assert recorder.expect("close").reason == "bye"
    assert client.state is State.CLOSED
    recorder.assert_exhausted()
    assert recorder.threads == {threading.current_thread()}


def test_what_the_client_sends_has_been_received(recorder):
    client, peer = open_client(recorder.callback)
    client.send("a")
    client.send(["b", "c"])
    client.send(b"d")
    assert peer.messages == ["a", "bc", b"d"]
    waiter = client.ping()
    peer.reactor.run_until_idle()
    assert waiter.wait(0) == 0.0


def test_the_handshake_is_the_real_one(recorder):
    client, peer = open_client(
        recorder.callback,
        {"url": "ws://user:secret@example.com/feed?x=1"},
        subprotocols=["a", "b"],
        subprotocol="b",
        headers={"X-Key": "k"},
        response_headers=(("X-Answer", "42"),),
    )
    assert peer.request.target == "/feed?x=1"
    assert peer.request.headers["x-key"] == "k"
    assert peer.request.headers["authorization"].startswith("Basic ")
    assert client.subprotocol == "b"
    assert client.response["x-answer"] == "42"


def test_keepalive_in_a_clock_that_the_test_moves(recorder):
    client, peer = open_client(
        **recorder.handlers("pong", "close", "error"), ping_interval=20, ping_timeout=5
    )
    peer.reactor.advance(19.5)
    assert peer.events == []
    peer.reactor.advance(0.5)
    recorder.expect("pong")
    peer.go_silent()
    peer.reactor.advance(24.5)
    assert client.is_open()
    peer.reactor.advance(0.5)
    assert isinstance(recorder.expect("error"), TimeoutError)
    assert recorder.expect("close").code == 1006


def test_a_close_that_nobody_answers(recorder):
    client, peer = open_client(**recorder.handlers("close"), close_timeout=10)
    peer.go_silent()
    client.disconnect(1000)
    assert client.state is State.CLOSING
    peer.reactor.advance(9)
    assert client.state is State.CLOSING
    peer.reactor.advance(1)
    assert not recorder.expect("close").clean


@pytest.mark.parametrize("how", ["drop", "reset"])
def test_a_link_that_dies(recorder, how):
    client, peer = open_client(recorder.callback, **recorder.handlers("close"))
    getattr(peer, how)()
    assert recorder.expect("close").code == 1006
    recorder.expect("end")
    with pytest.raises(ConnectionClosed):
        client.send("x")


def test_a_peer_that_does_not_read(recorder):
    client, peer = open_client(recorder.callback, capacity=1000, write_limit=5000)
    peer.go_silent()
    with pytest.raises(SendBufferFull):
        for _ in range(100):
            client.send(bytes(100))


def test_a_peer_that_breaks_a_rule(recorder):
    client, peer = open_client(recorder.callback, **recorder.handlers("close"))
    peer.send_raw(frame_bytes(1, "fine") + frame_bytes(3, "reserved"))
    recorder.expect("message", "fine")
    peer.reactor.advance(10)
    assert recorder.expect("close").sent.code == 1002
    recorder.expect("end")


def test_a_handler_that_sends(recorder):
    client, peer = open_client(recorder.callback)
    recorder.react("message", lambda message: client.send(f"re: {message}"))
    peer.send("a")
    assert peer.messages == ["re: a"]
    recorder.expect("message", "a")


def test_replies(recorder):
    client, peer = open_client(recorder.callback, reply=str.upper)
    client.send("shout")
    peer.reactor.run_until_idle()
    recorder.expect("message", "SHOUT")


def test_nothing_is_compressed_unless_the_peer_accepts_it(recorder):
    client, peer = open_client(recorder.callback)
    assert peer.request.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
    assert client.response.extensions == ()
    with pytest.raises(OptionError, match="compress=True"):
        client.send("x", compress=True)


@pytest.mark.parametrize(
    ("peer_compression", "extensions"),
    [
        ("deflate", ("permessage-deflate; client_max_window_bits=12",)),
        (
            Deflate(server_context_takeover=False, server_max_window_bits=9),
            (
                "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; "
                "client_max_window_bits=12",
            ),
        ),
    ],
)
def test_compression(recorder, peer_compression, extensions):
    text = "the same again, " * 100
    client, peer = open_client(
        recorder.callback, peer_compression=peer_compression, reply=lambda message: message
    )
    assert client.response.extensions == extensions
    peer.send(text)
    recorder.expect("message", text)
    peer.send_frame(Opcode.TEXT, text.encode(), fin=False, compress=True)
    peer.send_frame(Opcode.CONTINUATION, text.encode())
    recorder.expect("message", text + text)
    client.send(text)
    assert peer.messages == [text]
    peer.reactor.run_until_idle()
    recorder.expect("message", text)
    stats = client.stats()
    assert 0 < stats.wire_bytes_received < stats.payload_bytes_received / 10
    assert 0 < stats.wire_bytes_sent < stats.payload_bytes_sent / 10


def test_what_is_compressed_is_up_to_the_test(recorder):
    text = "short"
    client, peer = open_client(recorder.callback, peer_compression="deflate")
    sizes = []
    for compress in (None, False, True):
        before = client.stats().wire_bytes_received
        peer.send(text, compress=compress)
        recorder.expect("message", text)
        sizes.append(client.stats().wire_bytes_received - before)
    assert sizes == [7, 7, 2 + len(deflate_payload(text))]


def test_compressed_frames_by_hand(recorder):
    payload = deflate_payload("by hand")
    client, peer = open_client(recorder.callback, peer_compression="deflate")
    peer.send_raw(frame_bytes(Opcode.TEXT, payload[:2], rsv1=True, fin=False))
    peer.send_raw(frame_bytes(Opcode.CONTINUATION, payload[2:]))
    recorder.expect("message", "by hand")
    peer.send_raw(frame_bytes(Opcode.CONTINUATION, payload, rsv1=True))
    recorder.expect("end")
    assert client.close_info.sent.code == 1002


def test_peer_compression_is_what_the_option_is(recorder):
    with pytest.raises(OptionError, match="'compression': expected 'deflate'"):
        open_client(recorder.callback, peer_compression=True)


def test_many_clients_on_one_reactor(recorder):
    reactor = StepReactor(ManualClock(0))
    pairs = [open_client(recorder.callback, reactor=reactor) for _ in range(3)]
    for number, (_, peer) in enumerate(pairs):
        peer.send(str(number))
    assert recorder.messages == ["0", "1", "2"]
    recorder.take()
    assert len(reactor.registrants()) == 3


def test_other_threads_may_send(recorder):
    client, peer = open_client(recorder.callback)
    thread = threading.Thread(target=client.send, args=("from afar",))
    thread.start()
    thread.join(5)
    assert peer.messages == ["from afar"]


def test_options_are_checked_as_ever(recorder):
    with pytest.raises(OptionError, match="ping_interval"):
        open_client(recorder.callback, ping_interval="soon")
