"""Through a proxy with password, tinyproxy, to a plain peer and one with TLS; on every front."""

from __future__ import annotations

import pytest

import tieline
from tests.peers.tinyproxy import Tinyproxy

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def proxy():
    proxy = Tinyproxy()
    yield proxy
    proxy.stop()


def test_proxy_with_user_and_password_in_its_url(proxy, target, key, front):
    info = {}
    line = front.open(target.url("/echo", key), info, proxy=proxy.url(), **target.options)
    line.send("through the tunnel")
    assert line.receive() == "through the tunnel"
    assert f"127.0.0.1:{proxy.port}" in str(info["proxy"])
    assert info["peer"] == ("127.0.0.1", proxy.port)
    assert "proxy" in info["timings"]
    sent = {name.lower() for name in target.saw("request", key)["headers"]}
    assert "proxy-authorization" not in sent, "the proxy's password is not for the server"
    shown = repr(info) + repr(line.connection) + repr(line.connection.options)
    assert "sesame" not in shown

    line.close(1000)
    assert target.saw("close", key)["code"] == 1000


@pytest.mark.parametrize("credentials", ["", "Aladdin:wrong-horse@"])
def test_proxy_that_refuses(proxy, target, key, front, credentials):
    with pytest.raises(tieline.ProxyError, match="40[17]") as raised:
        front.open(target.url("/echo", key), proxy=proxy.url(credentials), **target.options)
    assert raised.value.response.status in (401, 407)
    assert "wrong-horse" not in str(raised.value)
    assert target.saw_nothing_more("request", key)


def test_proxy_of_the_environment(proxy, target, key, front, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy" if target.secure else "http_proxy", proxy.url())
    info = {}
    front.open(target.url("/echo", key), info, proxy=True, **target.options)
    assert info["peer"] == ("127.0.0.1", proxy.port)

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    front.open(target.url("/echo", key), info, proxy=True, **target.options)
    assert info["peer"] == ("127.0.0.1", target.port)


def test_proxy_that_dies_ends_the_connection(target, key, front):
    proxy = Tinyproxy()
    through = {"proxy": proxy.url(), **target.options}
    try:
        line = front.open(target.url("/echo", key), **through)
        line.send("hello")
        assert line.receive() == "hello"
    finally:
        proxy.stop()
    assert line.ended().code == 1006
    assert line.receive_rest() == []
    with pytest.raises(tieline.ProxyError):
        front.open(target.url("/echo", key), **through)
