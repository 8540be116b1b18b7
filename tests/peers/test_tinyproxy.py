"""Through an HTTP proxy with password, tinyproxy, to a plain peer and to one with TLS."""

from __future__ import annotations

import pytest

import tieline
from tests.peers.nginx import PeerBehindNginx
from tests.peers.processes import PATIENCE, Peer
from tests.peers.tinyproxy import Tinyproxy

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    proxy = Tinyproxy(tmp_path_factory.mktemp("tinyproxy"))
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module", params=["plain", "TLS"])
def target(request, authority, tmp_path_factory):
    """A server beyond the proxy."""
    if request.param == "plain":
        peer = Peer("websockets-sync")
    else:
        peer = PeerBehindNginx("websockets-sync", authority, tmp_path_factory.mktemp("beyond"))
    yield peer
    peer.stop()


def test_proxy_with_user_and_password_in_its_url(proxy, target, key, received, make_client):
    client = make_client(received, target.url("/echo", key), proxy=proxy.url(), **target.options)
    info = {}
    client.connect(info=info)
    client.send("through the tunnel")
    assert received.next() == "through the tunnel"
    assert f"127.0.0.1:{proxy.port}" in str(info["proxy"])
    assert info["peer"] == ("127.0.0.1", proxy.port)
    assert "proxy" in info["timings"]
    sent = {name.lower() for name in target.saw("request", key)["headers"]}
    assert "proxy-authorization" not in sent, "the proxy's password is not for the server"
    assert "sesame" not in repr(info) + repr(client) + repr(client.options)

    client.disconnect(1000)
    assert target.saw("close", key)["code"] == 1000


@pytest.mark.parametrize("credentials", ["", "Aladdin:wrong-horse@"])
def test_proxy_that_refuses(proxy, target, key, received, make_client, credentials):
    client = make_client(
        received, target.url("/echo", key), proxy=proxy.url(credentials), **target.options
    )
    with pytest.raises(tieline.ProxyError, match="40[17]") as raised:
        client.connect()
    assert raised.value.response.status in (401, 407)
    assert "wrong-horse" not in str(raised.value)
    assert target.saw_nothing_more("request", key)


def test_proxy_of_the_environment(proxy, target, key, received, make_client, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy" if target.secure else "http_proxy", proxy.url())
    client = make_client(received, target.url("/echo", key), proxy=True, **target.options)
    info = {}
    client.connect(info=info)
    assert info["peer"] == ("127.0.0.1", proxy.port)

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    client.connect(info=info)
    assert info["peer"] == ("127.0.0.1", target.port)


def test_proxy_that_dies_ends_the_connection(target, key, received, make_client, tmp_path):
    proxy = Tinyproxy(tmp_path)
    try:
        client = make_client(
            received, target.url("/echo", key), proxy=proxy.url(), **target.options
        )
        client.connect()
        client.send("hello")
        assert received.next() == "hello"
    finally:
        proxy.stop()
    assert client.wait(PATIENCE).code == 1006
    assert received.until_none() == []
    with pytest.raises(tieline.ProxyError):
        client.connect()
