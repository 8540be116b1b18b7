"""Addresses that are known, that would be looked up and by whom; proxies; unix sockets."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import tieline
from tieline.transport.attempt import Attempt

SECRET = "hush-hush"


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("url", "options", "addresses"),
    [
        ("ws://127.0.0.1:81/", {}, ("127.0.0.1:81",)),
        ("ws://[2001:db8::1]/", {}, ("[2001:db8::1]:80",)),
        ("ws://localhost/", {"family": "ipv4"}, ("127.0.0.1:80",)),
        ("ws://example.com/", {"connect_to": ("10.0.0.1", 82)}, ("10.0.0.1:82",)),
    ],
)
def test_what_needs_no_look_up(
    url: str, options: dict[str, Any], addresses: tuple[str, ...]
) -> None:
    found = tieline.explain(url, **options).address
    assert (found.addresses, found.looked_up_by) == (addresses, "nobody has to")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("proxy", "who"),
    [
        (None, "this machine"),
        ("http://10.0.0.1", "the proxy"),
        ("socks5h://10.0.0.1", "the proxy"),
        ("socks4a://10.0.0.1", "the proxy"),
        ("socks5://10.0.0.1", "this machine"),
        ("socks4://10.0.0.1", "this machine"),
    ],
)
def test_who_looks_the_name_up(proxy: str | None, who: str) -> None:
    found = tieline.explain("ws://example.com/", proxy=proxy)
    assert (found.address.addresses, found.address.looked_up_by) == ((), who)
    assert f"to be looked up by {who}" in str(found)
    if proxy is not None:
        assert found.proxy is not None and found.proxy.address.addresses


@pytest.mark.usefixtures("no_network")
def test_localhost_is_a_machine_of_the_proxys() -> None:
    found = tieline.explain("ws://localhost:8080/", proxy="http://10.0.0.1")
    assert (found.address.addresses, found.address.looked_up_by) == ((), "the proxy")
    found = tieline.explain("ws://[::1]:8080/", proxy="http://10.0.0.1")
    assert (found.address.addresses, found.address.looked_up_by) == (
        ("[::1]:8080",),
        "nobody has to",
    )


def test_names_are_looked_up_when_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(host: str, *rest: Any, **keywords: Any) -> Any:
        if host != "h.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if len(rest) > 4 and rest[4]:
            raise socket.gaierror(socket.EAI_NONAME, "it is no address")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    found = tieline.explain("ws://h.example/", resolve=True)
    assert found.address.addresses == ("10.0.0.7:80",)
    assert found.address.looked_up_by == "this machine"
    assert "10.0.0.7:80 (from this machine)" in str(found)
    found = tieline.explain("ws://other.example/", resolve=True)
    assert found.address.addresses == ()
    (problem,) = found.problems
    assert "cannot resolve host 'other.example'" in problem
    # Where the proxy does it, this machine does not.
    found = tieline.explain("ws://third.example/", resolve=True, proxy="http://127.0.0.1")
    assert found.problems == ()


def test_one_deadline_for_all_that_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind socks5, two names are: the proxy's and the server's."""
    over = threading.Event()

    def getaddrinfo(host: str, *rest: Any, **keywords: Any) -> Any:
        if len(rest) > 4 and rest[4]:
            raise socket.gaierror(socket.EAI_NONAME, "it is no address")
        over.wait(10)
        return []

    deadlines = []

    class Watched(Attempt):
        def __init__(self, timeout: float | None, **how: Any) -> None:
            deadlines.append(timeout)
            super().__init__(timeout, **how)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("tieline.explaining.Attempt", Watched)
    try:
        found = tieline.explain(
            "ws://h.test/", proxy="socks5://p.test", resolve=True, connect_timeout=0.05
        )
    finally:
        over.set()
    assert deadlines == [0.05]
    server, proxy = found.problems
    assert "connecting to h.test:80 timed out" in server
    assert "connecting to p.test:1080 timed out" in proxy


@pytest.mark.usefixtures("no_network")
def test_an_address_that_cannot_be_used() -> None:
    (problem,) = tieline.explain("ws://[::1]/", family="ipv4").problems
    assert "it is an IPv6 address, and family asks for IPv4" in problem


@pytest.mark.usefixtures("no_network")
def test_unix_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    (tmp_path / "file").touch()

    def problems(name: str) -> tuple[str, ...]:
        found = tieline.explain("ws://example.com/", unix_socket=str(tmp_path / name))
        assert found.address.host == str(tmp_path / name) and found.address.port is None
        assert found.proxy_reason == "none: the way leads to a unix socket"
        return found.problems

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind("s")
        assert problems("s") == ()
        monkeypatch.setattr(os, "access", lambda path, mode: False)  # root always may
        assert "permission denied" in problems("s")[0]
    assert "it is none" in problems("file")[0]
    assert "No such file" in problems("none")[0]


def test_a_socket_that_was_given() -> None:
    near, far = socket.socketpair()
    with near, far:
        found = tieline.explain("ws://example.com/", sock=near)
        assert near.fileno() >= 0  # it is still the caller's
    assert found.address.source == "sock, connected already"
    assert (found.address.host, found.address.port) == ("", None)
    assert "connects to      (sock, connected already)" in str(found)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("variables", "url", "reason"),
    [
        ({}, "ws://h/", "none: the environment has none of"),
        ({"https_proxy": "http://p"}, "wss://h/", "https_proxy in the environment"),
        ({"https_proxy": "http://p"}, "ws://h/", "none: https_proxy in the environment is not"),
        ({"https_proxy": "http://p", "no_proxy": "h,g"}, "wss://h/", "none: no_proxy lists 'h'"),
    ],
)
def test_which_proxy_and_why(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, reason: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = tieline.explain(url)
    assert found.proxy_reason.startswith(reason) and reason in str(found)
    assert (found.proxy is None) is reason.startswith("none")


@pytest.mark.usefixtures("no_network")
def test_an_https_proxy_has_tls_of_its_own() -> None:
    found = tieline.explain(
        "ws://h/", proxy="https://proxy.example", ssl_fingerprint="ab" * 32, ssl_verify_cert=False
    )
    assert found.tls is None and found.proxy is not None
    tls = found.proxy.tls
    assert tls is not None and tls.verified and tls.pins == ()
    assert (tls.name, tls.sends_name) == ("proxy.example", True)
    assert found.proxy.request == "CONNECT h:80 HTTP/1.1"


@pytest.mark.usefixtures("no_network")
def test_socks_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "socksio"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.delitem(sys.modules, "tieline.transport.socks", raising=False)
    found = tieline.explain("ws://h/", proxy=f"socks5h://me:{SECRET}@10.0.0.1")
    assert [problem for problem in found.problems if "tieline[socks]" in problem]
    assert found.proxy is not None and found.proxy.request == ""
    assert SECRET not in str(found)


@pytest.mark.usefixtures("no_network")
def test_what_a_proxy_cannot_do() -> None:
    found = tieline.explain("ws://[fe80::1%25lo]/", proxy="http://10.0.0.1")
    assert [problem for problem in found.problems if "use proxy=None" in problem]
