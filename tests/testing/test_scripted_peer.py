"""What a script can do to a client, seen from the client's socket; and what it finds wrong."""

from __future__ import annotations

import socket
import time
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from tieline import ConnectError, HandshakeError, Opcode, ProtocolError, WebSocketClient
from tieline.testing import ScriptedServer, close_payload, deflate_payload, frame_bytes

REQUEST = (
    b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def masked(opcode, payload=b"", **parts):
    return frame_bytes(opcode, payload, mask_key=b"abcd", **parts)


def play(script, sent=b"", *, step=None, timeout=5.0):
    """Play one script against a socket that sends `sent`; what the socket got, up to the end."""
    with ScriptedServer(script, timeout=timeout) as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, len(sent), step or len(sent) or 1):
                raw.sendall(sent[start : start + (step or len(sent))])
            received = b""
            try:
                while piece := raw.recv(65536):
                    received += piece
                raw.shutdown(socket.SHUT_WR)
            finally:
                server.wait()
        return received


@pytest.mark.parametrize("step", [None, 1, 3, 50])
def test_the_handshake_and_frames_in_any_pieces(step):
    frames = []

    def script(peer):
        request = peer.accept_upgrade(subprotocol="chat", headers=[("X", "y")], then=b"early")
        assert request.target == "/chat"
        assert peer.request is request
        frames.append(peer.expect_frame(Opcode.TEXT, "Hel", fin=False))
        frames.append(peer.expect_frame(Opcode.PING))
        frames.append(peer.receive_frame())
        assert peer.expect_close(1000, "bye") == (1000, "bye")

    sent = REQUEST + masked(1, "Hel", fin=False) + masked(9, b"?") + masked(0, "lo")
    received = play(script, sent + masked(8, close_payload(1000, "bye")), step=step)
    head, _, rest = received.partition(b"\r\n\r\n")
    # The example of RFC 6455 section 1.3.
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert b"Sec-WebSocket-Protocol: chat\r\nX: y" in head
    assert rest == b"early"
    assert [frame.payload for frame in frames] == [b"Hel", b"?", b"lo"]


def test_all_ways_of_sending():
    def script(peer):
        peer.send_text("é")
        peer.send_binary(b"\0")
        peer.send_frame(9, b"p", rsv=2)
        peer.send_close(1005)
        peer.send_close(None)
        peer.send_raw(b"raw")
        peer.drip(b"drip", 0.001)

    assert play(script) == (bytes.fromhex("8102c3a9 820100 a90170 880203ed 8800") + b"rawdrip")


def test_raw_bytes_before_and_after_the_request():
    def script(peer):
        assert peer.receive_raw(3) == b"abc"
        assert peer.receive_raw(3) == b"def"
        peer.send_raw(b"ok")

    assert play(script, b"abcdef", step=2) == b"ok"


def test_raw_bytes_and_frames_do_not_mix():
    def script(peer):
        peer.receive_frame()
        peer.receive_raw(1)

    with pytest.raises(RuntimeError, match="after receive_frame"):
        play(script, masked(1, "x"))


@pytest.mark.parametrize(
    ("script", "sent", "found"),
    [
        (lambda p: p.expect_text("a"), masked(1, "b"), "expected TEXT b'a', got TEXT b'b'"),
        (lambda p: p.expect_frame(Opcode.PING), masked(1, "b"), "expected PING, got TEXT"),
        (lambda p: p.expect_frame(Opcode.TEXT), masked(1, "b", fin=False), "not final"),
        (lambda p: p.expect_close(1000), masked(8, close_payload(1001)), "expected a Close with"),
        (lambda p: p.receive_frame(), b"", "expected a frame, the client has closed"),
        (lambda p: p.expect_frame(Opcode.PING), b"", "expected PING, the client has closed"),
        (lambda p: p.expect_close(), masked(1, "x"), "expected a Close frame, the client has"),
        (lambda p: p.read_request(), b"GET / HT", "expected a request, the client has closed"),
        (lambda p: p.receive_raw(9), b"abc", "expected 9 bytes, got b'abc' and the end"),
    ],
)
def test_what_is_not_as_expected(script, sent, found):
    with pytest.raises(AssertionError, match=found):
        with ScriptedServer(script) as server:
            with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
                raw.sendall(sent)
                raw.shutdown(socket.SHUT_WR)
                server.wait()


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        (lambda p: p.read_request(), "a request"),
        (lambda p: p.receive_frame(), "a frame"),
        (lambda p: p.expect_close(), "a Close frame"),
        (lambda p: p.expect_end(), "the end of the connection"),
        (lambda p: p.receive_raw(1), "1 bytes"),
    ],
)
def test_every_wait_is_bounded(script, wanted):
    with pytest.raises(AssertionError, match=f"expected {wanted} within 0.02 s, nothing came"):
        play(script, timeout=0.02)


def test_a_client_that_trickles_does_not_outrun_the_time():
    with pytest.raises(AssertionError, match="within 0.1 s"):
        with ScriptedServer(lambda peer: peer.read_request(), timeout=0.1) as server:
            with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
                started = time.monotonic()
                raw.settimeout(0.02)
                ended = False
                while not ended:
                    try:
                        raw.sendall(b"G")
                        ended = raw.recv(1) == b""
                    except TimeoutError:
                        assert time.monotonic() - started < 20
                    except ConnectionError:
                        ended = True  # closed with unread bytes


def test_sending_to_a_client_that_does_not_read_is_bounded():
    with pytest.raises(AssertionError, match="the client does not read"):
        with ScriptedServer(lambda peer: peer.send_raw(bytes(50_000_000)), timeout=0.1) as server:
            with socket.create_connection(("127.0.0.1", server.port), 5):
                server.wait()


def test_hold_is_bounded():
    with pytest.raises(AssertionError, match="not closed within hold"):
        play(lambda peer: peer.hold(0.01))


def test_a_client_that_breaks_a_rule_is_found():
    with pytest.raises(ProtocolError, match="masked"):
        play(lambda peer: peer.receive_frame(), frame_bytes(1, "unmasked"))


def test_a_client_that_compresses_without_an_answer_is_found():
    def script(peer):
        peer.accept_upgrade()
        peer.receive_frame()

    with pytest.raises(ProtocolError, match="RSV"):
        play(script, REQUEST + masked(1, deflate_payload("x"), rsv1=True))


def test_a_client_that_exceeds_what_was_answered_is_found():
    context = zlib.compressobj(wbits=-15)
    messages = [context.compress(b"again" * 99) + context.flush(zlib.Z_SYNC_FLUSH) for _ in "12"]
    sent = REQUEST + b"".join(masked(2, data[:-4], rsv1=True) for data in messages)
    received = []

    def script(answer):
        def read(peer):
            peer.accept_upgrade(extensions=answer)
            received.append(peer.receive_frame().payload)
            received.append(peer.receive_frame().payload)

        return read

    play(script("permessage-deflate"), sent)
    with pytest.raises(ProtocolError, match="compressed data"):
        play(script("permessage-deflate; client_no_context_takeover"), sent)
    assert received == [b"again" * 99] * 3


def test_reset():
    with pytest.raises(ConnectionResetError):
        play(lambda peer: peer.reset())


def test_half_close_and_read_on():
    def script(peer):
        peer.half_close()
        peer.expect_text("still here")

    with ScriptedServer(script) as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
            assert raw.recv(1) == b""
            raw.sendall(masked(1, "still here"))
            server.wait()


def test_what_was_sent_arrives_although_not_all_was_read():
    # A plain close with unread bytes would be a reset, and take the answer with it.
    for _ in range(20):
        assert play(lambda peer: peer.send_raw(b"answer"), bytes(100_000)) == b"answer"


def test_a_wrong_accept_is_refused_by_the_client():
    with ScriptedServer(lambda peer: peer.accept_upgrade(accept="wrong")) as server:
        with pytest.raises(HandshakeError, match="'wrong'"):
            WebSocketClient(lambda message: None, server.url).connect()


def test_a_redirect_is_followed_by_the_client():
    def target(peer):
        assert peer.accept_upgrade().target == "/new"
        peer.finish(1000)

    with ScriptedServer(lambda peer: peer.redirect("/new", 307), target) as server:
        client = WebSocketClient(lambda message: None, server.url)
        client.connect()
        assert client.wait(5).code == 1000


def test_a_redirect_may_lead_nowhere():
    answer = play(lambda peer: peer.redirect(None, 301), REQUEST)
    assert answer.startswith(b"HTTP/1.1 301 Moved Permanently\r\n")
    assert b"location" not in answer.lower()


def test_answers_that_tell_when_to_come_again():
    noon = datetime(1994, 11, 15, 12, tzinfo=UTC)

    def busy(peer):
        peer.respond(503, retry_after=noon + timedelta(seconds=30), date=noon, body="later")

    with ScriptedServer(busy, lambda peer: peer.respond(429, retry_after=7)) as server:
        client = WebSocketClient(lambda message: None, server.url)
        answers = []
        for _ in range(2):
            with pytest.raises(HandshakeError) as refused:
                client.connect()
            answers.append(refused.value.response)
    first, second = answers
    assert (first.status, first.reason, first.body) == (503, "Service Unavailable", b"later")
    assert first.headers.get("date") == "Tue, 15 Nov 1994 12:00:00 GMT"
    assert first.headers.get("retry-after") == "Tue, 15 Nov 1994 12:00:30 GMT"
    assert (second.status, second.headers.get("retry-after")) == (429, "7")


def test_silence_and_garbage_do_not_hang_the_client():
    def garbage(peer):
        peer.read_request()
        peer.send_raw(b"\0garbage\r\n\r\n")

    with ScriptedServer(lambda peer: peer.hold(), garbage) as server:
        client = WebSocketClient(lambda message: None, server.url, connect_timeout=0.1)
        for _ in range(2):
            with pytest.raises(ConnectError):
                client.connect()
