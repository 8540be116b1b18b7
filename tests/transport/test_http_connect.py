"""CONNECT, against proxies good and bad."""

from __future__ import annotations

import base64
import socket
import threading
from dataclasses import replace

import pytest

from tieline.errors import ConnectCancelled, ConnectTimeout, OptionError, ProxyError
from tieline.transport import exchange
from tieline.transport.http_connect import open_tunnel
from tieline.transport.proxy import Proxy
from tieline.transport.stream import SocketStream

PROXY = Proxy("http", "proxy.example", 3128)


@pytest.fixture
def tunnel(serve, handlers, attempt):
    """tunnel(answer, proxy) -> the stream and the request head that the proxy got."""
    streams = []

    def open_(answer, proxy=PROXY, attempt=attempt, host="example.com", port=443):
        heads = []

        def respond(connection):
            heads.append(handlers.read_head(connection))
            if callable(answer):
                answer(connection)
            else:
                connection.sendall(answer)
                handlers.silent(connection)

        server = serve(respond)
        stream = SocketStream(socket.create_connection(server.address, 5))
        streams.append(stream)
        open_tunnel(stream, proxy, host, port, attempt)
        return stream, heads[0]

    yield open_
    for stream in streams:
        stream.close()


# The tunnel


def test_tunnel_carries_bytes(tunnel, handlers, attempt):
    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
        handlers.echo(connection)

    stream, head = tunnel(answer)
    assert head == b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"
    stream.send(b"hello")
    assert attempt.wait(stream.fileno(), readable=True)
    buffer = bytearray(10)
    assert stream.receive_into(memoryview(buffer)) == 5
    assert attempt.timings["proxy"] > 0


def test_request_of_an_ipv6_target(tunnel):
    _, head = tunnel(b"HTTP/1.1 200 OK\r\n\r\n", host="2001:db8::1")
    assert head.startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n")


def test_credentials_and_headers(tunnel):
    proxy = Proxy("http", "h", 1, "us\xe9r", "p:w", (("X-Team", "blue"),))
    _, head = tunnel(b"HTTP/1.1 200 OK\r\n\r\n", proxy)
    pair = base64.b64encode("us\xe9r:p:w".encode())
    assert b"\r\nProxy-Authorization: Basic " + pair + b"\r\n" in head
    assert b"\r\nX-Team: blue\r\n" in head


def test_a_header_of_ones_own_takes_the_place_of_credentials(tunnel):
    proxy = Proxy("http", "h", 1, "u", "p", (("proxy-authorization", "Bearer x"),))
    _, head = tunnel(b"HTTP/1.1 200 OK\r\n\r\n", proxy)
    assert head.lower().count(b"proxy-authorization") == 1
    assert b"Bearer x" in head


@pytest.mark.parametrize("headers", [(), (("Proxy-Authorization", "Basic hush"), ("Via", "x"))])
def test_an_answer_to_a_challenge_takes_the_place_of_both(tunnel, headers):
    proxy = Proxy("http", "h", 1, "u", "hush", headers, authorization='Digest username="u"')
    _, head = tunnel(b"HTTP/1.1 200 OK\r\n\r\n", proxy)
    assert head.lower().count(b"proxy-authorization") == 1
    assert b'\r\nProxy-Authorization: Digest username="u"\r\n' in head
    assert (b"Via: x" in head) == bool(headers)


def test_an_authorization_is_checked_before_anything_is_sent(attempt):
    proxy = Proxy("http", "h", 1, authorization="Basic hush\r\nX: y")
    with pytest.raises(OptionError, match="Proxy-Authorization") as caught:
        open_tunnel(None, proxy, "example.com", 443, attempt)
    assert "hush" not in str(caught.value)


def test_headers_are_checked_before_anything_is_sent(attempt):
    proxy = Proxy("http", "h", 1, headers=(("X-Team", "a\r\nb"),))
    with pytest.raises(OptionError, match="X-Team"):
        open_tunnel(None, proxy, "example.com", 443, attempt)


def test_events_hold_no_password(tunnel, make_attempt):
    events = []
    attempt = make_attempt(5, on_event=lambda *event: events.append(event))
    tunnel(b"HTTP/1.1 200 OK\r\n\r\n", Proxy("http", "h", 1, "u", "hush"), attempt)
    assert events == [("proxy", {"proxy": "http://u:***@h:1", "target": "example.com:443"})]


# Refusals


@pytest.mark.parametrize(
    ("status", "proxy", "advice"),
    [
        ("407 Who are you", PROXY, "give credentials: proxy='http://user:password@proxy.example:3"),
        ("407 Who are you", Proxy("http", "h", 1, "u", "hush"), "check the user name and password"),
        ("403 Forbidden", PROXY, "may not allow this host or port"),
        ("502 Bad Gateway", PROXY, "cannot reach the target"),
        ("301 Moved", PROXY, "301 Moved"),
    ],
)
def test_refusals(tunnel, status, proxy, advice):
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nsorry".encode()
    with pytest.raises(ProxyError, match="refused a tunnel to example.com:443") as caught:
        tunnel(answer, proxy)
    text = str(caught.value)
    assert advice in text and status in text and "(proxy)" in text
    assert "hush" not in text
    assert caught.value.response.status == int(status[:3])
    assert caught.value.response.body == b"sorry"


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("text/plain", "Blocked:\n  by policy", "Blocked: by policy"),
        ("", "Blocked", "Blocked"),
        ("text/html", "<html><head><title>T</title></head><p>Not <b>here</b></html>", "Not here"),
        (
            "text/html; charset=utf-8",
            "<STYLE>p {}</STYLE>gr\xfc\xdfe<!-- x --><script>f(",
            "gr\xfc\xdfe",
        ),
        ("text/html", "<p>\x00\x1b[31mred", "[31mred"),
        ("text/html", "<p>" + "word " * 200, "word word ..."),
        ("text/html", "<" * 50_000, ""),
        ("text/html", "<!--" * 10_000, ""),
        ("text/html", "<style>" * 10_000, ""),
        ("image/png", "\x89PNG", ""),
        ("text/plain", "", ""),
    ],
)
def test_the_proxys_own_words(tunnel, kind, body, words):
    content = body.encode()
    head = f"HTTP/1.1 403 No\r\nContent-Length: {len(content)}\r\n"
    head += f"Content-Type: {kind}\r\n" if kind else ""
    with pytest.raises(ProxyError) as caught:
        tunnel(head.encode() + b"\r\n" + content)
    text = str(caught.value)
    assert len(text) < 500
    if words:
        assert words in text
        assert text.count("word") < 80 and "\x1b" not in text
    else:
        assert text.endswith("(proxy): 403 No; it may not allow this host or port")


@pytest.mark.parametrize(
    "proxy",
    [
        Proxy("http", "h", 1, "user", "hush"),
        Proxy("http", "h", 1, headers=(("Proxy-Authorization", "Bearer hush"),)),
        Proxy("http", "h", 1, headers=(("X-Api-Key", "hush"),)),
        Proxy("http", "h", 1, authorization="Digest hush"),
    ],
)
def test_words_that_hold_a_secret(tunnel, proxy):
    shown = "You sent user:hush, dXNlcjpodXNo"
    with pytest.raises(ProxyError, match="You sent user") as caught:
        tunnel(f"HTTP/1.1 403 No\r\nContent-Length: {len(shown)}\r\n\r\n{shown}".encode(), proxy)
    assert "hush" not in str(caught.value)
    assert ("dXNlcjpodXNo" in str(caught.value)) == (proxy.password is None)


@pytest.mark.parametrize("authorization", ["Basic dXNlcjpodSZzaA==", "Digest x", None])
def test_what_a_proxy_repeats_of_a_login_is_masked(tunnel, authorization):
    proxy = Proxy("http", "h", 1, authorization=authorization)
    if authorization is None:
        proxy = replace(proxy, username="user", password="hu&sh")
    shown = "No user:hu&sh, hu&amp;sh, dXNlcjpodSZzaA=="
    page = f"HTTP/1.1 403 No to hu&sh\r\nContent-Length: {len(shown)}\r\n\r\n{shown}"
    with pytest.raises(ProxyError, match="No user") as caught:
        tunnel(page.encode(), proxy)
    assert ("hu&sh" in str(caught.value)) == (authorization == "Digest x")  # it was not sent
    assert ("hu&amp;sh" in str(caught.value)) == (authorization == "Digest x")


def test_a_body_that_never_comes_does_not_hide_the_refusal(tunnel, monkeypatch):
    monkeypatch.setattr(exchange, "BODY_PATIENCE", 0.01)
    with pytest.raises(ProxyError, match="407"):
        tunnel(b"HTTP/1.1 407 No\r\nContent-Length: 99\r\n\r\nshort")


def test_a_body_that_drips_does_not_hide_the_refusal(tunnel, monkeypatch):
    monkeypatch.setattr(exchange, "BODY_PATIENCE", 0.02)
    paused = threading.Event()

    def drip(connection):
        connection.sendall(b"HTTP/1.1 407 No\r\n\r\n")
        while not paused.wait(0.002):
            connection.sendall(b".")

    try:
        with pytest.raises(ProxyError, match="407"):
            tunnel(drip)
    finally:
        paused.set()


@pytest.mark.slow
def test_a_refusal_tells_more_than_the_deadline(tunnel, make_attempt):
    with pytest.raises(ProxyError, match="407"):
        tunnel(b"HTTP/1.1 407 No\r\n\r\n", attempt=make_attempt(1.0))


@pytest.mark.parametrize(
    ("answer", "reason", "is_final"),
    [
        (b"SSH-2.0-x\r\n", "did not answer in HTTP: expected an HTTP/1.1 response", True),
        (b"HTTP/1.1 200 x\r\nContent-Length: -1\r\n\r\n", "did not answer in HTTP", True),
        (b"HTTP/1.1 103 x\r\n\r\n" * 17, "more than 16 informational", True),
        (b"HTTP/1.1 200 OK\r\n\r\nsurprise", "sent 8 bytes into the tunnel", True),
        (lambda connection: None, "closed before the response head", False),
        (lambda connection: connection.sendall(b"HTTP/1.1 2"), "after 10 bytes", False),
    ],
)
def test_answers_that_are_none(tunnel, answer, reason, is_final):
    with pytest.raises(ProxyError, match=reason) as caught:
        tunnel(answer)
    assert "proxy.example:3128" in str(caught.value)
    assert caught.value.response is None
    assert caught.value.refused is is_final


def test_a_reset(tunnel):
    def reset(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with pytest.raises(ProxyError, match=r"broke \(proxy\): Connection reset") as caught:
        tunnel(reset)
    assert not caught.value.refused


# Bounds


@pytest.mark.slow
def test_deadline(tunnel, handlers, make_attempt):
    with pytest.raises(ConnectTimeout) as caught:
        tunnel(handlers.silent, attempt=make_attempt(0.5))
    assert caught.value.phase == "proxy"
    assert "asking the proxy proxy.example:3128" in str(caught.value)


@pytest.mark.slow
def test_a_dripping_proxy_is_cut_at_the_deadline(tunnel, make_attempt):
    paused = threading.Event()

    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 O")
        while not paused.wait(0.002):
            connection.sendall(b"K")

    try:
        with pytest.raises(ConnectTimeout) as caught:
            tunnel(drip, attempt=make_attempt(1.0))
    finally:
        paused.set()
    assert caught.value.phase == "proxy"


def test_cancel_from_another_thread(tunnel, handlers, make_attempt):
    attempt = make_attempt(None)

    def cancelling(connection):
        attempt.cancel()
        handlers.silent(connection)

    with pytest.raises(ConnectCancelled, match="in phase 'proxy'"):
        tunnel(cancelling, attempt=attempt)
