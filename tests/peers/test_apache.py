"""Digest by Apache's mod_auth_digest, for a peer behind it; on every front."""

from __future__ import annotations

from http.cookiejar import CookieJar

import pytest

import tieline
from tests.peers.apache import REALM, Apache, digest
from tests.peers.processes import Peer
from tests.peers.proxies import PASSWORD, USER

pytestmark = pytest.mark.peers

OUTSIDE = """
Redirect 302 /moved /digest
Redirect 308 /absolute http://127.0.0.1:PORT/digest
Header always add Set-Cookie "seen=1; Path=/; HttpOnly"
Header always add Set-Cookie "other=2; Path=/elsewhere"
"""


@pytest.fixture(scope="module")
def upstream():
    peer = Peer("websockets-sync")
    yield peer
    peer.stop()


@pytest.fixture(scope="module")
def apache(upstream):
    running = Apache(
        upstream.port,
        {
            "/digest": digest(),
            # To mod_auth_digest this means: a nonce is for one request.
            "/short": digest("AuthDigestNonceLifetime 0"),
        },
        OUTSIDE,
    )
    yield running
    running.stop()


@pytest.fixture
def dial(apache, key, front):
    """dial(path, info, **options): connect there."""

    def dial(path, info=None, userinfo="", **options):
        url = f"ws://{userinfo}127.0.0.1:{apache.port}{path}?{key}"
        line = front.open(url, {} if info is None else info, **options)
        line.send("hello")
        assert line.receive() == "hello"
        return line

    return dial


@pytest.mark.parametrize("path", ["/digest", "/moved", "/absolute"])
def test_digest(dial, path):
    info = {}
    line = dial(path, info, auth=tieline.Digest(USER, PASSWORD))
    assert [(each["scheme"], each["realm"]) for each in info["authentication"]] == [
        ("digest", REALM)
    ]
    shown = repr(info) + repr(line.connection) + repr(line.connection.options)
    assert PASSWORD not in shown
    assert info["request-headers"]["Authorization"] == "***"


def test_the_nonce_serves_further_connections(dial):
    shared = tieline.Digest(USER, PASSWORD)
    logins = []
    for _ in range(3):
        info = {}
        dial("/digest", info, auth=shared)
        logins.append(len(info["authentication"]))
    assert logins == [1, 0, 0]


def test_a_nonce_that_is_used_up(dial):
    shared = tieline.Digest(USER, PASSWORD)
    for _ in range(3):
        info = {}
        dial("/short", info, auth=shared)
        assert len(info["authentication"]) == 1


def test_after_a_restart_the_old_nonce_is_replaced(upstream, key, front):
    shared = tieline.Digest(USER, PASSWORD)
    for _ in range(2):
        apache = Apache(upstream.port, {"/digest": digest()})
        try:
            line = front.open(f"ws://127.0.0.1:{apache.port}/digest?{key}", auth=shared)
            line.close()
        finally:
            apache.stop()


def test_a_pair_by_option_and_url(dial):
    dial("/digest", auth=(USER, PASSWORD))
    dial("/digest", username=USER, password=PASSWORD)
    dial("/digest", userinfo=f"{USER}:{PASSWORD}@")


def test_a_pair_from_netrc(dial, tmp_path):
    path = tmp_path / "netrc"
    path.write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    dial("/digest", netrc=path)


def test_a_callable_that_sees_the_challenge(dial):
    seen = []

    def answer(url, challenges):
        seen.append([each.scheme for each in challenges])
        return tieline.Digest(USER, PASSWORD) if challenges else None

    dial("/digest", auth=answer)
    assert seen == [[], ["digest"]]


def test_a_wrong_password(dial, upstream, key):
    for auth in (tieline.Digest(USER, "wrong-horse"), (USER, "wrong-horse")):
        with pytest.raises(tieline.HandshakeError, match=r"Digest \(realm 'peers'\)") as raised:
            dial("/digest", auth=auth)
        assert raised.value.response.status == 401
        assert "Digest with auth= was refused: check user name and password" in str(raised.value)
        assert "wrong-horse" not in str(raised.value)
    with pytest.raises(tieline.HandshakeError, match="give auth="):
        dial("/digest")
    assert upstream.saw_nothing_more("request", key)


def test_it_is_refused_for_good(apache, key, make_client):
    """Reconnecting would lock the account, and never help."""
    client = make_client(
        print,
        f"ws://127.0.0.1:{apache.port}/digest?{key}",
        auth=tieline.Digest(USER, "wrong-horse"),
        reconnect=tieline.Reconnect(initial_connect=True),
    )
    with pytest.raises(tieline.HandshakeError, match="401"):
        client.connect()
    assert client.state is tieline.State.CLOSED


def test_cookies_of_the_challenge_and_of_the_redirect(dial, upstream, key):
    jar = CookieJar()
    dial("/moved", auth=tieline.Digest(USER, PASSWORD), cookies=jar)
    sent = upstream.saw("request", key)["headers"]
    assert {name.lower(): value for name, value in sent.items()}["cookie"] == "seen=1"
    assert {cookie.name for cookie in jar} == {"seen", "other"}
