"""Through danted and microsocks to a plain peer and one with TLS; on every front."""

from __future__ import annotations

import pytest

import tieline
from tests.peers.socks import Danted, Microsocks
from tieline.events import ProxyEvent

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def danted():
    proxy = Danted()
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def microsocks():
    proxy = Microsocks(with_password=False)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def private():
    """A proxy that wants user and password."""
    proxy = Microsocks(with_password=True)
    yield proxy
    proxy.stop()


def by_name(target, key):
    """The target's URL with a name in it, which somebody has to look up."""
    return target.url("/echo", key).replace("127.0.0.1", "localhost")


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h", "socks"])
def test_danted(danted, scheme, target, key, front):
    info = {}
    user = "me@" if scheme.startswith("socks4") else ""
    proxy = danted.url(user, scheme)
    line = front.open(by_name(target, key), info, proxy=proxy, **target.options)
    for message in ("through the tunnel", b"\0" * 100_000):
        line.send(message)
        assert line.receive() == message
    assert info["peer"] == ("127.0.0.1", danted.port)
    assert {"dns", "tcp", "proxy", "upgrade"} <= set(info["timings"])
    line.close(1000)
    assert target.saw("close", key)["code"] == 1000


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_microsocks(microsocks, scheme, target, key, front):
    line = front.open(by_name(target, key), proxy=microsocks.url("", scheme), **target.options)
    line.send("through the tunnel")
    assert line.receive() == "through the tunnel"


def test_user_and_password(private, target, key, front):
    info = {}
    line = front.open(target.url("/echo", key), info, proxy=private.url(), **target.options)
    line.send("through the tunnel")
    assert line.receive() == "through the tunnel"
    assert "sesame" not in repr(info) + repr(line.connection) + repr(line.connection.options)
    assert "sesame" not in repr(target.saw("request", key)), "it is not for the server"


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        ("", r"wants authentication .*give credentials: proxy='socks5://user:password@"),
        ("Aladdin:wrong-horse@", "refused the user name and password"),
    ],
)
def test_credentials_that_it_does_not_know(private, target, key, front, credentials, reason):
    with pytest.raises(tieline.ProxyError, match=reason) as raised:
        front.open(target.url("/echo", key), proxy=private.url(credentials), **target.options)
    assert "wrong-horse" not in str(raised.value)
    assert target.saw_nothing_more("request", key)


@pytest.mark.parametrize("scheme", ["socks5", "socks4"])
def test_a_host_that_the_proxy_does_not_allow(danted, front, scheme):
    words = "connection not allowed by ruleset" if scheme == "socks5" else "rejected or failed"
    with pytest.raises(tieline.ProxyError, match=words):
        front.open(f"ws://{danted.forbidden}:80/", proxy=danted.url("", scheme))


@pytest.mark.parametrize("scheme", ["socks5", "socks4"])
def test_a_target_that_is_not_there(danted, front, scheme):
    words = "connection refused" if scheme == "socks5" else "rejected or failed"
    with pytest.raises(tieline.ProxyError, match=words):
        front.open("ws://127.0.0.1:1/", proxy=danted.url("", scheme))


def test_socks4_and_an_ipv6_address(danted, front):
    with pytest.raises(tieline.ResolveError, match="SOCKS4 knows IPv4 addresses only"):
        front.open("ws://[::1]:1/", proxy=danted.url("", "socks4"))


def test_all_proxy(danted, target, key, front, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "ws_proxy", "wss_proxy", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("all_proxy", danted.url("", "socks") + "/")
    info = {}
    front.open(target.url("/echo", key), info, proxy=True, **target.options)
    assert info["peer"] == ("127.0.0.1", danted.port)

    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    front.open(target.url("/echo", key), info, proxy=True, **target.options)
    assert info["peer"] == ("127.0.0.1", target.port)


def test_a_proxy_that_dies_ends_the_connection(target, key, front):
    proxy = Microsocks(with_password=False)
    through = {"proxy": proxy.url(""), **target.options}
    try:
        line = front.open(target.url("/echo", key), **through)
        line.send("hello")
        assert line.receive() == "hello"
    finally:
        proxy.stop()
    assert line.ended().code == 1006
    with pytest.raises(tieline.ProxyError, match="Connection refused"):
        front.open(target.url("/echo", key), **through)


@pytest.mark.parametrize("kind", [Danted, lambda: Microsocks(with_password=False)])
def test_a_proxy_that_dies_while_it_is_asked(front, kind, unanswering_port):
    proxy = kind()

    def kill(event):
        if isinstance(event, ProxyEvent):
            proxy.kill()

    try:
        with pytest.raises(tieline.ProxyError, match=rf"127.0.0.1:{proxy.port} (closed|broke)"):
            front.open(f"ws://127.0.0.1:{unanswering_port}/", proxy=proxy.url(""), on_event=kill)
    finally:
        proxy.stop()
