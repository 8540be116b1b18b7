"""Through squid, an HTTP proxy: plain and over TLS, with and without a password; on every front."""

from __future__ import annotations

import pytest

import tieline
from tests.peers.squid import Squid
from tieline.events import ProxyEvent

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module", params=[None, "basic"])
def squid(request, authority):
    running = Squid(request.param, certificate=authority.issue_cert("127.0.0.1"))
    running.authentication = request.param
    yield running
    running.stop()


@pytest.fixture
def options(authority, tmp_path):
    """Trusts the proxy and the target."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return {"ssl_ca_path": path}


@pytest.mark.parametrize("secure_proxy", [False, True], ids=["http", "https"])
def test_messages_through_the_proxy(squid, secure_proxy, target, key, front, options):
    info = {}
    url = squid.secure_url() if secure_proxy else squid.url()
    line = front.open(target.url("/echo", key), info, proxy=url, **options)
    for message in ("through the tunnel", b"\0" * 100_000):
        line.send(message)
        assert line.receive() == message
    assert info["peer"] == ("127.0.0.1", squid.secure_port if secure_proxy else squid.port)
    assert ("tls" in info and info["tls"] is not None) == target.secure
    sent = {name.lower() for name in target.saw("request", key)["headers"]}
    assert "proxy-authorization" not in sent, "the proxy's password is not for the server"
    assert "sesame" not in repr(info) + repr(line.connection) + repr(line.connection.options)
    line.close(1000)
    assert target.saw("close", key)["code"] == 1000


def test_a_proxy_with_another_certificate(squid, target, key, front):
    with pytest.raises(tieline.TLSError, match=f"the proxy 127.0.0.1:{squid.secure_port}"):
        front.open(target.url("/echo", key), proxy=squid.secure_url())


@pytest.mark.parametrize("credentials", ["", "Aladdin:wrong-horse@"])
def test_credentials_that_it_does_not_know(squid, target, key, front, credentials, options):
    if squid.authentication is None:
        front.open(target.url("/echo", key), proxy=squid.url(credentials), **options)
        return
    with pytest.raises(tieline.ProxyError, match="407 Proxy Authentication Required") as raised:
        front.open(target.url("/echo", key), proxy=squid.url(credentials), **options)
    assert raised.value.response.status == 407
    assert 'realm="tieline"' in raised.value.response.headers["proxy-authenticate"]
    assert "wrong-horse" not in str(raised.value)
    assert target.saw_nothing_more("request", key)


def test_a_target_that_is_not_there(squid, front):
    with pytest.raises(tieline.ProxyError, match=r"503 .*it cannot reach the target") as raised:
        front.open("ws://127.0.0.1:1/", proxy=squid.url())
    assert raised.value.response.status == 503


def test_a_proxy_that_dies_ends_the_connection(target, key, front, options):
    squid = Squid()
    try:
        line = front.open(target.url("/echo", key), proxy=squid.url(""), **options)
        line.send("hello")
        assert line.receive() == "hello"
    finally:
        squid.stop()
    assert line.ended().code == 1006
    with pytest.raises(tieline.ProxyError, match="Connection refused"):
        front.open(target.url("/echo", key), proxy=squid.url(""), **options)


def test_a_proxy_that_dies_while_it_is_asked(front, unanswering_port):
    proxy = Squid()

    def kill(event):
        if isinstance(event, ProxyEvent):
            proxy.kill()

    try:
        with pytest.raises(tieline.ProxyError, match=rf"127.0.0.1:{proxy.port} (did not|broke)"):
            front.open(f"ws://127.0.0.1:{unanswering_port}/", proxy=proxy.url(""), on_event=kill)
    finally:
        proxy.stop()
