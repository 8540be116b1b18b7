"""Cookies of a mapping or a jar: which are sent, and why the others are not."""

from __future__ import annotations

import time
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any

import pytest

import tieline

SECRET = "hush-hush"

pytestmark = pytest.mark.usefixtures("no_network")


def cookie(name: str, domain: str = "example.com", **changes: Any) -> Cookie:
    values: dict[str, Any] = {
        "version": 0,
        "name": name,
        "value": SECRET,
        "port": None,
        "port_specified": False,
        "domain": domain,
        "domain_specified": domain.startswith("."),
        "domain_initial_dot": domain.startswith("."),
        "path": "/",
        "path_specified": False,
        "secure": False,
        "expires": None,
        "discard": True,
        "comment": None,
        "comment_url": None,
        "rest": {},
    }
    return Cookie(**(values | changes))


def jar(*cookies: Cookie, policy: Any = None) -> CookieJar:
    filled = CookieJar(policy)
    for each in cookies:
        filled.set_cookie(each)
    return filled


def explained(url: str, cookies: Any) -> dict[str, tuple[bool, str]]:
    found = tieline.explain(url, cookies=cookies)
    assert SECRET not in str(found) + repr(found)
    any_sent = any(each.sent for each in found.cookies)
    assert any_sent is any(name == "Cookie" for name, _ in found.headers)
    return {each.name: (each.sent, each.reason) for each in found.cookies}


def test_a_mapping() -> None:
    assert explained("ws://example.com/", {"a": SECRET, "b": "c"}) == {
        "a": (True, "from cookies="),
        "b": (True, "from cookies="),
    }


def test_a_jar() -> None:
    filled = jar(
        cookie("here"),
        cookie("domain", ".example.com"),
        cookie("parent", ".com.example"),
        cookie("there", "other.example"),
        cookie("secure", secure=True),
        cookie("deep", path="/feed/deep"),
        cookie("path", path="/feed"),
        cookie("old", expires=int(time.time()) - 9, discard=False),
    )
    assert explained("ws://example.com/feed?x", filled) == {
        "here": (True, "from the jar, for example.com"),
        "domain": (True, "from the jar, for .example.com"),
        "parent": (False, "it is for .com.example"),
        "there": (False, "it is for other.example"),
        "secure": (False, "it is for TLS only (Secure)"),
        "deep": (False, "it is for the path /feed/deep"),
        "path": (True, "from the jar, for example.com"),
        "old": (False, "it has expired"),
    }


def test_a_jar_over_tls() -> None:
    found = explained("wss://www.example.com/", jar(cookie("a", ".example.com", secure=True)))
    assert found["a"][0]
    found = explained("wss://example.com/", jar(cookie("a", "www.example.com")))
    assert found == {"a": (False, "it is for www.example.com")}


def test_names_without_a_dot() -> None:
    assert explained("ws://box/", jar(cookie("a", "box.local")))["a"][0]


def test_a_policy_of_its_own() -> None:
    policy = DefaultCookiePolicy(blocked_domains=["example.com"])
    assert explained("ws://example.com/", jar(cookie("a"), policy=policy)) == {
        "a": (False, "the jar's policy does not let it go there")
    }


def test_a_header_of_ones_own() -> None:
    """Only a callable's can be: of others the options say that they contradict each other."""
    for cookies in (jar(cookie("a", "h")), {"a": SECRET}):
        found = tieline.explain("ws://h/", cookies=cookies, headers=lambda: {"Cookie": SECRET})
        (one,) = found.cookies
        assert (one.sent, one.reason) == (False, "a Cookie header is given")
        assert SECRET not in str(found)


def test_cookies_of_one_name() -> None:
    filled = jar(cookie("a", path="/x", value="1"), cookie("a", path="/", value="2"))
    found = tieline.explain("ws://example.com/", cookies=filled)
    assert sorted((each.sent, each.reason) for each in found.cookies) == [
        (False, "it is for the path /x"),
        (True, "from the jar, for example.com"),
    ]
