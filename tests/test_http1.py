"""Request and response bytes, in every cut; limits; and errors that say what came."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile_answers import MALFORMED, NO_HTTP, OK, REFUSALS
from tieline.errors import OptionError
from tieline.http1 import ClientExchange, HeadLimits, HTTPFormatError, ServerExchange

UPGRADE = [("Host", "example.com"), ("Connection", "Upgrade"), ("Upgrade", "websocket")]
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX: 1\r\n\r\n"


def upgrade(limits=None):
    return ClientExchange("GET", "/chat?x=1", UPGRADE, limits)


def connect(limits=None):
    return ClientExchange("CONNECT", "example.com:443", [("Host", "example.com:443")], limits)


def cuts(data):
    """The data whole, in single bytes, and in two pieces at every place."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for place in range(1, len(data)):
        yield [data[:place], data[place:]]


def fed(exchange, pieces):
    for piece in pieces:
        exchange.receive_data(piece)
    return exchange


# Headers


# The client's request


def test_request_bytes():
    exchange = ClientExchange("GET", "/chat?x=1", [("Host", "h"), ("X-Odd-Case", " 1 ")])
    assert exchange.request_bytes() == b"GET /chat?x=1 HTTP/1.1\r\nHost: h\r\nX-Odd-Case: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/a b?token=hush", UPGRADE),
        ("GET", "/\u20ac?token=hush", UPGRADE),
        ("GET", "/\r\nEvil: 1?token=hush", UPGRADE),
        ("GE T", "/?token=hush", UPGRADE),
        ("GET", "/?token=hush", []),
        ("GET", "/?token=hush", [*UPGRADE, ("Host", "other")]),
        ("GET", "/?token=hush", [*UPGRADE, ("Cookie", "hush\n")]),
    ],
)
def test_requests_that_cannot_be_sent(method, target, headers):
    with pytest.raises(OptionError) as caught:
        ClientExchange(method, target, headers)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None  # its text may quote what ours does not


# The client's response


def test_switching_protocols_in_every_cut():
    for pieces in cuts(SWITCHING + b"\x81\x02hi"):
        exchange = fed(upgrade(), pieces)
        response = exchange.response
        assert (response.http_version, response.status) == ("1.1", 101)
        assert response.reason == "Switching Protocols"
        assert response.headers.raw == (("Upgrade", "websocket"), ("X", "1"))
        assert response.body == b""
        assert exchange.trailing_data == b"\x81\x02hi"


def test_tunnel_in_every_cut():
    # Many proxies still answer as HTTP/1.0; a Content-Length means nothing here (RFC 9110 9.3.6).
    for pieces in cuts(b"HTTP/1.0 200 Connection established\r\nContent-Length: 7\r\n\r\nrest"):
        exchange = fed(connect(), pieces)
        assert exchange.response.status == 200
        assert exchange.trailing_data == b"rest"


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nsorryIGNORED", b"sorry"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", b""),
        (
            b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nsor\r\n2\r\nry\r\n0\r\n\r\n",
            b"sorry",
        ),
        (b"HTTP/1.1 204\r\n\r\n", b""),
        # Bytes that break the framing of a body end it: the status is what matters.
        (b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsor\r\nnonsense\r\n", b"sor"),
    ],
)
def test_refusals_in_every_cut(raw, body):
    for pieces in cuts(raw):
        for exchange in (upgrade(), connect()):
            if raw.startswith(b"HTTP/1.1 204") and b"CONNECT" in exchange.request_bytes():
                continue
            fed(exchange, pieces)
            assert exchange.response.status in (403, 204)
            assert exchange.response.body == body
            assert exchange.trailing_data == b""


def test_a_body_can_end_with_the_stream():
    for pieces in cuts(b"HTTP/1.1 500 Oops\r\n\r\nsorry"):
        exchange = fed(upgrade(), pieces)
        assert exchange.response is None and exchange.head_complete
        exchange.receive_eof()
        assert exchange.response.body == b"sorry"


def test_a_body_is_cut_at_its_bound():
    limits = HeadLimits(max_body=10)
    for head in (b"", b"Content-Length: 99\r\n", b"Transfer-Encoding: chunked\r\n"):
        chunk = b"63\r\n" if b"chunked" in head else b""
        raw = b"HTTP/1.1 500 Oops\r\n" + head + b"\r\n" + chunk + b"x" * 50
        for pieces in cuts(raw):
            exchange = fed(upgrade(limits), pieces)
            assert exchange.response.body == b"x" * 10


def test_a_content_length_that_lies():
    raw = b"HTTP/1.1 500 Oops\r\nContent-Length: 999\r\n\r\nshort"
    exchange = fed(upgrade(), [raw])
    assert exchange.response is None
    exchange.receive_eof()
    assert exchange.response.body == b"short"
    exchange = fed(upgrade(), [raw])
    exchange.finish()
    assert exchange.response.body == b"short"


def test_finish_needs_a_head():
    with pytest.raises(RuntimeError):
        upgrade().finish()


def test_other_informational_responses_are_skipped():
    for pieces in cuts(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + SWITCHING
    ):
        assert fed(upgrade(), pieces).response.status == 101


def test_informational_responses_are_counted():
    limits = HeadLimits(max_informational=2)
    early = b"HTTP/1.1 103 Hints\r\n\r\n"
    assert fed(upgrade(limits), [early * 2 + SWITCHING]).response.status == 101
    for pieces in ([early * 3], [early] * 3):
        with pytest.raises(HTTPFormatError, match="more than 2 informational"):
            fed(upgrade(limits), pieces)


def test_a_switch_that_nobody_asked_for():
    with pytest.raises(HTTPFormatError):
        fed(connect(), [SWITCHING])


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        (b"220 mail.example.com ESMTP\r\n", "220 mail"),
        (b"\x15\x03\x01\x00\x02\x02F", r"\x15\x03\x01"),
        (b"\r\n", "got b''"),
        (b"HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 OK"),
        (b"HTTP/1.1 101 Yes\r\nSet-Cookie hush\r\n\r\n", "HTTP/1.1 101 Yes"),
        (b"HTTP/1.1 101 Yes\r\nSet-Cookie : hush\r\n\r\n", "header line is malformed"),
        (b"HTTP/1.1 101 Yes\r\nA: \0hush\r\n\r\n", "header line is malformed"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 403 No\r\nContent-Length: hush\r\n\r\n", "Content-Length"),
    ],
)
def test_what_is_no_response_is_shown(raw, shown):
    with pytest.raises(HTTPFormatError) as caught:
        fed(upgrade(), [raw])
    assert "expected an HTTP/1.1 response" in str(caught.value)
    assert shown in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(HTTPFormatError, match="expected an HTTP/1.1 response"):
        fed(upgrade(), [raw[i : i + 1] for i in range(len(raw))])


@pytest.mark.parametrize(("raw", "said"), (NO_HTTP | MALFORMED).values(), ids=NO_HTTP | MALFORMED)
@pytest.mark.parametrize("make", [upgrade, connect])
def test_hostile_heads(make, raw, said):
    for size in (len(raw), 1, 7, 4096):
        exchange = make()
        with pytest.raises(HTTPFormatError) as caught:
            for place in range(0, len(raw), size):
                exchange.receive_data(raw[place : place + size])
        text = str(caught.value)
        assert "\n" not in text and "hush" not in text and len(text) < 400
        if size == len(raw) and not (raw.startswith(OK) and make is connect):
            assert said in text
    for cut in range(1, min(len(raw), 200)):
        with pytest.raises(HTTPFormatError):
            fed(make(), [raw[:cut], raw[cut:]])


@pytest.mark.parametrize(("raw", "said"), REFUSALS.values(), ids=REFUSALS)
def test_hostile_answers_are_bounded(raw, said):
    """Neither the head nor the body is kept beyond its limit, however it comes."""
    for size in (len(raw), 4096, 7, 1):
        if len(raw) > 10_000 * size:
            continue  # it takes long under tracemalloc
        exchange = upgrade()
        gc.collect()
        tracemalloc.start()
        try:
            for place in range(0, len(raw), size):
                if exchange.response is None:
                    exchange.receive_data(raw[place : place + size])
            if exchange.response is None:
                exchange.receive_eof()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert exchange.response.status in (101, 200, 300, 302, 400, 404, 426, 500, 503)
        assert len(exchange.response.body) <= HeadLimits().max_body
        # Head and body, and h11's copies of the piece that it was given.
        assert peak < 6 * (HeadLimits().max_head_size + HeadLimits().max_body) + 4 * size


def test_a_greeting_is_refused_without_waiting_for_more():
    with pytest.raises(HTTPFormatError):
        upgrade().receive_data(b"S")


def test_the_excerpt_is_short():
    with pytest.raises(HTTPFormatError) as caught:
        upgrade().receive_data(b"x" * 10_000)
    assert len(str(caught.value)) < 200


def test_head_size_is_exact_in_every_cut():
    limits = HeadLimits(max_head_size=len(SWITCHING))
    for pieces in cuts(SWITCHING + b"more than that"):
        assert fed(upgrade(limits), pieces).response.status == 101
    limits = HeadLimits(max_head_size=len(SWITCHING) - 1)
    for pieces in cuts(SWITCHING):
        with pytest.raises(HTTPFormatError, match=f"at most {len(SWITCHING) - 1} bytes"):
            fed(upgrade(limits), pieces)


def test_an_endless_head_is_cut():
    exchange = upgrade()
    exchange.receive_data(b"HTTP/1.1 101 Yes\r\n")
    with pytest.raises(HTTPFormatError, match="at most 65536 bytes"):
        for _ in range(10_000):
            exchange.receive_data(b"X: " + b"y" * 100 + b"\r\n")


def test_header_count():
    limits = HeadLimits(max_header_count=3)
    head = b"HTTP/1.1 101 Yes\r\n"
    assert fed(upgrade(limits), [head + b"A: b\r\n" * 3 + b"\r\n"]).response
    with pytest.raises(HTTPFormatError, match="at most 3 header lines, got 4"):
        fed(upgrade(limits), [head + b"A: b\r\n" * 4 + b"\r\n"])


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 101 Swi"])
def test_end_of_stream_before_the_head(sent):
    exchange = fed(upgrade(), [sent])
    with pytest.raises(HTTPFormatError, match=f"closed before .* after {len(sent)} bytes"):
        exchange.receive_eof()


@given(st.data())
def test_any_cut_gives_the_same(data):
    raw = b"HTTP/1.1 103 Hints\r\n\r\n" + SWITCHING + bytes(range(40))
    places = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]
    exchange = fed(upgrade(), [memoryview(piece) for piece in pieces])
    assert exchange.response.status == 101
    assert exchange.trailing_data == bytes(range(40))


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_response_or_a_documented_error(noise, after_status):
    exchange = upgrade()
    try:
        exchange.receive_data((b"HTTP/1.1 101 Yes\r\n" if after_status else b"") + noise)
        exchange.receive_eof()
    except HTTPFormatError:
        return
    assert exchange.response is not None


# The server


def test_request_in_every_cut():
    raw = upgrade().request_bytes() + b"\x81\x80"
    for pieces in cuts(raw):
        exchange = fed(ServerExchange(), pieces)
        request = exchange.request
        assert (request.method, request.target, request.http_version) == ("GET", "/chat?x=1", "1.1")
        assert request.headers["upgrade"] == "websocket"
        assert exchange.trailing_data == b"\x81\x80"


def both(client):
    server = fed(ServerExchange(), [client.request_bytes()])
    return client, server


def test_server_switches():
    client, server = both(upgrade())
    client.receive_data(server.respond(101, "Switching Protocols", [("Upgrade", "websocket")]))
    assert client.response.status == 101
    assert client.response.headers["upgrade"] == "websocket"


def test_server_opens_a_tunnel():
    client, server = both(connect())
    raw = server.respond(200, "Fine", [])
    assert b"ontent-" not in raw
    client.receive_data(raw + b"rest")
    assert client.response.status == 200
    assert client.trailing_data == b"rest"


@pytest.mark.parametrize("make", [upgrade, connect])
def test_server_refuses(make):
    client, server = both(make())
    client.receive_data(server.respond(404, "Not Found", [("X", "1")], b"no such feed"))
    assert client.response.status == 404
    assert client.response.body == b"no such feed"
    assert client.response.headers["content-length"] == "12"
    assert client.response.headers["connection"] == "close"


def test_server_leaves_framing_headers_alone():
    client, server = both(upgrade())
    headers = [("Content-Length", "2"), ("Connection", "keep-alive")]
    client.receive_data(server.respond(200, "OK", headers, b"hi"))
    assert client.response.headers.get_all("content-length") == ["2"]
    assert client.response.headers.get_all("connection") == ["keep-alive"]
    assert client.response.body == b"hi"


def test_server_answers_a_malformed_request():
    server = ServerExchange()
    with pytest.raises(HTTPFormatError, match="expected an HTTP/1.1 request"):
        server.receive_data(b"NONSENSE\r\n\r\n")
    assert server.respond(400, "Bad Request", []).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_server_answers_a_request_that_is_too_long():
    server = ServerExchange(HeadLimits(max_head_size=100))
    with pytest.raises(HTTPFormatError, match="request head of at most 100 bytes"):
        server.receive_data(b"GET /?token=hush HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 100)
    assert server.respond(431, "Too Large", []).startswith(b"HTTP/1.1 431 Too Large\r\n")


def test_server_does_not_show_a_token():
    with pytest.raises(HTTPFormatError) as caught:
        fed(ServerExchange(), [b"GET /?token=hush\r\n\r\n"])
    assert "hush" not in str(caught.value)


def test_server_notices_the_end():
    server = fed(ServerExchange(), [b"GET / HT"])
    with pytest.raises(HTTPFormatError, match="request head was complete, after 8 bytes"):
        server.receive_eof()


def test_a_request_with_a_body():
    server = fed(ServerExchange(), [b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"])
    assert server.request.method == "POST"
    assert server.trailing_data == b"body"
    assert server.respond(405, "No", []).startswith(b"HTTP/1.1 405 No\r\n")


def test_importing_loads_no_io():
    code = (
        "import sys; import tieline.http1; "
        "print([m for m in ('socket', 'ssl', 'threading', 'logging') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.stdout.strip() == "[]", result.stderr
