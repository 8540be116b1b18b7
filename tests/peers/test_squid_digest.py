"""Digest by squid's digest_file_auth, for tunnels; on every front."""

from __future__ import annotations

import pytest

import tieline
from tests.peers.processes import Peer
from tests.peers.proxies import PASSWORD, USER
from tests.peers.squid import REALM, Squid

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def target():
    peer = Peer("websockets-sync")
    yield peer
    peer.stop()


@pytest.fixture(scope="module", params=["digest", "short nonces"])
def squid(request):
    further = {"digest": (), "short nonces": ("nonce_max_count 2",)}[request.param]
    running = Squid("digest", digest=further)
    yield running
    running.stop()


@pytest.fixture
def dial(squid, target, key, front):
    """dial(info, **options): connect through the proxy."""

    def dial(info=None, credentials="", **options):
        url = squid.url(credentials)
        line = front.open(
            target.url("/echo", key), {} if info is None else info, proxy=url, **options
        )
        line.send("hello")
        assert line.receive() == "hello"
        sent = {name.lower() for name in target.saw("request", key)["headers"]}
        assert "proxy-authorization" not in sent, "what is for the proxy is not for the server"
        return line

    return dial


def test_digest(dial, squid):
    info = {}
    line = dial(info, proxy_auth=tieline.Digest(USER, PASSWORD))
    assert info["authentication"] == [
        {"url": f"http://127.0.0.1:{squid.port}", "scheme": "digest", "realm": REALM}
    ]
    assert PASSWORD not in repr(info) + repr(line.connection) + repr(line.connection.options)


def test_the_nonce_is_kept_until_squid_wants_another(dial):
    shared = tieline.Digest(USER, PASSWORD)
    logins = 0
    for _ in range(5):
        info = {}
        dial(info, proxy_auth=shared)
        logins += len(info["authentication"])
    assert 1 <= logins <= 4


def test_a_pair_by_option_url_and_callable(dial):
    dial(proxy_auth=(USER, PASSWORD))
    dial(credentials=f"{USER}:{PASSWORD}@")
    dial(proxy_auth=lambda url, challenges: (USER, PASSWORD) if challenges else None)


def test_credentials_for_the_server_are_not_for_the_proxy(dial):
    with pytest.raises(tieline.ProxyError, match="give proxy_auth="):
        dial(auth=(USER, PASSWORD))


def test_a_wrong_password(dial, target, key):
    for options in (
        {"proxy_auth": tieline.Digest(USER, "wrong-horse")},
        {"proxy_auth": (USER, "wrong-horse")},
        {"credentials": f"{USER}:wrong-horse@"},
    ):
        with pytest.raises(tieline.ProxyError, match=r"407 .*Digest \(realm 'tieline'\)") as raised:
            dial(**options)
        assert raised.value.response.status == 407
        assert "Digest with " in str(raised.value) and "was refused" in str(raised.value)
        assert "wrong-horse" not in str(raised.value)
    assert target.saw_nothing_more("request", key)
