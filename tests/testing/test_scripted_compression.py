"""What a script says about compression is what client and server then do."""

from __future__ import annotations

import zlib

import pytest

import tieline
from tieline import Deflate, HandshakeError, Opcode
from tieline.testing import ScriptedServer, close_payload, deflate_payload

#: Repeats itself, within one message and from one to the next.
NEWS = "the same news again, " * 20


def inflated(payload: bytes) -> bytes:
    """Of a message that refers to no other."""
    return zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")


def play(script, *messages, compression="deflate", **options):
    """What a client receives that sends these messages."""
    with ScriptedServer(script) as server:
        with tieline.connect(
            server.url, proxy=None, compression=compression, **options
        ) as connection:
            for message in messages:
                connection.send(message, compress=compression is not None)
            return list(connection)


def test_compressed_messages_both_ways():
    def script(peer):
        request = peer.accept_upgrade(extensions="permessage-deflate")
        assert request.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
        peer.expect_text(NEWS)
        frame = peer.receive_frame()
        assert (frame.payload, frame.rsv1) == (NEWS.encode(), True)
        peer.send_text(NEWS, compress=True)
        peer.send_text("as it is")
        peer.send_binary(NEWS.encode(), compress=True)
        peer.finish()

    assert play(script, NEWS, NEWS) == [NEWS, "as it is", NEWS.encode()]


def test_frames_as_they_came():
    def script(peer):
        peer.accept_upgrade(extensions="permessage-deflate")
        first = peer.receive_frame(inflate=False)
        assert first.rsv1 and inflated(first.payload) == NEWS.encode()
        second = peer.receive_frame(inflate=False)
        # It refers to the first, which the peer has inflated all the same.
        assert second.rsv1 and len(second.payload) < len(first.payload) < len(NEWS)
        peer.expect_text(NEWS)
        peer.finish()

    play(script, NEWS, NEWS, NEWS)


def test_frames_that_are_not_compressed():
    def script(peer):
        peer.accept_upgrade(extensions="permessage-deflate")
        frame = peer.receive_frame()
        assert (frame.payload, frame.rsv1) == (b"short", False)
        peer.finish()

    with ScriptedServer(script) as server, tieline.connect(server.url, proxy=None) as connection:
        connection.send("short")
        assert list(connection) == []


def test_fragments():
    def script(peer):
        peer.accept_upgrade(extensions="permessage-deflate")
        assert peer.expect_frame(Opcode.TEXT, NEWS, fin=False).rsv1
        assert not peer.expect_frame(Opcode.CONTINUATION, NEWS).rsv1
        peer.send_frame(Opcode.TEXT, NEWS, fin=False, compress=True)
        peer.send_frame(Opcode.PING, b"between")
        peer.send_frame(Opcode.CONTINUATION, NEWS, compress=True)
        peer.send_text(NEWS, compress=True)
        peer.expect_frame(Opcode.PONG, b"between")
        peer.finish()

    assert play(script, [NEWS, NEWS]) == [NEWS + NEWS, NEWS]


def test_payloads_by_hand_between_messages_of_the_context():
    by_hand = deflate_payload(NEWS)

    def script(peer):
        peer.accept_upgrade(extensions="permessage-deflate")
        for _ in range(2):
            peer.send_text(NEWS, compress=True)
            peer.send_text(NEWS, compress=True)
            peer.send_frame(Opcode.TEXT, by_hand[:5], rsv1=True, fin=False)
            peer.send_frame(Opcode.CONTINUATION, by_hand[5:])
            peer.send_frame(Opcode.TEXT, by_hand, rsv=4)
        peer.finish()

    assert play(script) == [NEWS] * 8


def wire_bytes(answer, by_headers=False):
    """Bytes for two messages that repeat themselves at a distance of 1800 bytes."""
    message = "".join(f"{number:09}" for number in range(200)) * 2

    def script(peer):
        if by_headers:
            peer.accept_upgrade(headers=[("sec-websocket-extensions", answer)])
        else:
            peer.accept_upgrade(extensions=answer)
        peer.expect_text("go")
        peer.send_text(message, compress=True)
        peer.send_text(message, compress=True)
        peer.finish()

    with ScriptedServer(script) as server:
        with tieline.connect(server.url, proxy=None) as connection:
            assert connection.response.extensions == (answer,)
            connection.send("go")
            assert list(connection) == [message, message]
            return connection.stats().wire_bytes_received


@pytest.mark.parametrize("by_headers", [False, True])
def test_the_script_keeps_to_its_answer(by_headers):
    small_window = wire_bytes("permessage-deflate; server_max_window_bits=9", by_headers)
    each_alone = wire_bytes("permessage-deflate; server_no_context_takeover", by_headers)
    everything = wire_bytes("permessage-deflate", by_headers)
    assert everything < 0.8 * each_alone
    assert each_alone < 0.8 * small_window


@pytest.mark.parametrize("text", ["permessage-deflate; fast", "x-unknown", ";;"])
def test_any_text_can_be_answered(text):
    with pytest.raises(HandshakeError, match="extension|permessage-deflate"):
        play(lambda peer: peer.accept_upgrade(extensions=text))


def test_without_an_answer_compressed_frames_are_wrong_both_ways():
    def script(peer):
        peer.accept_upgrade()
        peer.send_text(NEWS, compress=True)
        peer.expect_close(1002)
        peer.send_close(1002)

    with pytest.raises(tieline.ConnectionClosed):
        play(script, compression=None)


def test_close_frames_are_never_inflated():
    def script(peer):
        peer.accept_upgrade(extensions="permessage-deflate")
        peer.send_frame(Opcode.TEXT, NEWS, compress=True)
        frame = peer.expect_frame(Opcode.CLOSE)
        assert frame.payload == close_payload(1000)
        peer.send_close(1000)

    with ScriptedServer(script) as server:
        options = {"proxy": None, "compression": Deflate(client_context_takeover=False)}
        with tieline.connect(server.url, **options) as connection:
            assert connection.recv(5) == NEWS
