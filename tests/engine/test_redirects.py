"""Where a redirect leads, in every form that it may have, and which are not followed."""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.engine.outcome import Outcome, accept
from tieline.engine.redirects import Redirects
from tieline.engine.route import Target, parse_options_url
from tieline.errors import HandshakeError, TooManyRedirects
from tieline.events import RedirectEvent
from tieline.headers import Headers
from tieline.options import Options
from tieline.protocol.handshake import HandshakeResponse

SECRET = "hunter2-is-secret"


def target(url: str = "wss://example.com/a/b?q=1", **options: Any) -> Target:
    made = Options.build(url, {"proxy": None} | options)
    return Target(made, parse_options_url(made, url), ())


def answer(*locations: str, status: int = 302, **headers: str) -> HandshakeResponse:
    pairs = [("Location", each) for each in locations] + list(headers.items())
    return HandshakeResponse("1.1", status, "Found", Headers(pairs))


def followed(location: str, url: str = "wss://example.com/a/b?q=1", **options: Any) -> str:
    here = target(url, **options)
    return Redirects(here).follow(here, answer(location)).url.safe


@pytest.mark.parametrize(
    "location, there",
    [
        # RFC 3986 section 5.4, as far as it is about the same kind of URL.
        ("g", "wss://example.com/a/g"),
        ("./g", "wss://example.com/a/g"),
        ("g/", "wss://example.com/a/g/"),
        ("/g", "wss://example.com/g"),
        ("?y", "wss://example.com/a/b?y"),
        ("g?y", "wss://example.com/a/g?y"),
        ("#s", "wss://example.com/a/b?q=1"),
        ("g#s", "wss://example.com/a/g"),
        ("g?y#s", "wss://example.com/a/g?y"),
        ("", "wss://example.com/a/b?q=1"),
        (".", "wss://example.com/a/"),
        ("..", "wss://example.com/"),
        ("../g", "wss://example.com/g"),
        ("../../../g", "wss://example.com/g"),
        ("/./g", "wss://example.com/g"),
        ("/../g", "wss://example.com/g"),
        ("./g/../h", "wss://example.com/a/h"),
        ("g;x=1/../y", "wss://example.com/a/y"),
        ("g?y/../x", "wss://example.com/a/g?y/../x"),
        ("//g", "wss://g/"),
        ("//g:444/x", "wss://g:444/x"),
        ("wss://g/x", "wss://g/x"),
        ("https://g/x", "wss://g/x"),
        ("HTTPS://G/x", "wss://g/x"),
        ("https://g", "wss://g/"),
        ("https://g/a/../b/./c", "wss://g/b/c"),
        ("//g/a/../../b", "wss://g/b"),
        ("https://g/x#fragment", "wss://g/x"),
        ("https://g/a/..?x=/../y", "wss://g/?x=/../y"),
        # What browsers do with what should not be there.
        ("/a b?c d", "wss://example.com/a%20b?c%20d"),
        ("/" + "ü".encode().decode("latin-1"), "wss://example.com/%C3%BC"),
        ("/ü", "wss://example.com/%C3%BC"),
        ("/" + "Ã©".encode().decode("latin-1"), "wss://example.com/%C3%83%C2%A9"),
        ("https://" + "bücher.example".encode().decode("latin-1"), "wss://xn--bcher-kva.example/"),
    ],
)
def test_where_a_location_leads(location: str, there: str) -> None:
    assert followed(location) == there


def test_http_becomes_ws() -> None:
    assert followed("http://g/x", "ws://example.com/") == "ws://g/x"
    assert followed("https://g/x", "ws://example.com/") == "wss://g/x"


@pytest.mark.parametrize(
    "location", ["ftp://g/", "data:text/plain,x", "javascript:1", "wss:g", "https://", "ws://[/"]
)
def test_what_is_no_place(location: str) -> None:
    with pytest.raises(HandshakeError, match="unusable place"):
        followed(location)


@pytest.mark.parametrize("url", ["ws://example.com/", "wss://example.com/"])
@pytest.mark.parametrize(
    "location", ["wss+unix:///run/a.sock:/", "ws+unix:///run/a.sock:/", "//socket=%2Frun%2Fa/x"]
)
def test_no_server_leads_to_a_socket_of_this_machine(url: str, location: str) -> None:
    with pytest.raises(HandshakeError, match="unix socket"):
        followed(location, url)


@pytest.mark.parametrize("location", ["ws://example.com/", "http://g/x"])
def test_encryption_is_not_given_up(location: str) -> None:
    with pytest.raises(HandshakeError, match="not encrypted"):
        followed(location)


@pytest.mark.parametrize("location", ["https://g/x", "//g", "//example.com:444/"])
def test_redirects_to_another_origin_may_be_refused(location: str) -> None:
    with pytest.raises(HandshakeError, match="another origin.*cross_origin_redirects") as caught:
        followed(location, cross_origin_redirects=False)
    assert caught.value.response is not None and caught.value.response.status == 302
    assert followed("//example.com:443/x", cross_origin_redirects=False) == "wss://example.com/x"


def test_a_location_with_credentials() -> None:
    """They are the server's to give, for where it sends us. Ours do not go there."""
    here = target(auth=("joe", SECRET))
    there = Redirects(here).follow(here, answer(f"https://eve:{SECRET}@g/"))
    assert there.url.safe == "wss://eve:***@g/"
    login = there.login()
    assert login.credentials is not None and login.source == "the URL's user name and password"
    assert "eve" in repr(login.credentials)
    same = Redirects(here).follow(here, answer("https://eve:x@example.com/"))
    assert "joe" in repr(same.login().credentials), "the options go before the URL"


def test_two_places_at_once() -> None:
    here = target()
    with pytest.raises(HandshakeError, match="2 places"):
        Redirects(here).follow(here, answer("/a", "/b"))
    assert Redirects(here).follow(here, answer("/a", "/a")).url.target == "/a"


def test_a_long_chain_is_shown_in_part_and_masked() -> None:
    here = target(f"wss://joe:{SECRET}@example.com/?token={SECRET}", max_redirects=20)
    redirects = Redirects(here)
    for number in range(20):
        here = redirects.follow(here, answer(f"/{number}?token={SECRET}"))
    with pytest.raises(TooManyRedirects, match=r"max_redirects=20;.*\(15 more\)") as caught:
        redirects.follow(here, answer(f"/last?token={SECRET}"))
    assert SECRET not in str(caught.value) and len(str(caught.value)) < 600
    assert len(redirects.followed) == 20


# --- in a dial


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(serve: Any, status: int) -> None:
    last = serve(accept)
    first = serve(lambda peer: peer.redirect(last.url + "there", status))
    outcome = Outcome(first.url)
    assert outcome.connected is not None
    assert outcome.connected.response.url == last.url + "there"
    assert outcome.info["redirects"] == [last.url + "there"]
    assert (RedirectEvent, {"status": status, "location": last.url + "there"}) in outcome.events
    assert last.peers[0].request.method == "GET"


@pytest.mark.parametrize("status", [300, 304, 305, 306, 309])
def test_what_is_no_redirect(serve: Any, status: int) -> None:
    server = serve(lambda peer: peer.redirect("/there", status))
    outcome = Outcome(server.url)
    assert isinstance(outcome.error, HandshakeError) and f"got {status}" in str(outcome.error)
    assert len(server.peers) == 1


def test_too_many_redirects(serve: Any) -> None:
    def further(peer: Any) -> None:
        request = peer.read_request()
        peer.redirect(request.target + "a")

    server = serve(further, repeat=True)
    outcome = Outcome(server.url, max_redirects=3)
    assert isinstance(outcome.error, TooManyRedirects)
    assert "max_redirects=3" in str(outcome.error)
    assert f"{server.url} → {server.url}a → {server.url}aa → {server.url}aaa" in str(outcome.error)
    assert len(outcome.info["redirects"]) == 3 and len(server.peers) == 4


def test_a_place_that_is_not_gone_to_names_the_one_that_leads_there(serve: Any) -> None:
    server = serve(lambda peer: peer.redirect("/b"), lambda peer: peer.redirect("ftp://h/"))
    outcome = Outcome(server.url + "a")
    assert isinstance(outcome.error, HandshakeError)
    assert str(outcome.error).startswith(f"{server.url}b redirects to an unusable place: ")
    assert "redirected from" not in str(outcome.error)
    assert outcome.info["redirects"] == [server.url + "b"]


@pytest.mark.parametrize("location", ["", "/", "#top", "?"])
def test_a_circle_of_one(serve: Any, location: str) -> None:
    if location == "?":
        server = serve(lambda peer: peer.redirect("?"), lambda peer: peer.redirect("?"))
        outcome = Outcome(server.url + "?")
    else:
        server = serve(lambda peer: peer.redirect(location))
        outcome = Outcome(server.url, max_redirects=1000)
    assert isinstance(outcome.error, TooManyRedirects)
    assert "circle" in str(outcome.error) and outcome.error.response is not None


def test_a_circle_of_two(serve: Any) -> None:
    def there_and_back(peer: Any) -> None:
        request = peer.read_request()
        peer.redirect("/b" if request.target == "/a" else "/a")

    server = serve(there_and_back, repeat=True)
    outcome = Outcome(server.url + "a", max_redirects=1000)
    assert isinstance(outcome.error, TooManyRedirects)
    chain = f"{server.url}a → {server.url}b → {server.url}a"
    assert chain in str(outcome.error) and len(server.peers) == 2
    assert len(outcome.info["redirects"]) == 2


def test_a_cookie_makes_it_another_request(serve: Any) -> None:
    """As sites do that want to know whether the client keeps cookies."""

    def set_cookie(peer: Any) -> None:
        peer.redirect("/", headers=[("Set-Cookie", "seen=1; Path=/")])

    server = serve(set_cookie, accept)
    assert Outcome(server.url, cookies=CookieJar()).is_open
    assert server.peers[1].request.headers["cookie"] == "seen=1"
    server = serve(set_cookie)
    assert isinstance(Outcome(server.url).error, TooManyRedirects)
    server = serve(set_cookie, set_cookie)
    assert isinstance(Outcome(server.url, cookies=CookieJar()).error, TooManyRedirects)


def test_back_at_the_first_origin_without_its_secrets(serve: Any) -> None:
    """Whoever was in between has chosen the way: he must not choose what our cookie opens."""
    first = serve(lambda peer: peer.redirect(between.url), accept)
    between = serve(lambda peer: peer.redirect(first.url))
    options: dict[str, Any] = {
        "cookies": {"session": SECRET},
        "auth": ("joe", SECRET),
        "headers": {"X-Api-Key": SECRET, "X-Kept": "1"},
    }
    assert Outcome(first.url, **options).is_open
    sent = [peer.request.headers for peer in (*first.peers, *between.peers)]
    assert "cookie" in sent[0] and "authorization" in sent[0] and "x-api-key" in sent[0]
    for headers in sent[1:]:
        assert {"cookie", "authorization", "x-api-key"}.isdisjoint(headers)
        assert headers["x-kept"] == "1"


def test_max_redirects_0_gives_the_redirect_itself(serve: Any) -> None:
    server = serve(lambda peer: peer.redirect("/there"))
    error = Outcome(server.url, max_redirects=0).error
    assert isinstance(error, HandshakeError) and not isinstance(error, TooManyRedirects)
    assert error.response is not None and error.response.headers["location"] == "/there"


def test_a_redirect_without_location_is_a_refusal(serve: Any) -> None:
    error = Outcome(serve(lambda peer: peer.respond(302)).url).error
    assert isinstance(error, HandshakeError) and not isinstance(error, TooManyRedirects)
    assert "got 302 Found, without a Location" in str(error)


def test_an_error_elsewhere_says_how_one_came_there(serve: Any) -> None:
    there = serve(lambda peer: peer.respond(403))
    first = serve(lambda peer: peer.redirect(there.url))
    error = Outcome(first.url + f"?token={SECRET}").error
    assert isinstance(error, HandshakeError) and error.response is not None
    text = str(error)
    assert text.endswith(f"(redirected from {first.url}?token=***)") and there.url in text


@pytest.mark.parametrize("location", ["ftp://x/", "ws://["])
def test_a_redirect_to_nowhere(serve: Any, location: str) -> None:
    error = Outcome(serve(lambda peer: peer.redirect(location)).url).error
    assert isinstance(error, HandshakeError) and "unusable place" in str(error)


def test_a_permanent_redirect_is_not_remembered(serve: Any) -> None:
    """Each connection asks where the user has said: that place may lead elsewhere by then."""
    last = serve(accept, accept)
    first = serve(*[lambda peer: peer.redirect(last.url, 308)] * 2)
    for _ in range(2):
        assert Outcome(first.url).is_open
    assert len(first.peers) == 2
