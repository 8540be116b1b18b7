"""A jar of the standard library decides: which cookies go where, and what is kept of an answer."""

from __future__ import annotations

import threading
from http.cookiejar import (
    Cookie,
    CookieJar,
    DefaultCookiePolicy,
    LWPCookieJar,
    MozillaCookieJar,
)
from pathlib import Path
from typing import Any

import pytest

from tests.engine.outcome import Outcome, accept
from tieline.engine.cookies import JarRequest, JarResponse, cookies_for, store_cookies
from tieline.errors import HandshakeError
from tieline.headers import Headers
from tieline.transport.url import URL, Scheme, parse_url

SECRET = "hunter2-is-secret"
SCHEMES = {"ws": Scheme(80, False), "wss": Scheme(443, True)}


def url(text: str) -> URL:
    return parse_url(text, SCHEMES)


def stored(at: str, *lines: str, jar: CookieJar | None = None, first: str | None = None) -> Any:
    """A jar that has seen an answer with these cookies."""
    jar = CookieJar() if jar is None else jar
    headers = Headers([("Set-Cookie", line) for line in lines])
    store_cookies(jar, url(at), None if first is None else url(first), headers)
    return jar


@pytest.mark.parametrize(
    "line, at, elsewhere, sent",
    [
        ("a=1", "ws://example.com/", "ws://example.com/x", True),
        ("a=1", "ws://example.com/", "wss://example.com/", True),
        ("a=1", "ws://example.com/", "ws://example.com:8080/", True),
        ("a=1", "ws://example.com/", "ws://other.example/", False),
        ("a=1; Domain=example.com", "ws://www.example.com/", "ws://sub.example.com/", True),
        ("a=1; Domain=other.example", "ws://example.com/", "ws://other.example/", False),
        ("a=1; Path=/feed", "ws://example.com/feed/x", "ws://example.com/feed/y", True),
        ("a=1; Path=/feed", "ws://example.com/feed/x", "ws://example.com/", False),
        ("a=1", "ws://example.com/feed/x", "ws://example.com/feed/y", True),
        ("a=1", "ws://example.com/feed/x", "ws://example.com/other", False),
        ("a=1; Secure", "wss://example.com/", "wss://example.com/", True),
        ("a=1; Secure", "wss://example.com/", "ws://example.com/", False),
        ("a=1; HttpOnly", "ws://example.com/", "ws://example.com/", True),
        ("a=1; Max-Age=100", "ws://example.com/", "ws://example.com/", True),
        ("a=1; Max-Age=0", "ws://example.com/", "ws://example.com/", False),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "ws://h/", "ws://h/", False),
        ("a=1", "ws://[::1]:8080/", "ws://[::1]:8080/", True),
        ("a=1", "ws://127.0.0.1/", "ws://127.0.0.1/", True),
        ("a=1", "ws://joe:secret@example.com/", "ws://example.com/", True),
    ],
)
def test_scope(line: str, at: str, elsewhere: str, sent: bool) -> None:
    jar = stored(at, line)
    assert cookies_for(jar, url(elsewhere)) == ("a=1" if sent else None)


def test_several_lines_and_several_cookies() -> None:
    jar = stored("ws://h/", "a=1", "b=2; Path=/", 'c="x y"')
    value = cookies_for(jar, url("ws://h/"))
    assert value is not None and set(value.split("; ")) == {"a=1", "b=2", 'c="x y"'}


def test_the_policy_of_the_jar_is_asked() -> None:
    strict = CookieJar(DefaultCookiePolicy(blocked_domains=["blocked.example"]))
    assert not len(stored("ws://blocked.example/", "a=1", jar=strict))
    assert len(stored("ws://h/", "a=1", jar=strict)) == 1
    third_parties = DefaultCookiePolicy(strict_ns_unverifiable=True)
    jar = CookieJar(third_parties)
    sites = "ws://www.site.example/", "ws://site.site.example/"
    assert not len(stored("ws://tracker.example/", "a=1", jar=jar, first=sites[0]))
    assert len(stored(sites[1], "a=1", jar=jar, first=sites[0])) == 1
    exact = CookieJar(DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrict))
    stored("ws://example.com/", "a=1", jar=exact)
    assert cookies_for(exact, url("ws://example.com/")) == "a=1"
    assert cookies_for(exact, url("ws://sub.example.com/")) is None


def test_the_adapters_are_what_urllib_has() -> None:
    from urllib.request import Request

    theirs = Request("https://example.com:444/x?y=1", headers={"A": "1"})
    ours = JarRequest(url("wss://example.com:444/x?y=1"))
    for name in ("type", "host", "unverifiable", "origin_req_host"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.get_full_url() == theirs.get_full_url()
    for request in (theirs, ours):
        request.add_unredirected_header("Cookie", "a=1")
        assert request.has_header("Cookie") and not request.has_header("Cookie2")
        assert request.get_header("Cookie") == "a=1" and request.get_header("B", "x") == "x"
        assert ("Cookie", "a=1") in request.header_items()
    answer = JarResponse(Headers([("Set-Cookie", "a"), ("set-cookie", "b")])).info()
    assert answer.get_all("Set-Cookie") == ["a", "b"]
    assert answer.get_all("Set-Cookie2", []) == [] and answer.get_all("X") is None


@pytest.mark.parametrize(
    "line",
    ["", ";", "=", "=1", "a", "a=\x80\xff", "a=" + "x" * 60_000, "a=1; Expires=" + "9" * 5000]
    + ["a=1; Expires=1-Jan-1970" + "1" * 60_000, "a=1; Max-Age=" + "9" * 5000]
    + ["a=1; Domain=", "a=1; Path", "a=1;" * 10_000, "a=1; Max-Age=-1e999", 'a="', "a=1; Port=x"],
)
def test_hostile_cookies_do_no_harm(line: str) -> None:
    jar = stored("ws://h/", line, "good=1")
    value = cookies_for(jar, url("ws://h/"))
    assert value is not None and "good=1" in value


def test_cookies_as_long_as_browsers_take() -> None:
    jar = stored("ws://h/", "a=" + "x" * 4094, "b=" + "x" * 4095, "c=1; X=" + "x" * 1022)
    assert {cookie.name for cookie in jar} == {"a"}


@pytest.mark.parametrize("control", ["\x00", "\x01", "\x1b", "\x7f", "\n"])
def test_a_cookie_that_no_request_can_carry_is_not_kept(control: str) -> None:
    lines = f"a{control}=1", f"b={control}x", f"c=1; Path=/{control}", "good=1"
    jar = stored("ws://h/", *lines)
    assert [cookie.name for cookie in jar] == ["good"]
    jar.clear()
    store_cookies(jar, url("ws://h/"), None, Headers([("Set-Cookie2", f"a={control}; Version=1")]))
    assert not len(jar)


def test_a_cookie_of_ones_own_that_no_request_can_carry_is_left_out() -> None:
    jar = stored("ws://h/", "a=1", "bad=1", "worse=1", "b=2")
    for cookie in jar:
        if cookie.name in ("bad", "worse"):
            cookie.value = "\x01" if cookie.name == "bad" else "\u20ac"
    value = cookies_for(jar, url("ws://h/"))
    assert value is not None and set(value.split("; ")) == {"a=1", "b=2"}
    jar.clear("h.local", "/", "a")
    jar.clear("h.local", "/", "b")
    assert cookies_for(jar, url("ws://h/")) is None


@pytest.mark.parametrize("line", ["a=1", "a=1; Domain=.invalid", "a=1; Domain=localhost"])
def test_unix_sockets_have_cookies_of_their_own(line: str) -> None:
    one, other = "ws+unix:///run/one.sock:/", "ws+unix:///run/other.sock:/"
    jar = stored(one, line)
    assert cookies_for(jar, url(other)) is None
    assert cookies_for(jar, url("ws://localhost:9999/")) is None
    assert cookies_for(jar, url(one)) == ("a=1" if "Domain" not in line else None)
    assert cookies_for(stored("ws://localhost/", "a=1"), url(one)) is None


# --- in a dial


def test_a_hostile_cookie_does_not_keep_the_next_request_back(serve: Any) -> None:
    line = b"HTTP/1.1 503 busy\r\nSet-Cookie: a=\x01\r\nContent-Length: 0\r\n\r\n"

    def busy(peer: Any) -> None:
        peer.read_request()
        peer.send_raw(line)

    server = serve(busy, accept)
    jar = CookieJar()
    assert isinstance(Outcome(server.url, cookies=jar).error, HandshakeError)
    assert Outcome(server.url, cookies=jar).is_open


def test_a_cookie_is_kept_for_the_next_connection(serve: Any) -> None:
    def welcome(peer: Any) -> None:
        peer.accept_upgrade(headers=[("Set-Cookie", f"a={SECRET}"), ("Set-Cookie", "b=2")])
        peer.expect_end()

    server = serve(welcome, accept)
    jar = CookieJar()
    outcomes = [Outcome(server.url, cookies=jar) for _ in range(2)]
    assert all(outcome.is_open for outcome in outcomes)
    assert "cookie" not in server.peers[0].request.headers
    assert server.peers[1].request.headers.get_all("cookie") == [f"a={SECRET}; b=2"]
    assert SECRET not in repr(outcomes)


def test_an_empty_jar_is_a_jar(serve: Any) -> None:
    server = serve(accept)
    assert Outcome(server.url, cookies=CookieJar()).is_open
    assert "cookie" not in server.peers[0].request.headers


@pytest.mark.parametrize("status", [401, 403, 500])
def test_every_answer_sets_cookies(serve: Any, status: int) -> None:
    lines = [("Set-Cookie", f"a={SECRET}"), ("WWW-Authenticate", "Basic")]
    server = serve(lambda peer: peer.respond(status, headers=lines))
    jar = CookieJar()
    outcome = Outcome(server.url, cookies=jar)
    assert [cookie.value for cookie in jar] == [SECRET]
    assert SECRET not in repr(outcome)


def test_a_cookie_of_a_challenge_goes_with_the_answer(serve: Any) -> None:
    lines = [("Set-Cookie", "a=1"), ("WWW-Authenticate", 'Digest realm=r, nonce=n, qop="auth"')]
    server = serve(lambda peer: peer.respond(401, headers=lines), accept)
    from tieline.auth import Digest

    assert Outcome(server.url, cookies=CookieJar(), auth=Digest("u", "p")).is_open
    assert server.peers[1].request.headers["cookie"] == "a=1"


def test_across_redirects_the_jar_decides(serve: Any) -> None:
    """The first host's cookie does not go to the second, and comes back to the first."""
    last = serve(
        lambda peer: peer.redirect(
            f"ws://127.0.0.1:{first.port}/back", headers=[("Set-Cookie", "second=2")]
        )
    )
    first = serve(
        lambda peer: peer.redirect(
            f"ws://localhost:{last.port}/", headers=[("Set-Cookie", "first=1; Path=/")]
        ),
        accept,
    )
    jar = CookieJar()
    assert Outcome(f"ws://127.0.0.1:{first.port}/", cookies=jar, family=2).is_open
    assert "cookie" not in last.peers[0].request.headers
    assert first.peers[1].request.headers["cookie"] == "first=1"
    assert {(cookie.name, cookie.domain) for cookie in jar} == {
        ("first", "127.0.0.1"),
        ("second", "localhost.local"),
    }


def test_a_header_of_the_users_own_goes_before_the_jar(serve: Any) -> None:
    server = serve(lambda peer: peer.redirect("/x", headers=[("Set-Cookie", "a=1")]), accept)
    jar = CookieJar()
    headers = lambda: {"Cookie": "mine=1"}  # noqa: E731
    assert Outcome(server.url, cookies=jar, headers=headers).is_open
    assert [peer.request.headers.get_all("cookie") for peer in server.peers] == [["mine=1"]] * 2
    assert len(jar) == 1


@pytest.mark.parametrize("kind", [MozillaCookieJar, LWPCookieJar])
def test_jars_that_live_in_files(serve: Any, tmp_path: Path, kind: Any) -> None:
    path = str(tmp_path / "cookies")

    def welcome(peer: Any) -> None:
        peer.accept_upgrade(headers=[("Set-Cookie", "a=1; Max-Age=1000")])
        peer.expect_end()

    server = serve(welcome, accept)
    jar = kind(path)
    assert Outcome(server.url, cookies=jar).is_open
    jar.save()
    again = kind(path)
    again.load()
    assert Outcome(server.url, cookies=again).is_open
    assert server.peers[1].request.headers["cookie"] == "a=1"


def test_a_policy_that_dials_itself_meets_no_lock_of_ours(serve: Any) -> None:
    """User code runs under the jar's lock only, which is reentrant."""
    inner = serve(accept)

    class Policy(DefaultCookiePolicy):
        def set_ok(self, cookie: Cookie, request: Any) -> bool:
            return Outcome(inner.url).is_open

    server = serve(lambda peer: peer.redirect("/x", headers=[("Set-Cookie", "a=1")]), accept)
    assert Outcome(server.url, cookies=CookieJar(Policy())).is_open
    assert len(inner.peers) == 1


def test_many_threads_with_one_jar(serve: Any) -> None:
    def play(peer: Any) -> None:
        request = peer.read_request()
        peer.accept_upgrade(headers=[("Set-Cookie", f"{request.target[1:]}=1; Path=/")])
        peer.expect_end()

    server = serve(play, repeat=True)
    jar = CookieJar()
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(
            target=lambda name=f"c{n}": outcomes.append(Outcome(server.url + name, cookies=jar))
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(outcomes) == 8 and all(outcome.is_open for outcome in outcomes)
    assert {cookie.name for cookie in jar} == {f"c{n}" for n in range(8)}
