"""Proxy URLs → proxies, with nothing secret to be seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tieline.errors import OptionError
from tieline.transport.proxy import Proxy


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "username", "password"),
    [
        ("http://proxy.example:3128", "http", "proxy.example", 3128, None, None),
        ("http://proxy.example/", "http", "proxy.example", 80, None, None),
        ("HTTPS://u:p%40w@proxy.example", "https", "proxy.example", 443, "u", "p@w"),
        ("proxy.example:3128", "http", "proxy.example", 3128, None, None),
        ("u:pw@[::1]:3128", "http", "::1", 3128, "u", "pw"),
        ("socks.example:1080", "http", "socks.example", 1080, None, None),
        ("socks4://me@proxy.example", "socks4", "proxy.example", 1080, "me", None),
        ("socks4a://proxy.example:9", "socks4a", "proxy.example", 9, None, None),
        ("socks5://u:p%40w@proxy.example", "socks5", "proxy.example", 1080, "u", "p@w"),
        ("SOCKS5H://u:@proxy.example/", "socks5h", "proxy.example", 1080, "u", ""),
        ("socks://127.0.0.1:1081/", "socks5h", "127.0.0.1", 1081, None, None),
    ],
)
def test_parse(text, scheme, host, port, username, password):
    proxy = Proxy.parse(text)
    assert (proxy.scheme, proxy.host, proxy.port) == (scheme, host, port)
    assert (proxy.username, proxy.password) == (username, password)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("socks4://u:hush@proxy.example", "SOCKS4 has a user id, but no passwords"),
        ("socks4a://u:hush@proxy.example", "use socks5://"),
        ("socks5://:hush@proxy.example", "expected a user name of 1 to 255 bytes"),
        ("socks5://u:hush" + "h" * 252 + "@proxy.example", "password of 1 to 255 bytes.*got 256"),
        ("socks5://" + "u" * 256 + ":hush@proxy.example", "user name of 1 to 255 bytes"),
        ("socks5://%FC:hush@proxy.example", "not UTF-8"),
        ("socks5://u:hu%sh@proxy.example", "'%' without two hex digits"),
        ("socks6://u:hush@proxy.example", "expected http://, https://, socks4://"),
        ("ftp://u:hush@proxy.example", "expected http://, https://"),
        ("http://u:hush@", "host is missing"),
        ("http://u:hush@proxy.example:x", "port"),
        ("http://u:hush@proxy.example/path", "without a path"),
        ("http://u:12/hush@proxy.example:3128", "without a path; .*password.*%23, %2F, %3F"),
        ("u:12?hush@proxy.example:3128", "without a path; .*password.*%23, %2F, %3F"),
        ("http://u:12#hush@proxy.example:3128", "a fragment.*password.*%23, %2F, %3F"),
        ("http+unix:///x.sock", "without a path"),
        ("", "host is missing"),
    ],
)
def test_parse_refuses(text, reason):
    with pytest.raises(OptionError, match=reason) as caught:
        Proxy.parse(text)
    assert str(caught.value).startswith("proxy")
    assert "hush" not in str(caught.value)


def test_reprs_hold_no_secrets():
    proxy = Proxy.parse(
        "http://u:hush@h:1", headers=(("Proxy-Authorization", "hush"), ("Via", "x"))
    )
    proxy = replace(proxy, authorization="Basic hush")
    for shown in (repr(proxy), str(proxy), proxy.safe, proxy.name):
        assert "hush" not in shown
    assert "Via" in repr(proxy) and "u:***@h:1" in repr(proxy)


@pytest.mark.parametrize("scheme", ["socks", "socks4", "socks4a", "socks5", "socks5h"])
def test_headers_are_for_http_proxies(scheme):
    with pytest.raises(
        OptionError, match="proxy_headers: only HTTP proxies take headers"
    ) as caught:
        Proxy.parse(f"{scheme}://u@proxy.example", headers=(("X-Team", "hush"),))
    assert "hush" not in str(caught.value)


def test_the_user_id_of_socks4_may_be_empty():
    assert Proxy.parse("socks4://@proxy.example").username in (None, "")


def test_no_scheme_is_advised_that_no_proxy_can_have() -> None:
    with pytest.raises(OptionError, match="unknown scheme: 'foo'.*expected http://") as caught:
        Proxy.parse("foo://proxy.example")
    assert "unix" not in str(caught.value)
