"""The opening handshake as bytes, at every split, in both roles (RFC 6455 section 4)."""

from __future__ import annotations

import gc
import sys

import pytest

from tests.protocol.splits import Pieces, edge_splits, every_split
from tieline.compression import Deflate
from tieline.errors import HandshakeError
from tieline.http1 import HeadLimits
from tieline.protocol.deflate import Agreement
from tieline.protocol.events import HandshakeFailed, Opened, RequestReceived
from tieline.protocol.handshake import UpgradeRequest, accept_value
from tieline.protocol.opening import ClientOpening, ServerOpening

URL = "ws://example.com/chat"
NONCE = b"the sample nonce"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="

ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
REQUEST = (
    b"GET /chat HTTP/1.1\r\n"
    b"Host: example.com\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: " + KEY.encode() + b"\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)
HELLO = b"\x81\x05Hello"


def client(limits: HeadLimits | None = None, compression: Deflate | None = None) -> ClientOpening:
    request = UpgradeRequest("example.com", "/chat", compression=compression)
    return ClientOpening(request, URL, NONCE, limits or HeadLimits())


def feed(opening: ClientOpening | ServerOpening, pieces: Pieces) -> object:
    """The first event, after which the rest of the pieces is fed too."""
    event = None
    for piece in pieces:
        opening.receive_data(piece)
        event = event or opening.next_event()
    return event


def failure(event: object) -> HandshakeError:
    assert isinstance(event, HandshakeFailed), event
    assert isinstance(event.error, HandshakeError)
    return event.error


class TestClient:
    def test_asks(self) -> None:
        assert client().start() == (
            b"GET /chat HTTP/1.1\r\n"
            b"Host: example.com\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )

    @pytest.mark.parametrize("headers", [(), (("X-A", "1"), ("Host", "Sec-WebSocket-Key: "))])
    def test_asks_again_with_another_key(self, headers: tuple[tuple[str, str], ...]) -> None:
        def opening(request: UpgradeRequest, byte: bytes) -> ClientOpening:
            return ClientOpening(request, URL, 16 * byte, HeadLimits())

        shared = UpgradeRequest("example.com", "/chat", headers=headers)
        for byte in (b"1", b"2"):
            ours = opening(shared, byte)
            fresh = UpgradeRequest("example.com", "/chat", headers=headers)
            assert ours.start() == opening(fresh, byte).start()
            assert ours.start().count(ours.key.encode()) == 1
            assert ("Sec-WebSocket-Key", ours.key) in ours.headers()

    def test_goes_with_the_last_who_has_it(self) -> None:
        request = UpgradeRequest("example.com", "/chat")
        before = sys.getrefcount(request)
        gc.disable()
        try:
            opening = ClientOpening(request, URL, NONCE, HeadLimits())
            assert isinstance(feed(opening, [ANSWER]), Opened)
            del opening
            assert sys.getrefcount(request) == before
        finally:
            gc.enable()

    def test_waits(self) -> None:
        opening = client()
        assert opening.next_event() is None
        assert not opening.is_refused

    def test_is_accepted_at_every_split_with_a_frame_in_the_same_packet(self) -> None:
        for pieces in every_split(ANSWER + HELLO):
            opening = client()
            event = feed(opening, pieces)
            assert isinstance(event, Opened)
            assert event.response.status == 101
            assert event.response.url == URL
            assert opening.trailing_data == HELLO
            assert not opening.is_refused

    def test_skips_informational_answers(self) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        for pieces in edge_splits(early + early + ANSWER):
            assert isinstance(feed(client(), pieces), Opened)

    def test_is_refused_with_a_body(self) -> None:
        refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nbanned"
        for pieces in every_split(refusal):
            error = failure(feed(client(), pieces))
            assert str(error) == (
                f"{URL} did not accept the WebSocket upgrade: expected status 101, "
                "got 403 Forbidden; the server may want credentials, or another Origin (origin=)"
            )
            assert error.response is not None
            assert (error.response.status, error.response.body) == (403, b"banned")

    def test_the_body_of_a_refusal_ends_with_the_stream(self) -> None:
        opening = client()
        assert feed(opening, [b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\nno "]) is None
        assert opening.is_refused
        assert feed(opening, [b"upstream"]) is None
        opening.receive_eof()
        error = failure(opening.next_event())
        assert error.response is not None
        assert error.response.body == b"no upstream"
        assert not opening.is_refused

    def test_the_body_of_a_refusal_is_not_awaited_for_ever(self) -> None:
        opening = client()
        feed(opening, [b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\npart"])
        opening.stop_waiting_for_body()
        error = failure(opening.next_event())
        assert error.response is not None
        assert error.response.body == b"part"

    def test_the_body_of_a_refusal_is_bounded(self) -> None:
        opening = client(HeadLimits(max_body=10))
        error = failure(
            feed(opening, [b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\n" + b"x" * 50])
        )
        assert error.response is not None
        assert error.response.body == b"x" * 10

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (b"SSH-2.0-OpenSSH_9.6\r\n", "expected an HTTP/1.1 response, got b'S"),
            (b"\x15\x03\x01\x00\x02\x02\x28", "expected an HTTP/1.1 response"),
            (b"HTTP/1.1 101 Switching Protocols\r\nno colon\r\n\r\n", "malformed"),
            (b"HTTP/1.1 10x What\r\n\r\n", "expected an HTTP/1.1 response"),
            (b"HTTP/2 200\r\n\r\n", "expected an HTTP/1.1 response"),
        ],
    )
    def test_is_answered_with_something_else(self, answer: bytes, says: str) -> None:
        for pieces in every_split(answer):
            error = failure(feed(client(), pieces))
            assert str(error).startswith(f"{URL} did not answer the WebSocket upgrade: ")
            assert says in str(error)
            assert error.response is None

    def test_a_head_without_end(self) -> None:
        opening = client(HeadLimits(max_head_size=1000))
        endless = b"HTTP/1.1 101 Switching Protocols\r\n" + b"X-Y: z\r\n" * 1000
        error = failure(feed(opening, [endless]))
        assert "at most 1000 bytes" in str(error)

    def test_the_stream_ends_at_every_place(self) -> None:
        for place in range(len(ANSWER)):
            opening = client()
            assert feed(opening, [ANSWER[:place]]) is None
            opening.receive_eof()
            error = failure(opening.next_event())
            assert "closed before the response head was complete" in str(error)

    def test_the_stream_ends_behind_an_accepted_upgrade(self) -> None:
        opening = client()
        opening.receive_data(ANSWER + HELLO)
        opening.receive_eof()
        assert isinstance(opening.next_event(), Opened)
        assert opening.trailing_data == HELLO


class TestServer:
    def test_accepts_at_every_split(self) -> None:
        for pieces in every_split(REQUEST):
            opening = ServerOpening(HeadLimits())
            event = feed(opening, pieces)
            assert isinstance(event, RequestReceived)
            assert (event.request.target, event.subprotocols) == ("/chat", ())
            assert opening.next_event() is None  # it is told once
            answer = opening.accept(None, (("X-One", "1"),))
            assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
            assert f"Sec-WebSocket-Accept: {accept_value(KEY)}\r\n".encode() in answer
            assert b"X-One: 1\r\n" in answer
            assert answer.endswith(b"\r\n\r\n")

    def test_keeps_what_comes_behind_the_request(self) -> None:
        masked = bytes.fromhex("81 85 37fa213d 7f9f4d5158")
        for pieces in edge_splits(REQUEST + masked):
            opening = ServerOpening(HeadLimits())
            feed(opening, pieces)
            opening.accept(None, ())
            assert opening.trailing_data == masked

    def test_names_the_subprotocol(self) -> None:
        opening = ServerOpening(HeadLimits())
        asked = REQUEST[:-2] + b"Sec-WebSocket-Protocol: chat, superchat\r\n\r\n"
        event = feed(opening, [asked])
        assert isinstance(event, RequestReceived)
        assert event.subprotocols == ("chat", "superchat")
        assert b"Sec-WebSocket-Protocol: superchat\r\n" in opening.accept("superchat", ())

    def test_refuses_with_a_text(self) -> None:
        for pieces in edge_splits(REQUEST.replace(b"Version: 13", b"Version: 8")):
            opening = ServerOpening(HeadLimits())
            error = failure(feed(opening, pieces))
            assert str(error) == "refused an upgrade request: expected version 13, got '8'"
            head, _, body = opening.refusal.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 426 ")
            assert b"Sec-WebSocket-Version: 13" in head
            assert b"Connection: close" in head
            assert f"Content-Length: {len(body)}".encode() in head
            assert body == b"expected version 13, got '8'"

    @pytest.mark.parametrize(
        "request_bytes",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS
            b"GET /chat\r\n\r\n",
            b"GET /chat HTTP/1.1\r\nno colon\r\n\r\n",
        ],
    )
    def test_answers_what_is_no_request(self, request_bytes: bytes) -> None:
        """4.2.1: an HTTP response with an appropriate error code."""
        opening = ServerOpening(HeadLimits())
        assert "no upgrade request: " in str(failure(feed(opening, [request_bytes])))
        assert opening.refusal.startswith(b"HTTP/1.1 400 ")

    def test_a_head_without_end(self) -> None:
        opening = ServerOpening(HeadLimits(max_head_size=1000))
        error = failure(feed(opening, [REQUEST[:-2] + b"X-Y: z\r\n" * 1000]))
        assert "at most 1000 bytes" in str(error)
        assert opening.refusal.startswith(b"HTTP/1.1 400 ")

    def test_the_stream_ends_at_every_place(self) -> None:
        for place in range(len(REQUEST)):
            opening = ServerOpening(HeadLimits())
            assert feed(opening, [REQUEST[:place]]) is None
            opening.receive_eof()
            assert "before its request was complete" in str(failure(opening.next_event()))
            assert opening.refusal == b""  # nobody is there to read it

    def test_the_stream_ends_behind_the_request(self) -> None:
        opening = ServerOpening(HeadLimits())
        opening.receive_data(REQUEST)
        opening.receive_eof()
        assert isinstance(opening.next_event(), RequestReceived)

    def test_rejects(self) -> None:
        opening = ServerOpening(HeadLimits())
        feed(opening, [REQUEST])
        answer = opening.reject(503, "later", (("Retry-After", "5"),), "Busy")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 Busy\r\n")
        assert b"Retry-After: 5" in head
        assert b"Connection: close" in head
        assert body == b"later"

    def test_a_connection_header_of_the_users_stays(self) -> None:
        opening = ServerOpening(HeadLimits())
        feed(opening, [REQUEST])
        answer = opening.reject(401, "", (("CONNECTION", "keep-alive"),))
        assert answer.lower().count(b"connection:") == 1


class TestClientsCompression:
    def answered(self, extensions: bytes) -> bytes:
        return ANSWER[:-2] + b"Sec-WebSocket-Extensions: " + extensions + b"\r\n\r\n" + HELLO

    def test_offers(self) -> None:
        asked = client(compression=Deflate(server_max_window_bits=10)).start()
        assert (
            b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10; "
            b"client_max_window_bits\r\n"
        ) in asked

    def test_agrees_at_every_split(self) -> None:
        for pieces in edge_splits(self.answered(b"permessage-deflate; server_no_context_takeover")):
            opening = client(compression=Deflate())
            assert opening.agreement is None
            event = feed(opening, pieces)
            assert isinstance(event, Opened)
            assert event.response.extensions == ("permessage-deflate; server_no_context_takeover",)
            assert opening.agreement == Agreement(server_context_takeover=False)
            assert opening.trailing_data == HELLO

    def test_does_without(self) -> None:
        opening = client(compression=Deflate())
        event = feed(opening, [ANSWER])
        assert isinstance(event, Opened)
        assert (event.response.extensions, opening.agreement) == ((), None)

    @pytest.mark.parametrize("extensions", [b"x-other", b"permessage-deflate; x", b"a b"])
    def test_refuses(self, extensions: bytes) -> None:
        opening = client(compression=Deflate())
        error = failure(feed(opening, [self.answered(extensions)]))
        assert str(error).startswith(f"{URL} did not accept the WebSocket upgrade: ")
        assert error.response is not None and error.response.status == 101
        assert opening.agreement is None


class TestServersCompression:
    def asked(self, *extensions: bytes) -> bytes:
        lines = [b"Sec-WebSocket-Extensions: " + value + b"\r\n" for value in extensions]
        return REQUEST[:-2] + b"".join(lines) + b"\r\n"

    def test_takes_an_offer_at_every_split(self) -> None:
        request = self.asked(b"x-other", b"permessage-deflate; client_max_window_bits")
        for pieces in edge_splits(request):
            opening = ServerOpening(HeadLimits(), Deflate())
            assert isinstance(feed(opening, pieces), RequestReceived)
            assert opening.agreement is None  # as long as nothing is accepted
            answer = opening.accept(None, (("X-One", "1"),))
            assert answer.count(b"Sec-WebSocket-Extensions: ") == 1
            assert (
                b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\r\n"
            ) in answer
            assert opening.agreement == Agreement(client_max_window_bits=12)

    @pytest.mark.parametrize(
        ("compression", "extensions"),
        [
            (None, b"permessage-deflate"),
            (Deflate(), b"x-other"),
            (Deflate(), b"permessage-deflate; unknown"),
            (Deflate(), b""),
        ],
    )
    def test_does_without(self, compression: Deflate | None, extensions: bytes) -> None:
        opening = ServerOpening(HeadLimits(), compression)
        feed(opening, [self.asked(extensions)])
        assert b"sec-websocket-extensions" not in opening.accept(None, ()).lower()
        assert opening.agreement is None

    @pytest.mark.parametrize("name", ["Sec-WebSocket-Extensions", "sec-websocket-extensions"])
    def test_whoever_answers_himself_speaks_it_himself(self, name: str) -> None:
        opening = ServerOpening(HeadLimits(), Deflate())
        feed(opening, [self.asked(b"permessage-deflate")])
        answer = opening.accept(None, ((name, "x-mine"),))
        assert answer.lower().count(b"sec-websocket-extensions:") == 1
        assert f"{name}: x-mine\r\n".encode() in answer
        assert opening.agreement is None

    @pytest.mark.parametrize("compression", [None, Deflate()])
    def test_refuses_what_breaks_the_grammar(self, compression: Deflate | None) -> None:
        opening = ServerOpening(HeadLimits(), compression)
        error = failure(feed(opening, [self.asked(b"permessage-deflate", b"a b")]))
        assert "Sec-WebSocket-Extensions: expected ',' or ';'" in str(error)
        assert opening.refusal.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("ours_wish", [None, Deflate(), Deflate(server_max_window_bits=9)])
@pytest.mark.parametrize("theirs_wish", [None, Deflate(client_context_takeover=False)])
def test_each_role_understands_the_other(
    ours_wish: Deflate | None, theirs_wish: Deflate | None
) -> None:
    ours = client(compression=ours_wish)
    theirs = ServerOpening(HeadLimits(), theirs_wish)
    assert isinstance(feed(theirs, [ours.start()]), RequestReceived)
    assert isinstance(feed(ours, [theirs.accept(None, ())]), Opened)
    assert ours.agreement == theirs.agreement
    assert (ours.agreement is None) is (ours_wish is None or theirs_wish is None)
