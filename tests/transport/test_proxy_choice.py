"""Which proxy, and the reason that people are told."""

from __future__ import annotations

import os

import pytest

from tieline.errors import OptionError
from tieline.transport import proxy_choice as proxy_choice_module
from tieline.transport.no_proxy import NoProxy
from tieline.transport.proxy_choice import choose_proxy
from tieline.transport.proxy_settings import SystemSettings


@pytest.fixture
def environment(monkeypatch):
    """Sets these variables and no other that would name a proxy."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "REQUEST_METHOD":
            monkeypatch.delenv(name)
    monkeypatch.setattr(proxy_choice_module, "system_settings", lambda: None)

    def set_(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_


def choose(option=True, *, secure=True, host="example.com", port=443, **more):
    return choose_proxy(option, secure=secure, host=host, port=port, **more)


def test_none(environment):
    environment(https_proxy="http://a:1")
    assert choose(None) == (None, "none: proxy=None")


def test_a_url():
    proxy, reason = choose("http://u:hush@a:1", headers=(("X-Team", "blue"),))
    assert (proxy.host, proxy.headers) == ("a", (("X-Team", "blue"),))
    assert reason == "the proxy option"


@pytest.mark.parametrize("option", ["http://a:1", True])
def test_something_that_leaves_no_room_for_a_proxy(environment, option):
    environment(https_proxy="http://a:1")
    assert choose(option, bypass="sock is given") == (None, "none: sock is given")


@pytest.mark.parametrize("option", [False, 3, b"http://a:1"])
def test_something_else(option):
    with pytest.raises(OptionError, match="proxy: expected True, None or a URL"):
        choose(option)


@pytest.mark.parametrize(
    ("secure", "names"), [(True, "wss_proxy https_proxy all_proxy"), (False, "ws_proxy http_proxy")]
)
def test_an_empty_environment(environment, secure, names):
    proxy, reason = choose(secure=secure)
    assert proxy is None and reason.startswith("none: the environment has none of " + names)


@pytest.mark.parametrize(
    ("variables", "secure", "host", "reason"),
    [
        ({"https_proxy": "http://a:1", "all_proxy": "http://b:1"}, True, "a", "https_proxy"),
        ({"HTTPS_PROXY": "http://a:1"}, True, "a", "HTTPS_PROXY"),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, True, "a", "https_proxy"),
        ({"https_proxy": "http://a:1", "wss_proxy": "http://b:1"}, True, "b", "wss_proxy"),
        ({"https_proxy": "http://a:1", "http_proxy": "http://b:1"}, False, "b", "http_proxy"),
        ({"http_proxy": "http://a:1", "ws_proxy": "http://b:1"}, False, "b", "ws_proxy"),
        (
            {"https_proxy": "", "HTTPS_PROXY": "http://a:1", "all_proxy": "b"},
            True,
            "b",
            "all_proxy",
        ),
        ({"all_proxy": "a:1"}, True, "a", "all_proxy"),
        ({"ALL_PROXY": "a:1"}, False, "a", "ALL_PROXY"),
    ],
)
def test_which_variable_counts(environment, variables, secure, host, reason):
    environment(**variables)
    proxy, why = choose(secure=secure)
    assert (proxy.host, why) == (host, f"{reason} in the environment")


@pytest.mark.parametrize(
    ("variables", "secure", "reason"),
    [
        ({"http_proxy": "http://a:1"}, True, "http_proxy in the environment is not for wss://"),
        ({"HTTPS_PROXY": "http://a:1"}, False, "HTTPS_PROXY in the environment is not for ws://"),
    ],
)
def test_a_variable_for_something_else(environment, variables, secure, reason):
    environment(**variables)
    assert choose(secure=secure) == (None, f"none: {reason}")


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("socks://a:1", "socks5h"),
        ("socks5://a:1", "socks5"),
        ("socks5h://a:1", "socks5h"),
        ("socks4://a:1", "socks4"),
        ("https://a:1", "https"),
    ],
)
def test_all_proxy_may_be_of_any_kind(environment, url, scheme):
    environment(all_proxy=url)
    assert choose().proxy.scheme == scheme


def test_no_proxy(environment):
    environment(https_proxy="http://a:1", no_proxy="other.example .Example.com:443")
    assert choose() == (None, "none: no_proxy lists '.Example.com:443'")
    assert choose(port=444).proxy.host == "a"
    environment(no_proxy="")
    assert choose().proxy.host == "a"


def test_no_proxy_in_upper_case(environment):
    environment(https_proxy="http://a:1", NO_PROXY="*")
    assert choose() == (None, "none: NO_PROXY lists '*'")
    environment(no_proxy="other.example")
    assert choose().proxy.host == "a"


def test_no_proxy_does_not_touch_a_url(environment):
    environment(no_proxy="*")
    assert choose("http://a:1").proxy.host == "a"


def test_an_address_on_this_machines_link(environment):
    environment(https_proxy="http://a:1")
    assert choose(host="fe80::1%eth0") == (
        None,
        "none: 'fe80::1%eth0' is on a link of this machine",
    )


def test_cgi(environment):
    environment(HTTP_PROXY="http://evil:1", REQUEST_METHOD="GET")
    proxy, reason = choose(secure=False)
    assert proxy is None and "HTTP_PROXY is not trusted in a CGI program" in reason


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("all_proxy", "ftp://u:hush@a:1", "unknown scheme"),
        ("HTTPS_PROXY", "http://u:hush@a:port", "the port is not valid"),
        ("https_proxy", "socks4://u:hush@a", "SOCKS4 has a user id"),
        ("wss_proxy", "http://u:hush@", "the host is missing"),
    ],
)
def test_errors_name_the_variable(environment, name, value, reason):
    environment(**{name: value})
    with pytest.raises(OptionError, match=f"^{name} in the environment: .*{reason}") as caught:
        choose()
    assert "hush" not in str(caught.value)


def test_headers_for_a_socks_proxy_of_the_environment(environment):
    environment(all_proxy="socks5://a:1")
    with pytest.raises(
        OptionError, match="^all_proxy in the environment: proxy_headers: only HTTP"
    ):
        choose(headers=(("X-Team", "blue"),))


# The system


@pytest.fixture
def system(environment, monkeypatch):
    def install(exceptions=(), **proxies):
        settings = SystemSettings(proxies, NoProxy(exceptions))
        monkeypatch.setattr(proxy_choice_module, "system_settings", lambda: settings)

    return install


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize(
    ("proxies", "kind"),
    [
        ({"http": "http://a:1", "https": "http://b:1", "socks": "socks5h://c:1"}, "socks"),
        ({"http": "http://a:1", "https": "http://b:1"}, "https"),
        ({"http": "http://a:1"}, "http"),
    ],
)
def test_settings_of_the_system(system, secure, proxies, kind):
    system(**proxies)
    proxy, reason = choose(secure=secure)
    assert f"{proxy.scheme}://{proxy.name}" == proxies[kind]
    assert reason == f"the system's proxy settings ({kind})"


def test_exceptions_of_the_system(system, environment):
    system(["*.local"], https="http://a:1")
    assert choose(host="printer.local") == (
        None,
        "none: the system's proxy settings make an exception of '*.local'",
    )
    environment(no_proxy="example.com")
    assert choose() == (None, "none: no_proxy lists 'example.com'")


def test_the_environment_goes_before_the_system(system, environment):
    system(https="http://a:1")
    environment(https_proxy="http://b:1")
    assert choose().proxy.host == "b"
    assert choose(secure=False).proxy is None


def test_a_broken_setting_of_the_system(system):
    system(https="http://a:none")
    with pytest.raises(OptionError, match=r"^the system's proxy settings \(https\): proxy"):
        choose()
    system()
    assert choose().reason == "none: the system's proxy settings name none for this"
