"""Variables of the environment; settings as macOS and Windows would give them."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from tieline.transport.proxy_settings import is_any_there, system_settings, variable


@pytest.fixture
def environment(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "REQUEST_METHOD":
            monkeypatch.delenv(name)

    def set_(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, None),
        ({"https_proxy": "a"}, ("https_proxy", "a")),
        ({"HTTPS_PROXY": "a"}, ("HTTPS_PROXY", "a")),
        ({"https_proxy": "a", "HTTPS_PROXY": "b"}, ("https_proxy", "a")),
        ({"https_proxy": "", "HTTPS_PROXY": "b"}, None),
        ({"https_proxy": "  "}, None),
        ({"HTTPS_PROXY": " a "}, ("HTTPS_PROXY", "a")),
    ],
)
def test_variable(environment, variables, found):
    environment(**variables)
    assert variable("https_proxy") == found


def test_that_there_is_none_is_seen_at_once(environment, monkeypatch):
    names = ("https_proxy", "all_proxy")
    assert not is_any_there(names)
    environment(ALL_PROXY="")  # which hides nothing and is nothing, but that is for `variable`
    assert is_any_there(names)
    monkeypatch.delenv("ALL_PROXY")
    environment(https_proxy="a", http_proxy="b")
    assert is_any_there(names) and not is_any_there(("ws_proxy",))
    # Whatever somebody has put in its place is asked name by name.
    monkeypatch.setattr(os, "environ", {})
    assert is_any_there(names) and variable("https_proxy") is None


def test_its_repr_holds_no_password(environment):
    environment(https_proxy="http://u:hush@a:1")
    assert "hush" not in repr(variable("https_proxy"))


def test_http_proxy_of_a_cgi_program_may_be_the_clients(environment):
    environment(HTTP_PROXY="http://evil", HTTPS_PROXY="http://good", REQUEST_METHOD="GET")
    assert variable("http_proxy") is None
    assert variable("https_proxy") == ("HTTPS_PROXY", "http://good")
    environment(http_proxy="http://ours")
    assert variable("http_proxy") == ("http_proxy", "http://ours")


def test_nobody_can_tell_on_windows(environment, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    environment(http_proxy="http://a")
    assert variable("http_proxy") == ("http_proxy", "http://a")
    environment(REQUEST_METHOD="GET")
    assert variable("http_proxy") is None


def test_other_systems_have_none(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert system_settings() is None


@pytest.fixture
def macos(monkeypatch):
    def install(proxies, **settings):
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setitem(
            sys.modules,
            "_scproxy",
            SimpleNamespace(
                _get_proxies=lambda: proxies,
                _get_proxy_settings=lambda: {"exclude_simple": False, **settings},
            ),
        )
        return system_settings()

    return install


def test_macos(macos):
    found = macos(
        {
            "http": "http://web:1",
            "https": "http://web:2",
            "socks": "http://socks:3",
            "ftp": "http://ftp:4",
        },
        exceptions=("*.local", "169.254/16", "10", "172.16.5", "192.168.1.7", "example.com", None),
    )
    assert found.proxies == {
        "http": "http://web:1",
        "https": "http://web:2",
        "socks": "socks5h://socks:3",
    }
    listed = {
        host: found.exceptions.listing(host, 443) is not None
        for host in (
            "printer.local",
            "169.254.3.4",
            "10.9.8.7",
            "172.16.5.1",
            "172.16.6.1",
            "192.168.1.7",
            "192.168.1.8",
            "example.com",
            "www.example.com",
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "::1",
            "intranet",
        )
    }
    assert [host for host, is_listed in listed.items() if not is_listed] == [
        "172.16.6.1",
        "192.168.1.8",
        "www.example.com",
        "intranet",
    ]


def test_macos_names_without_a_dot(macos):
    found = macos({"http": "http://web:1"}, exclude_simple=True)
    assert found.exceptions.listing("intranet", 80)
    assert not found.exceptions.listing("www.example.com", 80)


def test_macos_without_proxies(macos):
    assert macos({}) is None
    assert macos({"ftp": "http://ftp:4"}) is None


class Registry:
    HKEY_CURRENT_USER = "the user"

    def __init__(self, values):
        self.values = values

    def OpenKey(self, root, path):
        assert root == "the user" and path.endswith("Internet Settings")
        if self.values is None:
            raise FileNotFoundError(2, "no such key")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_closed = True

    def QueryValueEx(self, key, name):
        if name not in self.values:
            raise FileNotFoundError(2, "no such value")
        return self.values[name], 1


@pytest.fixture
def windows(monkeypatch):
    def install(values):
        registry = Registry(values)
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setitem(sys.modules, "winreg", registry)
        found = system_settings()
        assert values is None or registry.is_closed
        return found

    return install


@pytest.mark.parametrize(
    ("server", "proxies"),
    [
        ("web:80", {"http": "http://web:80", "https": "http://web:80"}),
        ("https://web:80", {"http": "https://web:80", "https": "https://web:80"}),
        (
            "http=a:1;https=b:2;ftp=c:3;socks=d:4",
            {"http": "http://a:1", "https": "http://b:2", "socks": "socks4://d:4"},
        ),
        ("HTTPS=https://b:2 socks=socks5://d:4", {"https": "https://b:2", "socks": "socks5://d:4"}),
    ],
)
def test_windows(windows, server, proxies):
    assert windows({"ProxyEnable": 1, "ProxyServer": server}).proxies == proxies


@pytest.mark.parametrize(
    "values",
    [
        None,
        {},
        {"ProxyServer": "web:80"},
        {"ProxyEnable": 0, "ProxyServer": "web:80"},
        {"ProxyEnable": 1},
        {"ProxyEnable": 1, "ProxyServer": ";="},
        {"ProxyEnable": 1, "ProxyServer": "ftp=a:1"},
    ],
)
def test_windows_without_proxies(windows, values):
    assert windows(values) is None


def test_windows_exceptions(windows):
    override = "<local>; *.corp.example;192.168.*;http://10.0.0.1;;host:8080"
    found = windows({"ProxyEnable": 1, "ProxyServer": "web:80", "ProxyOverride": override})
    hosts = "intranet a.corp.example 192.168.4.5 10.0.0.1 localhost 127.0.0.1 ::1 corp.example host"
    listed = [host for host in hosts.split() if found.exceptions.listing(host, 443)]
    # "host" by <local>; on its own port by its own entry too.
    assert listed == [*hosts.split()[:7], "host"]
    assert found.exceptions.listing("10.0.0.2", 443) is None


def test_windows_can_be_told_not_to_spare_loopback(windows):
    found = windows(
        {"ProxyEnable": 1, "ProxyServer": "web:80", "ProxyOverride": "<-loopback>;a.example"}
    )
    assert found.exceptions.listing("127.0.0.1", 443) is None
    assert found.exceptions.listing("a.example", 443)
