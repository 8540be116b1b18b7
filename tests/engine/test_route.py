"""Options and a URL → where to dial, and what is asked for and kept back there."""

from __future__ import annotations

from typing import Any

import pytest

from tieline import Reactor
from tieline.auth import Basic, Bearer
from tieline.compression import Deflate
from tieline.engine.route import Target, check_addresses, parse_options_url, target_of
from tieline.errors import OptionError
from tieline.options import Options
from tieline.transport.tls_settings import Peer

SECRETS: dict[str, Any] = {
    "headers": {"X-Shown": "1", "Authorization": "Bearer t", "Cookie": "a=b"},
}


def target(url: str = "wss://example.com/feed", connect: Any = (), **options: Any) -> Target:
    """`connect`: the headers that `connect()` was given."""
    made = Options.build(url, {"proxy": None} | options)
    return Target(made, parse_options_url(made, url), (*made.attempt_headers(), *connect))


def headers(of: Target) -> dict[str, str]:
    authorization = of.login().authorization("GET", of.url.target)
    request = of.request(authorization, of.cookies())
    return {name.lower(): value for name, value in request.headers}


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("ws://example.com/", "example.com", 80, False),
        ("wss://example.com/", "example.com", 443, True),
        ("http://example.com:81/", "example.com", 81, False),
        ("https://example.com/", "example.com", 443, True),
        ("ws://[::1]:82/", "::1", 82, False),
    ],
)
def test_where_to(url: str, host: str, port: int, tls: bool) -> None:
    route = target(url).route()
    assert (route.host, route.port, route.tls is not None) == (host, port, tls)


def test_schemes_default_port_and_default_path() -> None:
    made = target("feed://example.com", schemes={"feed": {"port": 99, "ssl": True}})
    assert made.route().port == 99 and made.route().tls is not None
    made = target("ws://example.com", default_port=8080, default_path="/stream")
    assert (made.route().port, made.request().target) == (8080, "/stream")


def test_a_url_that_cannot_be_used() -> None:
    with pytest.raises(OptionError, match="ftp"):
        target("ftp://example.com/")


def test_what_is_asked_for() -> None:
    request = target(subprotocols=["a", "b"], origin="https://o", user_agent="me").request()
    assert (request.host, request.target) == ("example.com", "/feed")
    assert request.subprotocols == ("a", "b")
    assert (request.origin, request.user_agent) == ("https://o", "me")
    assert target().request().user_agent.startswith("tieline/")  # type: ignore[union-attr]
    assert target(user_agent="").request().user_agent == ""


def test_what_compression_is_offered() -> None:
    assert target(compression=None).request().compression is None
    assert target(compression="deflate").request().compression == Deflate()
    assert target(compression=Deflate(level=9)).request().compression == Deflate(level=9)


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({"token": "t"}, "Bearer t"),
        ({"token": "t", "token_type": "Token"}, "Token t"),
        ({"username": "u", "password": "p"}, "Basic dTpw"),
        ({"auth": Basic("u", "p")}, "Basic dTpw"),
        ({"auth": lambda url: Bearer(url.rpartition("/")[2])}, "Bearer feed"),
        ({"auth": lambda url: None}, None),
        ({"connect": [("authorization", "mine")], "token": "t"}, "mine"),
        ({}, None),
    ],
)
def test_credentials(options: dict[str, Any], value: str | None) -> None:
    assert headers(target(**options)).get("authorization") == value


def test_credentials_in_the_url() -> None:
    assert headers(target("wss://u:p@example.com/"))["authorization"] == "Basic dTpw"
    assert headers(target("wss://u:p@example.com/", token="t"))["authorization"] == "Bearer t"


def test_cookies() -> None:
    assert headers(target(cookies={"a": "1", "b": "2"}))["cookie"] == "a=1; b=2"
    given = target(cookies={"a": "1"}, connect=[("Cookie", "mine=1")])
    assert headers(given)["cookie"] == "mine=1"


@pytest.mark.parametrize("location", ["/elsewhere", "wss://example.com/elsewhere"])
def test_the_same_origin_keeps_everything(location: str) -> None:
    redirected = target(**SECRETS, connect_to=("127.0.0.1", 1)).redirected(location)
    assert redirected.request().target == "/elsewhere"
    assert {"authorization", "cookie", "x-shown"} <= headers(redirected).keys()
    assert redirected.route().connect_to == ("127.0.0.1", 1)


@pytest.mark.parametrize(
    "location", ["wss://other.example/", "wss://example.com:444/", "ws://example.com/"]
)
def test_another_origin_gets_no_secret(location: str) -> None:
    made = target(
        **SECRETS,
        connect_to=("127.0.0.1", 1),
        server_hostname="internal",
        ssl_cert_path=__file__,
        ssl_key_password="k",
    )
    redirected = made.redirected(location)
    assert {"authorization", "cookie"}.isdisjoint(headers(redirected))
    assert headers(redirected)["x-shown"] == "1"
    route = redirected.route()
    assert route.connect_to is None
    if route.tls is not None:
        assert route.tls.cert_path is None and route.tls.key_password is None
        assert route.tls.server_hostname is None
        assert route.tls.peer is redirected.peer is Peer.ELSEWHERE
    assert made.route().tls.peer is made.peer is Peer.SERVER
    assert headers(redirected.redirected("wss://example.com/feed")).get("authorization") is None


def test_another_origin_is_asked_about_by_a_callable() -> None:
    made = target(auth=lambda url, challenges: Bearer("t"))
    assert headers(made)["authorization"] == "Bearer t"
    there = made.redirected("wss://other.example/")
    assert "authorization" not in headers(there), "before it has said who it is"
    login = there.login()
    assert login.challenged(["Bearer"]) is not None
    assert login.authorization("GET", "/") == "Bearer t"


def test_another_origin_gets_no_host_and_no_token_of_the_first() -> None:
    made = target(
        headers={"HOST": "internal.example"},
        subprotocols=["v1", "bearer.abc", "v2.a1b2c3d4e5f6g7h8i9"],
    )
    same, other = made.redirected("/x"), made.redirected("wss://other.example/")
    assert headers(same)["host"] == "internal.example"
    assert same.request().subprotocols == ("v1", "bearer.abc", "v2.a1b2c3d4e5f6g7h8i9")
    assert "host" not in headers(other) and other.request().host == "other.example"
    assert other.request().subprotocols == ("v1",)
    assert "abc" not in repr(made.request())


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "ws_proxy", "wss_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    given = target(proxy="http://u:p@proxy:3128", proxy_headers={"X-A": "1"}).route().proxy
    assert given is not None and (given.host, given.port) == ("proxy", 3128)
    assert target(proxy=True).route().proxy is None
    monkeypatch.setenv("https_proxy", "http://env:8080")
    found = target(proxy=True, proxy_headers={"X-A": "1"}).route().proxy
    assert found is not None and found.host == "env" and found.headers == (("X-A", "1"),)
    assert target(proxy=None).route().proxy is None


@pytest.mark.parametrize("url", ["ws://example.com/", "wss://example.com/"])
def test_an_https_proxy_is_trusted_as_the_options_say(url: str) -> None:
    proxy = target(url, proxy="https://proxy", ssl_ca_path="/ca.pem", ssl_verify_cert=False)
    found = proxy.route().proxy
    assert found is not None and found.tls is not None
    assert (found.tls.ca_path, found.tls.verify_cert) == ("/ca.pem", True)


def test_no_proxy_for_a_unix_socket() -> None:
    made = target("ws://example.com/", unix_socket="/run/a.sock")
    assert made.route().unix_path == "/run/a.sock" and made.route().proxy is None
    made = target("ws+unix:///run/b.sock:/uri")
    assert made.route().unix_path == "/run/b.sock" and made.request().target == "/uri"


def test_cookies_of_the_options_stay_at_home() -> None:
    made = target(cookies={"c": "d"}, token="t")
    assert {"authorization", "cookie"} <= headers(made).keys()
    redirected = headers(made.redirected("wss://other.example/"))
    assert {"authorization", "cookie"}.isdisjoint(redirected)


# --- what dials to one place have in common


def prepared(url: str = "wss://example.com/feed", **options: Any) -> Options:
    made = Options.build(url, options)
    check_addresses(made)
    return made


def test_the_way_and_the_request_are_made_once() -> None:
    options = prepared(proxy=None)
    first, second = (target_of(options, "wss://example.com/feed", ()) for _ in range(2))
    assert first.route() is second.route() and first.request() is second.request()
    alone = target("wss://example.com/feed")
    assert (first.route(), first.request()) == (alone.route(), alone.request())


def test_credentials_and_cookies_are_said_by_one_request_only() -> None:
    options = prepared(proxy=None)
    made = target_of(options, "wss://example.com/feed", ())
    for values in (("Basic x", None), (None, "a=b"), ("Basic x", "a=b")):
        assert made.request(*values).headers and made.request(*values) is not made.request(*values)
    assert made.request().headers == ()


def test_headers_of_one_connection_are_said_on_that_one_only() -> None:
    options = prepared(proxy=None, headers={"X-A": "1"})
    for extra in ((("X-B", "2"),), ()):
        made = target_of(options, "wss://example.com/feed", extra)
        assert made.request().headers == (("X-A", "1"), *extra)


def test_a_callable_gives_headers_for_each_connection() -> None:
    given = iter([{"X-A": "1"}, {"X-A": "2"}])
    options = prepared(proxy=None, headers=lambda: next(given))
    for value in "12":
        made = target_of(options, "wss://example.com/feed", ())
        assert made.request().headers == (("X-A", value),)


def test_a_redirect_leads_elsewhere() -> None:
    made = target_of(prepared(proxy=None), "wss://example.com/feed", ())
    made.route(), made.request()
    led = made.redirected("wss://other.example/b")
    assert (led.route().host, led.request().target) == ("other.example", "/b")


def test_the_environments_proxy_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    options = prepared()
    for variable, host in (("http://one:80", "one"), ("", None), ("http://two:80", "two")):
        monkeypatch.setenv("wss_proxy", variable)
        proxy = target_of(options, "wss://example.com/feed", ()).route().proxy
        assert (proxy and proxy.host) == host


def test_a_url_that_a_callable_gave_is_not_kept() -> None:
    options = prepared(lambda: "wss://example.com/")  # type: ignore[arg-type]
    assert target_of(options, "wss://example.com/a", ()).request().target == "/a"
    assert not options.parsed


@pytest.mark.parametrize("text", ["ws://h", "wss://h:81/feed"])
@pytest.mark.parametrize(
    "query", ["", "a=b", "token=x&a=b", "a=%41%zz", "sig=a[b]/?c", "a=é", "a=b c", "//x", "a\\b"]
)
def test_a_query_joins_what_is_kept_of_the_rest(text: str, query: str) -> None:
    for _ in range(2):
        try:
            options = prepared(f"{text}?{query}", proxy=None)
        except OptionError as error:
            with pytest.raises(OptionError) as alone:
                target(f"{text}?{query}")
            assert str(error) == str(alone.value)
            continue
        made, alone = target_of(options, f"{text}?{query}", ()), target(f"{text}?{query}")
        assert (made.url, made.url.safe) == (alone.url, alone.url.safe)
        assert (made.route(), made.request()) == (alone.route(), alone.request())
        assert made.request().masked == alone.request().masked
        assert made.request().written == alone.request().written
        assert made.login().party == alone.login().party


def test_only_the_query_is_made_anew() -> None:
    first, second = (
        target_of(prepared(url, proxy=None), url, ())
        for url in ("wss://example.com/feed?token=1", "wss://example.com/feed?token=2")
    )
    assert first.route() is second.route()
    assert first.request().written is second.request().written
    assert first.place is not None and second.place is not None
    assert first.place.shared is second.place.shared
    kept = first.place.base
    assert kept is second.place.base is not None
    assert kept.request is not None and kept.request.target == kept.url.target == "/feed"


def test_clients_of_two_reactors_share_all_of_a_place() -> None:
    url = "wss://example.com/feed"
    first, second = (
        target_of(prepared(url, proxy=None, reactor=Reactor()), url, ()) for _ in range(2)
    )
    assert first.place is second.place is not None
    assert first.options.reactor is not second.options.reactor


@pytest.mark.parametrize("url", ["ftp://h/?a=b", "ws://h:0/?a=b", "ws:///?a=b"])
def test_an_error_shows_the_query_too(url: str) -> None:
    for _ in range(2):
        with pytest.raises(OptionError, match=r"\?a=b"):
            prepared(url)
