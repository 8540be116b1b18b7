"""Credentials → their scheme, user and source; never what is secret in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import tieline
from tieline.auth import Challenge

SECRET = "hush-hush"

pytestmark = pytest.mark.usefixtures("no_network")

Shown = tuple[str, str | None, str] | None


def shown(login: Any) -> Shown:
    return None if login is None else (login.scheme, login.username, login.source)


def explained(url: str = "ws://example.com/", **options: Any) -> Any:
    found = tieline.explain(url, **options)
    assert SECRET not in str(found) + repr(found) + str(found.as_dict())
    return found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, None),
        ({"auth": ("me", SECRET)}, ("Basic", "me", "auth=")),
        ({"auth": tieline.Digest("me", SECRET)}, ("Digest", "me", "auth=")),
        ({"username": "me", "password": SECRET}, ("Basic", "me", "username=")),
        ({"token": SECRET}, ("Bearer", None, "token=")),
        ({"token": SECRET, "token_type": "Key"}, ("Key", None, "token=")),
        ({"token": "Bearer", "token_type": SECRET}, ("another scheme", None, "token=")),
        ({"auth": (SECRET + "9", "")}, ("Basic", "***", "auth=")),
        ({"auth": lambda url: None}, None),
        ({"auth": lambda url: tieline.Bearer(SECRET)}, ("Bearer", None, "auth=")),
        ({"auth": lambda url, challenges: None}, ("none at first", None, "auth=")),
        ({"headers": {"Authorization": f"Bearer {SECRET}"}}, ("Bearer", None, "the header given")),
        ({"headers": {"Authorization": SECRET}}, ("a value of its own", None, "the header given")),
        (
            {"headers": {"Authorization": f"{SECRET} x"}},
            ("a value of its own", None, "the header given"),
        ),
    ],
)
def test_where_they_come_from(options: dict[str, Any], said: Shown) -> None:
    assert shown(explained(**options).login) == said


def test_the_url() -> None:
    found = explained(f"ws://me:{SECRET}@example.com/")
    assert shown(found.login) == ("Basic", "me", "the URL's user name and password")


def test_the_url_after_a_callable_that_gave_nothing() -> None:
    found = explained(f"ws://me:{SECRET}@example.com/", auth=lambda url, challenges: None)
    assert shown(found.login) == ("Basic", "me", "the URL's user name and password")


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_digest_with_a_nonce_goes_with_the_first_request(is_kept: bool) -> None:
    digest = tieline.Digest("me", SECRET)
    if is_kept:
        for space in (False, ("ws", "example.com", 80)), (True, ("http", "h", 80)):
            digest.take(space, Challenge("digest", None, {"nonce": "n"}))
    found = explained(auth=digest, proxy="http://h", proxy_auth=digest)
    for login, headers in (
        (found.login, dict(found.headers)),
        (found.proxy.login, dict(found.proxy.headers)),
    ):
        names = {"Authorization", "Proxy-Authorization"} & set(headers)
        assert len(names) == is_kept and all(headers[name] == "***" for name in names)
        assert ("at once" in login.note) == is_kept
    assert digest.prove(space, "GET", "/").header.count("nc=") == 0 if is_kept else True


def test_netrc(tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text(f"machine example.com login me password {SECRET}\n")
    os.chmod(path, 0o600)
    found = explained(netrc=str(path))
    assert shown(found.login) == ("Basic", "me", "the netrc file's entry")
    assert explained("ws://other.example/", netrc=str(path)).login is None


@pytest.mark.parametrize(
    ("proxy", "options", "said"),
    [
        ("http://h", {}, None),
        (
            f"http://me:{SECRET}@h",
            {},
            ("Basic", "me", "the user name and password of the proxy's URL"),
        ),
        ("http://h", {"proxy_auth": ("me", SECRET)}, ("Basic", "me", "proxy_auth=")),
        (
            "http://h",
            {"proxy_headers": {"Proxy-Authorization": f"Basic {SECRET}"}},
            ("Basic", None, "the header given"),
        ),
        (f"socks5://me:{SECRET}@h", {}, ("SOCKS5 user and password", "me", "the proxy's URL")),
        ("socks4://me@h", {}, ("SOCKS4 user id", "me", "the proxy's URL")),
        ("socks5h://h", {}, None),
    ],
)
def test_proxies(proxy: str, options: dict[str, Any], said: Shown) -> None:
    found = explained(proxy=proxy, **options)
    assert shown(found.proxy.login) == said and found.login is None
