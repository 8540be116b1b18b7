"""Addresses, sockets, schemes and TLS options are refused with what to do instead."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from tests.refusals import assert_silent
from tieline import route_checks as route
from tieline.errors import OptionError
from tieline.option_checks import Check


def refusal(accepts: Check, value: object) -> str:
    with pytest.raises(OptionError) as caught:
        accepts.apply("some_option", value)
    assert_silent(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "accepts, value, advice",
    [
        (route.proxy(), False, "Use None"),
        (route.host_and_port("an address"), "h:80", "Give a tuple such as"),
        (route.host_and_port("an address"), ("h", "80"), "The port is str ('80'), not int."),
        (route.host_and_port("an address"), ("h", True), "The port is bool (True), not int."),
        (route.host_and_port("an address"), (b"h", 80), "The host is bytes, not str."),
        (route.schemes(), {"x": {"port": "1"}}, "'x': its port is str ('1'), not int."),
        (route.host_and_port("an address"), ("h", 65536), "Port 65536 is out of range"),
        (route.schemes(), {"wss": {"port": 1}}, "`default_port`"),
        # Without 'ssl' it would be TLS switched off, by accident.
        (route.schemes(), {"https": {"port": 8443}}, "'https' is built in"),
        (route.schemes(), {"HTTPS": {"port": 8443, "ssl": True}}, "'HTTPS' is built in"),
        (route.schemes(), {"http": {"port": 80}}, "'http' is built in"),
        (route.schemes(), {"Ws": {"port": 80}}, "'Ws' is built in"),
        (route.schemes(), {"Http+Unix": {"port": 80}}, "'Http+Unix' is built in"),
        (route.host_and_port("an address"), ("x" * 300, 80), "not valid; expected a domain name"),
        (route.host_and_port("an address"), ("a b", 80), "not valid; expected a domain name"),
        (route.host_and_port("an address"), ("a\0b", 80), ""),
        (route.host_and_port("an address"), ("127.1", 80), "such as 127.0.0.1"),
        (route.host_and_port("an address"), ("h:80", 80), "for example [2001:db8::1]"),
        (route.host_and_port("an address"), ("[::1", 80), "for example [2001:db8::1]"),
        (route.host_and_port("an address"), ("::1%a b", 80), "zone"),
        (route.schemes(), {"feed": {"port": 1, "tls": True}}, "'feed' must hold 'port'"),
        (route.schemes(), {"feed": {"port": 70000}}, "1 to 65535"),
        (route.socket_options(), [(6, 1, True)], "Write 1 for True"),
        (route.family(), int(socket.AF_UNIX), "`unix_socket`"),
        (route.url_path(), "/a b", "Percent-encode"),
        (route.http_version(), "2", "RFC 8441"),
        (route.ssl_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "create_default_context"),
        (route.fingerprint(), "AB:CD", "openssl x509"),
        (route.reactor(), type("Reactor", (), {"is_tieline_reactor": True}), "give an instance"),
    ],
)
def test_a_refusal_says_what_to_do(accepts: Check, value: object, advice: str) -> None:
    assert advice in refusal(accepts, value)


@pytest.mark.parametrize("port", [1, 65535])
def test_ports_up_to_their_bounds(port: int) -> None:
    assert route.host_and_port("").apply("connect_to", ["::1", port]) == ("::1", port)


@pytest.mark.parametrize(
    ("host", "stored"),
    [
        ("Example.COM", "example.com"),
        ("b\xfccher.example", "xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("[::1]", "::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_hosts_are_stored_as_those_of_urls(host: str, stored: str) -> None:
    """They go to a proxy too, which must not be asked for anything else than is dialled."""
    assert route.host_and_port("").apply("connect_to", (host, 80)) == (stored, 80)


def test_port_zero_is_for_binding_only() -> None:
    assert route.host_and_port("", bind=True).apply("source_address", ("", 0)) == ("", 0)
    refusal(route.host_and_port(""), ("h", 0))
    refusal(route.host_and_port(""), ("", 1))


def test_an_object_is_a_reactor_only_when_it_says_so_itself() -> None:
    class Anything:
        def __getattr__(self, name: str) -> Any:
            return "yes"

    refusal(route.reactor(), Anything())


def test_a_context_for_clients_is_taken_as_it_is() -> None:
    context = ssl.create_default_context()
    assert route.ssl_context().apply("ssl_context", context) is context


@pytest.mark.parametrize("length", [31, 33])
def test_a_fingerprint_of_another_length_is_refused(length: int) -> None:
    assert route.fingerprint().apply("pin", bytes(32)) == "00" * 32
    refusal(route.fingerprint(), bytes(length))
    refusal(route.fingerprint(), "00" * length)
