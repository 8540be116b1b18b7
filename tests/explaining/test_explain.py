"""`tieline.explain` → the truth: what it tells is compared with what a connection then does."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Any

import pytest

import tieline
from tieline.redact import safe_headers
from tieline.testing import EchoServer, ScriptedPeer

SECRET = "hush-hush"

Scripted = Callable[..., Any]

quietly = pytest.mark.usefixtures("no_network")


def serve(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    peer.expect_close()
    peer.send_close()


def sent_headers(peer: ScriptedPeer) -> list[tuple[str, str]]:
    """As `explain` shows them: masked, and without the nonce."""
    assert peer.request is not None
    return [
        (name, "(16 random bytes)" if name.lower() == "sec-websocket-key" else value)
        for name, value in safe_headers(peer.request.headers.raw)
    ]


#: Whatever changes the request.
REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "much": {
        "headers": {"X-Api-Key": SECRET, "X-Shown": "yes"},
        "origin": "https://example.com",
        "user_agent": "me/1",
        "subprotocols": ["a", "b"],
        "cookies": {"session": SECRET, "b": "c"},
        "auth": ("me", SECRET),
        "compression": tieline.Deflate(server_max_window_bits=9),
    },
    "token": {"token": SECRET, "token_type": "Token", "compression": None, "user_agent": ""},
    "own host": {"headers": [("Host", "other.example"), ("Authorization", f"Bearer {SECRET}")]},
    "callables": {
        "headers": lambda: {"X-Time": "now"},
        "auth": lambda url: tieline.Basic("me", SECRET),
    },
    "digest": {"auth": tieline.Digest("me", SECRET)},
}


@pytest.mark.parametrize("options", REQUESTS.values(), ids=REQUESTS)
def test_the_request_is_the_one_that_is_sent(scripted: Scripted, options: dict[str, Any]) -> None:
    server = scripted(serve)
    url = f"{server.url}feed?x=1&token={SECRET}"
    found = tieline.explain(url, **options)
    with tieline.connect(url, proxy=None, **options) as connection:
        peer = connection.connection_info()["peer"]
    request = server.peers[0].request
    # The order but for the Host, which is written first.
    assert sorted(found.headers) == sorted(sent_headers(server.peers[0]))
    assert found.request == f"GET {request.target.replace(SECRET, '***')} HTTP/1.1"
    assert f"{peer[0]}:{peer[1]}" in found.address.addresses
    assert found.problems == ()
    assert SECRET not in str(found) + repr(found) + json.dumps(found.as_dict())


def test_the_request_to_a_proxy_is_the_one_that_is_sent(scripted: Scripted) -> None:
    heads: list[bytes] = []

    def proxy(peer: ScriptedPeer) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += peer.receive_raw(1)
        heads.append(head)
        peer.send_raw(b"HTTP/1.1 200 OK\r\n\r\n")
        serve(peer)

    server = scripted(proxy)
    options: dict[str, Any] = {
        "proxy": f"http://me:{SECRET}@127.0.0.1:{server.port}",
        "proxy_headers": {"X-For": "proxy"},
        "connect_to": ("elsewhere.example", 81),
    }
    found = tieline.explain("ws://example.com/", **options)
    tieline.connect("ws://example.com/", **options).close()
    line, *fields = heads[0].decode().removesuffix("\r\n\r\n").split("\r\n")
    assert found.proxy is not None
    assert line == found.proxy.request == "CONNECT elsewhere.example:81 HTTP/1.1"
    pairs = [(name, value) for name, _, value in (field.partition(": ") for field in fields)]
    assert safe_headers(pairs) == list(found.proxy.headers)
    assert found.proxy_reason == "the proxy option"
    assert found.address.source == "connect_to"
    assert found.address.looked_up_by == "the proxy"
    assert SECRET not in str(found) + json.dumps(found.as_dict())


def test_the_tls_session_is_the_one_that_is_set_up(
    server_context: ssl.SSLContext, ca_pem: bytes
) -> None:
    with EchoServer(ssl_context=server_context) as server:
        found = tieline.explain(server.url, ssl_ca_data=ca_pem)
        with tieline.connect(server.url, ssl_ca_data=ca_pem, proxy=None) as connection:
            tls = connection.connection_info()["tls"]
    assert found.tls is not None
    assert found.tls.verified and found.tls.trust.startswith("ssl_ca_data")
    assert found.tls.versions == "TLS 1.2 or newer" and tls["version"] == "TLSv1.3"
    assert found.tls.alpn == ("http/1.1",)
    assert found.tls.name == "127.0.0.1" and not found.tls.sends_name


@quietly
def test_nothing_is_used_up() -> None:
    """A Digest counts its proofs: to look at it is not to use it."""
    digest = tieline.Digest("me", SECRET)
    for _ in range(3):
        found = tieline.explain("ws://example.com/", auth=digest)
        assert found.login is not None and found.login.scheme == "Digest"
        assert "authorization" not in {name.lower() for name, _ in found.headers}
        assert "proved once the other side has asked for it" in str(found)


# The ways to call it


@quietly
def test_options_as_for_a_client() -> None:
    found = tieline.explain(
        {"url": "ws://example.com/", "token": SECRET, "on_message": print}, timeout=3
    )
    assert found.times["timeout"] == 3.0
    assert found.login is not None and found.login.scheme == "Bearer"


@quietly
@pytest.mark.parametrize(
    ("arguments", "options", "reason"),
    [
        ((), {}, "url"),
        (("ws://h:99999/",), {}, "the port is not valid"),
        (("ws://h/",), {"ssl_ca": "x"}, "ssl_ca_"),
        (("ws://h/",), {"proxy": "ftp://h"}, "unknown scheme"),
        (("ws://h/",), {"proxy": "socks4://u:p@h"}, "SOCKS4"),
        (("ws://h/",), {"on_message": 3}, "on_message"),
    ],
)
def test_options_that_cannot_be_used_are_raised(
    arguments: tuple[str, ...], options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(tieline.OptionError, match=reason):
        tieline.explain(*arguments, **options)


@quietly
def test_several_urls() -> None:
    def elsewhere() -> str:
        raise AssertionError("only the first one is asked for")

    urls = [lambda: "ws://a.example/", f"ws://b.example/?token={SECRET}", elsewhere]
    found = tieline.explain(urls)
    assert found.url == "ws://a.example/"
    assert found.other_urls == ("ws://b.example/?token=***", "what the callable gives")


@quietly
def test_reconnection_is_told() -> None:
    assert tieline.explain("ws://h/").reconnection == "no"
    found = tieline.explain("ws://h/", reconnect=tieline.Reconnect(initial=2), offline="queue")
    assert found.reconnection.startswith("Reconnect(initial=2.0); meanwhile up to ")


# What will fail


@quietly
def test_problems_do_not_hide_the_rest(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"ftp://u:{SECRET}@proxy.example")
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine example.com login me {SECRET}")
    found = tieline.explain(
        "wss://example.com/",
        ssl_ca_path=tmp_path / "none.pem",
        netrc=str(netrc),
        proxy_auth=("me", SECRET),
        proxy_headers={"X-Team": "blue"},
    )
    assert found.proxy is None and found.proxy_reason == "not known: see the problems"
    assert len(found.problems) == 3
    for text in ("HTTPS_PROXY", "ssl_ca_path: cannot read", "netrc"):
        assert [problem for problem in found.problems if text in problem]
    assert SECRET not in str(found)
    assert dict(found.headers)["Host"] == "example.com"


@quietly
def test_a_jar_is_asked_as_for_a_dial() -> None:
    found = tieline.explain("ws://example.com/", cookies=CookieJar())
    assert found.cookies == () and "Cookie" not in dict(found.headers)


@quietly
def test_connecting_does_not_load_it(modules_loaded_by: Callable[[str], set[str]]) -> None:
    assert "tieline.explaining" not in modules_loaded_by("import tieline; tieline.connect")
