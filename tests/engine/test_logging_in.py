"""Dials of servers and proxies that want a login: what is sent where, how often, what is said."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.engine.digest_scripts import (
    Tunnel,
    accept_digest,
    accept_header,
    challenge,
    proof,
    refuse_tunnel,
    sent_digest,
)
from tests.engine.outcome import Outcome, accept
from tieline.auth import Basic, Bearer, Challenge, Digest
from tieline.errors import ConnectTimeout, HandshakeError, OptionError, ProxyError
from tieline.events import AuthenticationEvent
from tieline.retry_rules import default_retry

SECRET = "hunter2-is-secret"
BASIC = Basic("joe", SECRET).header_value()
PAIR = ("joe", SECRET)
DIGEST = 'Digest realm="here", nonce="{}", qop="auth"'


def refused(outcome: Outcome, *texts: str) -> str:
    """The text of the 401 that ended it, which tells no secret and is final."""
    error = outcome.error
    assert isinstance(error, HandshakeError) and error.response is not None, error
    assert error.response.status == 401
    assert SECRET not in repr(outcome) and BASIC not in repr(outcome)
    assert not default_retry(error), "no reconnection repeats this"
    for text in texts:
        assert text in str(error)
    return str(error)


# --- servers: Basic, Digest


def test_digest_is_asked_for_and_given(serve: Any) -> None:
    server = serve(challenge(DIGEST.format("n1")), accept_digest(SECRET, nonce="n1"))
    outcome = Outcome(server.url + "feed?x=1", auth=Digest(*PAIR))
    assert outcome.is_open
    assert "authorization" not in server.peers[0].request.headers
    assert outcome.info["authentication"] == [
        {"url": server.url + "feed?x=1", "scheme": "digest", "realm": "here"}
    ]
    assert outcome.told(AuthenticationEvent) == [
        {"url": server.url + "feed?x=1", "scheme": "digest", "realm": "here", "is_proxy": False}
    ]
    assert outcome.info["request-headers"]["Authorization"] == "***"
    assert SECRET not in repr(outcome)


@pytest.mark.parametrize(
    "line, how",
    [
        ('Digest realm="here", nonce="n1"', {}),
        ('Digest realm="here", nonce="n1", algorithm=MD5-sess, qop=auth', {}),
        ('Digest realm="here", nonce="n1", algorithm=SHA-256, qop=auth', {"algorithm": "sha256"}),
        (
            'Digest realm="here", nonce="old", Digest realm="here", nonce="n1", qop=auth, '
            "algorithm=SHA-256-sess",
            {"algorithm": "sha256"},
        ),
    ],
)
def test_kinds_of_digest(serve: Any, line: str, how: dict[str, Any]) -> None:
    server = serve(challenge(line), accept_digest(SECRET, nonce="n1", **how))
    assert Outcome(server.url, auth=Digest(*PAIR)).is_open


def test_the_nonce_serves_the_next_connections_too(serve: Any) -> None:
    server = serve(
        challenge(DIGEST.format("n1")),
        accept_digest(SECRET, nonce="n1"),
        accept_digest(SECRET, nonce="n1", count=2),
        accept_digest(SECRET, nonce="n1", count=3, information='nextnonce="n2"'),
        accept_digest(SECRET, nonce="n2"),
    )
    digest = Digest(*PAIR)
    for _ in range(4):
        assert Outcome(server.url, auth=digest).is_open
    assert len(server.peers) == 5


@pytest.mark.parametrize("said", [", stale=true", ", stale=TRUE", ""])
def test_a_kept_nonce_that_is_worn_out(serve: Any, said: str) -> None:
    """Also where the server does not say so, as after its restart: the password may be right."""
    server = serve(
        challenge(DIGEST.format("n1")),
        accept_digest(SECRET, nonce="n1"),
        challenge(DIGEST.format("n2") + said),
        accept_digest(SECRET, nonce="n2"),
    )
    digest = Digest(*PAIR)
    for _ in range(2):
        assert Outcome(server.url, auth=digest).is_open


def test_stale_in_one_dial_is_answered_again(serve: Any) -> None:
    stale = DIGEST + ", stale=true"
    server = serve(
        challenge(DIGEST.format("n1")),
        challenge(stale.format("n2")),
        accept_digest(SECRET, nonce="n2"),
    )
    assert Outcome(server.url, auth=Digest(*PAIR)).is_open


def test_for_ever_stale(serve: Any) -> None:
    server = serve(challenge(DIGEST.format("n") + ", stale=true"), repeat=True)
    refused(Outcome(server.url, auth=Digest(*PAIR)))
    assert len(server.peers) == 4


def test_a_wrong_password_is_tried_once(serve: Any) -> None:
    server = serve(challenge(DIGEST.format("n")), repeat=True)
    outcome = Outcome(server.url, auth=Digest(*PAIR))
    refused(
        outcome, "it asks for Digest (realm 'here')", "Digest with auth= was refused", "password"
    )
    assert len(server.peers) == 2
    server = serve(challenge('Basic realm="here"'), repeat=True)
    refused(Outcome(server.url, auth=PAIR), "Basic with auth= was refused: check user name")
    assert len(server.peers) == 1


@pytest.mark.parametrize(
    "options", [{"auth": PAIR}, {"auth": Basic(*PAIR)}, {"username": "joe", "password": SECRET}]
)
def test_a_pair_answers_digest_too(serve: Any, options: dict[str, Any]) -> None:
    server = serve(
        challenge('Basic realm="here"', DIGEST.format("n1")), accept_digest(SECRET, nonce="n1")
    )
    assert Outcome(server.url, **options).is_open
    assert server.peers[0].request.headers["authorization"] == BASIC


def test_the_urls_pair_answers_digest_too(serve: Any) -> None:
    server = serve(challenge(DIGEST.format("n1")), accept_digest(SECRET, nonce="n1"))
    outcome = Outcome(server.url.replace("ws://", f"ws://joe:{SECRET}@"))
    assert outcome.is_open
    assert SECRET not in repr(outcome)


def test_digest_is_never_sent_as_basic(serve: Any) -> None:
    server = serve(challenge('Basic realm="here"'), repeat=True)
    refused(Outcome(server.url, auth=Digest(*PAIR)), "never sent as Basic")
    assert len(server.peers) == 1
    assert "authorization" not in server.peers[0].request.headers


def test_a_pair_that_was_answered_with_digest_is_not_sent_as_basic_again(serve: Any) -> None:
    server = serve(challenge(DIGEST.format("n")), challenge('Basic realm="here"'))
    refused(Outcome(server.url, auth=PAIR))
    assert len(server.peers) == 2


@pytest.mark.parametrize(
    "lines, texts",
    [
        (["Negotiate", "NTLM"], ["it asks for Negotiate or NTLM", "only Basic, Digest and Bearer"]),
        ([], ["it does not say how to log in", "auth=(user, password)"]),
        (['Basic realm="x"'], ["it asks for Basic (realm 'x')", "auth=(user, password)"]),
        (["Bearer"], ["it asks for Bearer", "token="]),
        (
            ['Digest nonce=n, algorithm="MD4"'],
            ["Digest with 'MD4', which is not known here"],
        ),
    ],
)
def test_what_a_refusal_says_without_credentials(
    serve: Any, lines: list[str], texts: list[str]
) -> None:
    refused(Outcome(serve(challenge(*lines)).url), *texts)


@pytest.mark.parametrize(
    "options, lines, texts",
    [
        ({"token": SECRET}, ["Bearer"], ["Bearer with token= was refused: check the token"]),
        (
            {"token": SECRET},
            ['Bearer error="invalid_token", error_description="The token has expired"'],
            ["('The token has expired')"],
        ),
        ({"token": SECRET}, ["Basic"], ["Bearer with token= does not answer that"]),
        ({"auth": PAIR}, ["Negotiate"], ["only Basic, Digest and Bearer are spoken"]),
        (
            {"headers": {"Authorization": f"Negotiate {SECRET}"}},
            ["Negotiate"],
            ["it asks for Negotiate"],
        ),
        (
            {"headers": {"Authorization": SECRET}},
            [DIGEST.format("n")],
            ["the Authorization header given was refused"],
        ),
        ({"auth": lambda url, challenges: None}, ["Basic"], ["the callable in auth= gave None"]),
        ({"auth": Digest(*PAIR)}, ['Digest nonce=n, qop="x"'], ["holds Digest, which cannot"]),
    ],
)
def test_what_a_refusal_says_of_credentials(
    serve: Any, options: dict[str, Any], lines: list[str], texts: list[str]
) -> None:
    server = serve(challenge(*lines))
    refused(Outcome(server.url, **options), *texts)
    assert len(server.peers) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_only_401_is_answered(serve: Any, status: int) -> None:
    lines = [("WWW-Authenticate", DIGEST.format("n"))]
    server = serve(lambda peer: peer.respond(status, headers=lines))
    error = Outcome(server.url, auth=Digest(*PAIR)).error
    assert isinstance(error, HandshakeError) and len(server.peers) == 1


def test_a_hostile_challenge_writes_no_header(serve: Any) -> None:
    line = 'Digest realm="a\\", b=\\"c", nonce="n\\"\\\\", opaque="\t\x80\xff"'
    server = serve(challenge(line), accept)
    assert Outcome(server.url, auth=Digest(*PAIR)).is_open
    headers = server.peers[1].request.headers
    assert len(headers.get_all("authorization")) == 1
    (sent,) = headers.get_all("authorization")
    assert 'realm="a\\", b=\\"c", nonce="n\\"\\\\"' in sent


# --- the server's own proof


def test_a_server_that_proves_itself(serve: Any) -> None:
    server = serve(
        challenge(DIGEST.format("n1")),
        accept_digest(SECRET, nonce="n1", information='rspauth="RSPAUTH", qop=auth'),
    )
    outcome = Outcome(server.url, auth=Digest(*PAIR))
    assert outcome.is_open
    # With it, who reads the log could try passwords.
    assert outcome.info["response-headers"]["authentication-info"] == "***"
    assert "rspauth" not in repr(outcome)


def test_a_server_that_only_claims_to_know_the_password(serve: Any) -> None:
    def lie(peer: Any) -> None:
        peer.accept_upgrade(headers=[("Authentication-Info", 'rspauth="' + "0" * 32 + '"')])
        peer.expect_end()

    server = serve(challenge(DIGEST.format("n1")), lie)
    error = Outcome(server.url, auth=Digest(*PAIR)).error
    assert isinstance(error, HandshakeError) and "does not know the password" in str(error)
    server = serve(lie)
    assert Outcome(server.url, auth=PAIR).is_open, "nothing was proved, so nothing is checked"


# --- callables


def test_a_callable_sees_the_challenges(serve: Any) -> None:
    seen: list[tuple[str, tuple[Challenge, ...]]] = []

    def answer(url: str, challenges: tuple[Challenge, ...]) -> Bearer | None:
        seen.append((url, challenges))
        return Bearer(SECRET) if challenges else None

    server = serve(
        challenge("Negotiate", 'Bearer realm="r", scope="feed"'),
        accept_header("authorization", f"Bearer {SECRET}"),
    )
    assert Outcome(server.url, auth=answer).is_open
    (first, second) = seen
    assert first == (server.url, ())
    assert second[0] == server.url
    assert [each.scheme for each in second[1]] == ["negotiate", "bearer"]
    assert second[1][1].realm == "r" and second[1][1].parameters["scope"] == "feed"


@pytest.mark.parametrize(
    "given, scripts",
    [
        (Basic(*PAIR), [challenge("Basic"), accept_header("authorization", BASIC)]),
        (PAIR, [challenge("Basic"), accept_header("authorization", BASIC)]),
        (Digest(*PAIR), [challenge(DIGEST.format("n")), accept_digest(SECRET, nonce="n")]),
        (PAIR, [challenge("Basic", DIGEST.format("n")), accept_digest(SECRET, nonce="n")]),
    ],
)
def test_what_a_callable_may_answer(serve: Any, given: Any, scripts: list[Any]) -> None:
    server = serve(*scripts)
    answer = lambda url, challenges: given if challenges else None  # noqa: E731
    assert Outcome(server.url, auth=answer).is_open


def test_a_callable_may_think_again_but_not_for_ever(serve: Any) -> None:
    tokens = iter(map(str, range(100)))
    server = serve(challenge("Bearer"), repeat=True)
    outcome = Outcome(server.url, auth=lambda url, challenges: Bearer(next(tokens)))
    refused(outcome, "Bearer with auth= was refused")
    sent = [peer.request.headers["authorization"] for peer in server.peers]
    assert sent == ["Bearer 0", "Bearer 1", "Bearer 2", "Bearer 3"]


@pytest.mark.parametrize("given", [Bearer(SECRET), Basic(*PAIR), Digest(*PAIR)])
def test_the_same_answer_again_is_none(serve: Any, given: Any) -> None:
    server = serve(challenge("Bearer", "Basic"), repeat=True)
    refused(Outcome(server.url, auth=lambda url, challenges: given))
    assert len(server.peers) == 1


@pytest.mark.parametrize("kind", [Digest, lambda *pair: pair])
def test_a_digest_made_anew_each_time_is_the_same(serve: Any, kind: Any) -> None:
    server = serve(challenge(DIGEST.format("n")), repeat=True)
    refused(Outcome(server.url, auth=lambda url, challenges: kind("joe", SECRET)))
    assert len(server.peers) == 2


def test_what_a_callable_raises_passes_through(serve: Any) -> None:
    def answer(url: str, challenges: tuple[Challenge, ...]) -> None:
        if challenges:
            raise OSError("the vault is closed")

    server = serve(challenge("Basic"))
    error = Outcome(server.url, auth=answer).error
    assert isinstance(error, OSError) and "vault" in str(error)


# --- netrc


def test_netrc_is_the_last_to_be_asked(serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(f"machine 127.0.0.1 login joe password {SECRET}\n")
    netrc: dict[str, Any] = {"netrc": str(path)}
    for scripts, url, options in [
        ([accept_header("authorization", BASIC)], "ws://", {}),
        ([challenge(DIGEST.format("n")), accept_digest(SECRET, nonce="n")], "ws://", {}),
        ([accept_header("authorization", "Basic YTpi")], "ws://a:b@", {}),
        ([accept_header("authorization", "Bearer t")], "ws://a:b@", {"token": "t"}),
        ([accept_header("authorization", "mine")], "ws://", {"headers": {"Authorization": "mine"}}),
        ([accept_header("authorization", BASIC)], "ws://", {"auth": lambda url: None}),
    ]:
        server = serve(*scripts)
        outcome = Outcome(server.url.replace("ws://", url), **netrc, **options)
        assert outcome.is_open
        assert SECRET not in repr(outcome)


def test_netrc_is_asked_for_each_host(serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(f"machine localhost login joe password {SECRET}\n")
    last = serve(accept_header("authorization", BASIC))
    first = serve(lambda peer: peer.redirect(f"ws://localhost:{last.port}/"))
    assert Outcome(first.url, netrc=str(path), connect_to=None, family=2).is_open
    assert "authorization" not in first.peers[0].request.headers


def test_a_netrc_file_that_cannot_be_read_ends_the_dial(serve: Any, tmp_path: Path) -> None:
    server = serve(accept)
    error = Outcome(server.url, netrc=str(tmp_path / "none")).error
    assert isinstance(error, OptionError) and "none" in str(error) and not server.peers
    assert Outcome(server.url, netrc=str(tmp_path / "none"), token="t").is_open, "nobody asked it"


# --- what ends before the dial


def test_a_socket_that_was_given_is_closed_when_the_login_fails(tmp_path: Path) -> None:
    import socket

    given, other = socket.socketpair()
    with other:
        error = Outcome("ws://h/", sock=given, netrc=str(tmp_path / "none")).error
    assert isinstance(error, OptionError) and given.fileno() == -1


# --- elsewhere


def test_no_credentials_go_where_a_redirect_leads(serve: Any) -> None:
    for options in ({"auth": PAIR}, {"auth": Digest(*PAIR)}, {"token": SECRET}):
        last = serve(challenge("Basic", DIGEST.format("n")), repeat=True)
        first = serve(lambda peer, last=last: peer.redirect(last.url))
        outcome = Outcome(first.url, **options)
        refused(outcome, "are for the first origin")
        assert len(last.peers) == 1
        assert "authorization" not in last.peers[0].request.headers


def test_a_login_before_and_after_a_redirect(serve: Any) -> None:
    """The challenge of each place is answered there, within the origin."""
    server = serve(
        challenge(DIGEST.format("n1")),
        lambda peer: peer.redirect("/there"),
        accept_digest(SECRET, nonce="n1", count=2),
    )
    outcome = Outcome(server.url, auth=Digest(*PAIR))
    assert outcome.is_open and len(server.peers) == 3


def test_a_nonce_belongs_to_its_origin(serve: Any) -> None:
    digest = Digest(*PAIR)
    for _ in range(2):
        server = serve(challenge(DIGEST.format("n1")), accept_digest(SECRET, nonce="n1"))
        assert Outcome(server.url, auth=digest).is_open
        assert "authorization" not in server.peers[0].request.headers


def test_a_socket_that_was_given_serves_one_request(serve: Any) -> None:
    import socket

    server = serve(challenge(DIGEST.format("n")))
    given = socket.create_connection(("127.0.0.1", server.port))
    refused(Outcome(server.url, auth=Digest(*PAIR), sock=given), "sock= serves for one only")
    assert given.fileno() == -1


@pytest.mark.slow
def test_all_of_it_is_one_deadline(serve: Any) -> None:
    server = serve(challenge(DIGEST.format("n")), lambda peer: peer.expect_end())
    outcome = Outcome(server.url, timeout=0.5, auth=Digest(*PAIR))
    assert isinstance(outcome.error, ConnectTimeout)
    assert len(server.peers) == 2


def test_many_threads_with_one_digest(serve: Any) -> None:
    seen: set[tuple[str, int]] = set()
    lock = threading.Lock()

    def play(peer: Any) -> None:
        request = peer.read_request()
        header = request.headers.get("authorization")
        if header is None:
            peer.respond(401, headers=[("WWW-Authenticate", DIGEST.format("n"))])
            return
        given = sent_digest(header)
        assert given["response"] == proof(given, "GET", SECRET)
        with lock:
            use = given["cnonce"], int(given["nc"], 16)
            assert use not in seen
            seen.add(use)
        peer.accept_upgrade()
        peer.expect_end()

    server = serve(play, repeat=True)
    digest = Digest(*PAIR)
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(Outcome(server.url, auth=digest)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(outcomes) == 8 and all(outcome.is_open for outcome in outcomes)
    assert len(seen) == 8


# --- proxies


def proxied(proxy: Any, credentials: str = "", **options: Any) -> Outcome:
    url = f"http://{credentials}127.0.0.1:{proxy.port}"
    return Outcome("ws://far.example/feed", **{"proxy": url, **options})


def expect(value: str | None) -> Any:
    def check(found: str | None, far_end: str) -> None:
        assert found == value
        assert far_end == "far.example:80"

    return check


def expect_digest(nonce: str, count: int = 1) -> Any:
    def check(found: str | None, far_end: str) -> None:
        assert found is not None
        given = sent_digest(found)
        assert (given["nonce"], given["uri"]) == (nonce, far_end)
        assert int(given["nc"], 16) == count
        assert given["response"] == proof(given, "CONNECT", SECRET)

    return check


@pytest.mark.parametrize(
    "credentials, options",
    [
        ("", {"proxy_auth": PAIR}),
        ("", {"proxy_auth": Basic(*PAIR)}),
        ("", {"proxy_auth": lambda url: PAIR}),
        (f"joe:{SECRET}@", {}),
        ("eve:other@", {"proxy_auth": PAIR}),
        ("", {"proxy_headers": {"Proxy-Authorization": BASIC}}),
    ],
)
def test_basic_for_the_proxy(serve: Any, credentials: str, options: dict[str, Any]) -> None:
    proxy = serve(Tunnel(expect(BASIC), accept_header("proxy-authorization", None)))
    outcome = proxied(proxy, credentials, **options)
    assert outcome.is_open
    assert SECRET not in repr(outcome) and BASIC not in repr(outcome)


@pytest.mark.parametrize(
    "credentials, options, before",
    [
        ("", {"proxy_auth": Digest(*PAIR)}, None),
        ("eve:other@", {"proxy_auth": Digest(*PAIR)}, None),
        ("", {"proxy_auth": PAIR}, BASIC),
        (f"joe:{SECRET}@", {}, BASIC),
        ("", {"proxy_auth": lambda url, challenges: PAIR if challenges else None}, None),
    ],
)
def test_digest_for_the_proxy(
    serve: Any, credentials: str, options: dict[str, Any], before: str | None
) -> None:
    proxy = serve(
        refuse_tunnel("Basic realm=p", DIGEST.format("n1"), expect=before),
        Tunnel(expect_digest("n1"), accept),
    )
    outcome = proxied(proxy, credentials, **options)
    assert outcome.is_open
    (told,) = outcome.told(AuthenticationEvent)
    assert told["is_proxy"] and told["scheme"] == "digest" and told["realm"] == "here"
    assert SECRET not in repr(outcome)


def test_the_proxys_nonce_is_kept(serve: Any) -> None:
    digest = Digest(*PAIR)
    proxy = serve(
        refuse_tunnel(DIGEST.format("n1")),
        Tunnel(expect_digest("n1"), accept),
        Tunnel(expect_digest("n1", 2), accept),
        _refuse_stale("n2"),
        Tunnel(expect_digest("n2"), accept),
    )
    for _ in range(3):
        assert proxied(proxy, proxy_auth=digest).is_open


def _refuse_stale(nonce: str) -> Any:
    def play(peer: Any) -> None:
        request = peer.read_request()
        assert "proxy-authorization" in request.headers
        line = DIGEST.format(nonce) + ", stale=true"
        peer.respond(407, headers=[("Proxy-Authenticate", line)])

    return play


def test_proxy_and_server_have_each_their_own(serve: Any) -> None:
    """The proxy asks, the server asks through it, and neither hears the other's."""
    proxy = serve(
        refuse_tunnel(DIGEST.format("p1")),
        Tunnel(expect_digest("p1"), challenge(DIGEST.format("s1"))),
        Tunnel(expect_digest("p1", 2), accept_digest("server's", nonce="s1")),
    )
    outcome = proxied(proxy, proxy_auth=Digest(*PAIR), auth=Digest("joe", "server's"))
    assert outcome.is_open
    assert [each["scheme"] for each in outcome.info["authentication"]] == ["digest", "digest"]


def test_a_shared_digest_keeps_them_apart(serve: Any) -> None:
    both = Digest(*PAIR)
    proxy = serve(
        refuse_tunnel(DIGEST.format("p1")),
        Tunnel(expect_digest("p1"), challenge(DIGEST.format("s1"))),
        Tunnel(expect_digest("p1", 2), accept_digest(SECRET, nonce="s1")),
    )
    assert proxied(proxy, proxy_auth=both, auth=both).is_open


def test_a_proxys_login_outlives_a_redirect(serve: Any) -> None:
    proxy = serve(
        refuse_tunnel("Basic realm=p", DIGEST.format("n1"), expect=BASIC),
        Tunnel(expect_digest("n1"), lambda peer: peer.redirect("/there")),
        Tunnel(expect_digest("n1", 2), accept),
    )
    assert proxied(proxy, proxy_auth=PAIR).is_open


def refused_by_proxy(outcome: Outcome, *texts: str) -> None:
    error = outcome.error
    assert isinstance(error, ProxyError) and error.response is not None, error
    assert error.response.status == 407 and not default_retry(error)
    assert SECRET not in repr(outcome) and BASIC not in repr(outcome)
    for text in (f"the proxy 127.0.0.1:{outcome.attempt.peer[1]} refused a tunnel", *texts):
        assert text in str(error)


def test_what_a_refusal_of_the_proxy_says(serve: Any) -> None:
    proxy = serve(refuse_tunnel("Basic realm=p"))
    refused_by_proxy(proxied(proxy), "it asks for Basic (realm 'p')", "give proxy_auth=")
    proxy = serve(refuse_tunnel("Negotiate"))
    refused_by_proxy(proxied(proxy), "only Basic, Digest and Bearer are spoken here")
    proxy = serve(refuse_tunnel("Basic realm=p", expect=BASIC))
    refused_by_proxy(
        proxied(proxy, f"joe:{SECRET}@"),
        "Basic with the user name and password of the proxy's URL was refused",
    )
    proxy = serve(refuse_tunnel("Basic realm=p"))
    refused_by_proxy(proxied(proxy, proxy_auth=Digest(*PAIR)), "never sent as Basic")
    proxy = serve(refuse_tunnel("Basic realm=p", expect=BASIC))
    options = {"proxy_headers": {"Proxy-Authorization": BASIC}}
    refused_by_proxy(proxied(proxy, **options), "the Proxy-Authorization header given was refused")


def test_a_wrong_password_for_the_proxy_is_tried_once(serve: Any) -> None:
    def again(peer: Any) -> None:
        peer.read_request()
        peer.respond(407, headers=[("Proxy-Authenticate", DIGEST.format("n"))])

    proxy = serve(again, repeat=True)
    refused_by_proxy(proxied(proxy, proxy_auth=Digest(*PAIR)), "Digest with proxy_auth= was")
    assert len(proxy.peers) == 2


def test_a_proxys_next_nonce_and_its_proof(serve: Any) -> None:
    digest = Digest(*PAIR)
    proxy = serve(
        refuse_tunnel(DIGEST.format("n1")),
        Tunnel(expect_digest("n1"), accept, 'nextnonce="n2"'),
        Tunnel(expect_digest("n2"), lambda peer: peer.expect_end(), 'rspauth="wrong"'),
    )
    assert proxied(proxy, proxy_auth=digest).is_open
    error = proxied(proxy, proxy_auth=digest).error
    assert isinstance(error, ProxyError) and "does not know the password" in str(error)
    assert error.refused


def test_netrc_for_the_proxy(serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(f"machine 127.0.0.1 login joe password {SECRET}\n")
    proxy = serve(Tunnel(expect(BASIC), accept_header("authorization", None)))
    assert proxied(proxy, netrc=str(path)).is_open
    # The entry called default is for servers.
    path.write_text(f"default login joe password {SECRET}\n")
    proxy = serve(Tunnel(expect(None), accept_header("authorization", BASIC)))
    assert proxied(proxy, netrc=str(path)).is_open
