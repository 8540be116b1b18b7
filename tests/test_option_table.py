"""Every option takes what it promises, and refuses the rest by name and type."""

from __future__ import annotations

import json
import logging
import pathlib
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.refusals import HEX, PEM, URL, Stranger
from tieline.auth import Basic, Bearer, Digest
from tieline.compression import Deflate
from tieline.errors import OptionError
from tieline.options import Options
from tieline.reconnect import Reconnect

NAMES = [entry.name for entry in fields(Options)]
BOOLEANS = {
    "cross_origin_redirects",
    "ssl_verify_cert",
    "decode_text",
    "frame_events",
    "close_on_callback_error",
    "streaming",
}
SECONDS = {"connect_timeout", "timeout", "close_timeout", "ping_interval", "ping_timeout"}
SECONDS |= {"slow_callback", "slow_send", "heartbeat_interval", "offline_max_age"}
RATES = {"low_throughput"}
COUNTS = {"max_redirects", "default_port", "max_message_size", "max_fragments", "max_queue"}
COUNTS |= {"write_limit", "max_head_size", "max_header_count", "max_error_body"}
MAY_BE_NONE = {"ping_interval", "slow_callback", "slow_send", "low_throughput", "default_port"}
MAY_BE_NONE |= {"max_message_size", "max_fragments", "heartbeat_interval", "offline_max_age"}
MAY_BE_ZERO = {"max_redirects", "max_error_body"}


class StepReactor:
    is_tieline_reactor = True


def give_url() -> str:
    return URL


async def give_nothing() -> None: ...


def give_headers() -> dict[str, str]:
    return {"X-Given": "now"}


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
LOGGER = logging.getLogger("tieline.tests")
ADAPTER = logging.LoggerAdapter(LOGGER, {})
REACTOR = StepReactor()
POOL = ThreadPoolExecutor(1)  # has no thread until something is submitted
BASIC = Basic("joe", "pw")
DIGEST = Digest("joe", "pw")
JAR = CookieJar()


def give_auth(url: str) -> Basic:
    return BASIC


def give_answer(url: str, challenges: object) -> Digest:
    return DIGEST


async def wait_for_auth(url: str) -> Basic:
    return BASIC


# Option -> another one that it needs beside it.
BESIDE: dict[str, dict[str, Any]] = {
    "heartbeat_message": {"heartbeat_interval": 1},
    "heartbeat_interval": {"heartbeat_message": "ping"},
}
# Option -> (given, stored) pairs.
ACCEPTED: dict[str, list[tuple[Any, Any]]] = {
    "url": [
        ("ws://h", "ws://h"),
        (give_url, give_url),
        (["ws://a", "ws://b"], ("ws://a", "ws://b")),
        (("ws://a", give_url), ("ws://a", give_url)),
        (["ws://a"], ("ws://a",)),
    ],
    "headers": [
        (None, ()),
        ({}, ()),
        ({"X-A": "1", "X-B": ["2", "3"]}, (("X-A", "1"), ("X-B", "2"), ("X-B", "3"))),
        ([("X-A", "1"), ["x-a", "2"]], (("X-A", "1"), ("x-a", "2"))),
        (iter([("X-A", "1")]), (("X-A", "1"),)),
        (
            {"Host": "other.example", "Cookie": "a=b"},
            (("Host", "other.example"), ("Cookie", "a=b")),
        ),
        (give_headers, give_headers),
    ],
    "subprotocols": [(None, ()), ([], ()), (["mqtt", "v12.stomp"], ("mqtt", "v12.stomp"))],
    "origin": [(None, None), ("https://example.com", "https://example.com"), ("null", "null")],
    "user_agent": [(None, None), ("", ""), ("probe/1.0", "probe/1.0")],
    "cookies": [
        (None, ()),
        ({"a": "1", "b": '"x y"'}, (("a", "1"), ("b", '"x y"'))),
        (JAR, JAR),
    ],
    "auth": [
        (None, None),
        (("joe", "pw"), BASIC),
        (["joe", "pw"], BASIC),
        (BASIC, BASIC),
        (Bearer("t"), Bearer("t")),
        (DIGEST, DIGEST),
        (give_auth, give_auth),
        (give_answer, give_answer),
    ],
    "username": [(None, None), ("joe", "joe"), ("", "")],
    "password": [(None, None)],
    "token": [(None, None), ("abc", "abc")],
    "token_type": [("Bearer", "Bearer")],
    "netrc": [
        (False, False),
        (True, True),
        ("~/.netrc", "~/.netrc"),
        (pathlib.PurePosixPath("a"), "a"),
    ],
    "max_redirects": [(0, 0), (20, 20)],
    "proxy": [(True, True), (None, None), ("http://u:p@proxy:3128", "http://u:p@proxy:3128")],
    "proxy_headers": [(None, ()), ({"Proxy-Authorization": "x"}, (("Proxy-Authorization", "x"),))],
    "proxy_auth": [
        (None, None),
        (("joe", "pw"), BASIC),
        (DIGEST, DIGEST),
        (give_auth, give_auth),
    ],
    "connect_to": [
        (None, None),
        (("127.0.0.1", 1), ("127.0.0.1", 1)),
        (["::1", 65535], ("::1", 65535)),
        (("fa\xdf.example", 80), ("xn--fa-hia.example", 80)),
    ],
    "unix_socket": [
        (None, None),
        ("/run/a.sock", "/run/a.sock"),
        (pathlib.PurePosixPath("a"), "a"),
    ],
    "sock": [(None, None)],
    "source_address": [(None, None), (("", 0), ("", 0)), (("10.0.0.1", 5), ("10.0.0.1", 5))],
    "socket_options": [
        (None, ()),
        ([(6, 1, 1), [1, 2, b"\0"]], ((6, 1, 1), (1, 2, b"\0"))),
    ],
    "family": [
        (None, 0),
        (0, 0),
        ("ipv4", socket.AF_INET),
        ("IPv6", socket.AF_INET6),
        (socket.AF_INET6, socket.AF_INET6),
    ],
    "schemes": [
        (None, None),
        (
            {"Feed": {"port": 8080}, "feeds": {"port": 8443, "ssl": True}},
            {"feed": {"port": 8080, "ssl": False}, "feeds": {"port": 8443, "ssl": True}},
        ),
    ],
    "default_port": [(None, None), (1, 1), (65535, 65535)],
    "default_path": [("/", "/"), ("/a?b=c", "/a?b=c")],
    "http_version": [("1.1", "1.1")],
    "ssl_context": [(None, None), (CONTEXT, CONTEXT)],
    "cross_origin_redirects": [(False, False)],
    "ssl_verify_cert": [(False, False)],
    "ssl_ca_path": [(None, None), ("ca.pem", "ca.pem"), (pathlib.PurePosixPath("/ca"), "/ca")],
    "ssl_ca_data": [(None, None), (PEM, PEM), (PEM.encode(), PEM), (bytearray(b"0\x82"), b"0\x82")],
    "ssl_cert_path": [(None, None), ("cert.pem", "cert.pem")],
    "ssl_cert_data": [(None, None), (PEM, PEM), (b"0\x82", b"0\x82")],
    "ssl_key_path": [(None, None)],
    "ssl_key_data": [(None, None)],
    "ssl_key_password": [(None, None)],
    "server_hostname": [
        (None, None),
        ("other.example", "other.example"),
        ("fa\xdf.example", "xn--fa-hia.example"),
    ],
    "ssl_fingerprint": [
        (None, None),
        (HEX, HEX),
        (HEX.upper(), HEX),
        (bytes.fromhex(HEX), HEX),
        ("sha256 Fingerprint=" + ":".join(re.findall("..", HEX.upper())), HEX),
        ("SHA256:" + HEX, HEX),
        ([HEX.upper(), bytes(32)], (HEX, "00" * 32)),
    ],
    "connect_timeout": [(1, 1.0), (0.001, 0.001), (24 * 86400, 2_073_600.0)],
    "timeout": [(1, 1.0)],
    "close_timeout": [(1, 1.0)],
    "ping_interval": [(None, None), (1, 1.0)],
    "ping_timeout": [(1, 1.0)],
    "max_message_size": [(None, None), (1, 1), (2**63 - 1, 2**63 - 1)],
    "max_fragments": [(None, None), (1, 1)],
    "max_queue": [(1, 1)],
    "write_limit": [(1, 1)],
    "max_head_size": [(1, 1)],
    "max_header_count": [(1, 1)],
    "max_error_body": [(0, 0)],
    "compression": [
        (None, None),
        ("deflate", "deflate"),
        (Deflate(), Deflate()),
        (Deflate(level=9), Deflate(level=9)),
    ],
    "heartbeat_message": [
        ("ping", "ping"),
        ("", ""),
        (b"\0", b"\0"),
        (bytearray(b"a"), b"a"),
        (memoryview(b"a"), b"a"),
        (give_url, give_url),
    ],
    "heartbeat_interval": [(5, 5.0)],
    "reconnect": [
        (False, None),
        (None, None),
        (True, Reconnect()),
        (Reconnect(initial=2), Reconnect(initial=2.0)),
    ],
    "offline": [("raise", "raise"), ("queue", "queue")],
    "offline_limit": [(1, (1, 1024)), ((5, 7), (5, 7)), ([2**40, 1], (2**40, 1))],
    "offline_max_age": [(None, None), (60, 60.0)],
    "offline_overflow": [(each, each) for each in ("raise", "drop_oldest", "drop_newest")],
    "reactor": [(None, None), (REACTOR, REACTOR)],
    "executor": [(None, None), (POOL, POOL), (give_url, give_url)],
    "logger": [(None, None), (LOGGER, LOGGER), (ADAPTER, ADAPTER)],
    "json_dumps": [(repr, repr)],
    "json_loads": [(eval, eval)],
    "decode_text": [(False, False)],
    "streaming": [(True, True)],
    "slow_callback": [(None, None), (0.1, 0.1)],
    "slow_send": [(None, None), (0.1, 0.1)],
    "low_throughput": [(None, None), (1000, 1000.0)],
    "frame_events": [(True, True)],
    "close_on_callback_error": [(True, True)],
}

# Option -> values refused, besides those that the kind of option (a count, seconds...) refuses.
REFUSED: dict[str, list[Any]] = {
    "url": ["", b"ws://h", 7, "ws://h\n", str, [], {"ws://a"}, ["ws://a", 7], ["ws://a", ""]],
    "headers": [7, "X: y", b"X: y", ["X: y"], ["ab"], [("X", "y", "z")], {"X": 1}, {1: "x"}],
    "subprotocols": ["chat", b"chat", [1], ["a b"], [""], ["a", "a"], 7],
    "origin": ["", 7, b"o", "a\r\nb"],
    "user_agent": [7, b"a", "a\r\nb"],
    "cookies": [7, "a=b", {"a": 1}, {"a b": "c"}, {"a": "b;c"}, {"a": "b\r\n"}, {1: "a"}, ["a"]]
    + [CookieJar],
    "auth": ["joe:pw", 7, ("joe",), ("a", "b", "c"), Basic, Digest, give_url, wait_for_auth],
    "username": [7, b"joe"],
    "password": [7, b"pw", ("pw",)],
    "token": [7, b"t"],
    "token_type": ["", "a b", None, 7],
    "netrc": [None, 0, "", b"a", "a\0b"],
    "proxy": [False, "", 7, b"http://h", {"http": "h"}],
    "proxy_headers": [7, "X: y", give_headers],
    "proxy_auth": ["joe:pw", 7, ("joe",), Basic, give_url],
    "connect_to": [
        "h:80",
        ("\u2764.example", 80),
        ("h",),
        ("h", "80"),
        ("h", 0),
        ("h", 65536),
        ("", 80),
        (1, 80),
        ("h", True),
    ],
    "unix_socket": ["", 7, "a\0b", b"/run/a"],
    "sock": [7, "sock", socket.socket],
    "source_address": ["10.0.0.1", ("10.0.0.1",), ("10.0.0.1", -1), (None, 0)],
    "socket_options": [7, (6, 1, 1), [(6, 1)], [(6, 1, True)], [(6, 1, "x")], [("a", 1, 1)]],
    "family": ["ipv5", 4, True, False, socket.AF_UNIX, 2.0],
    "schemes": [
        "feed",
        ["feed"],
        {"feed": 80},
        {"feed": {}},
        {"feed": {"port": "80"}},
        {"feed": {"port": 0}},
        {"feed": {"port": 80, "ssl": 1}},
        {"feed": {"port": 80, "tls": True}},
        {"1feed": {"port": 80}},
        {"wss": {"port": 80}},
        {"feed+unix": {"port": 80}},
        {7: {"port": 80}},
    ],
    "default_port": [65536],
    "default_path": ["", "feed", "/a b", "/a#b", "/a\n", None, b"/"],
    "http_version": ["1.0", "2", 1.1, None],
    "ssl_context": [True, "tls", ssl.SSLContext, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)],
    "ssl_ca_path": ["", 7, b"ca.pem", PEM, "a\0"],
    "ssl_ca_data": ["", b"", "ca.pem", 7],
    "ssl_cert_path": ["", 7, True, PEM],
    "ssl_cert_data": ["", b"", "cert.pem", 7],
    "ssl_key_path": ["", 7, True, PEM],
    "ssl_key_data": ["", b"", "key.pem", 7],
    "ssl_key_password": [7, ["pw"]],
    "server_hostname": ["", 7, b"h", "a\n", "\u2764.example"],
    "ssl_fingerprint": ["", [], [HEX, "short"], HEX[:-1], HEX + "0", "g" * 64, b"short", 7],
    "compression": [True, False, 0, 15, "", "gzip", "permessage-deflate", b"deflate", Deflate, {}],
    "heartbeat_message": [7, True, {"op": "ping"}, ["ping"], "\ud800", give_nothing, str],
    "heartbeat_interval": [],
    "reconnect": [0, 5, 1.5, "yes", {"initial": 1}, Reconnect, give_url],
    "offline": [True, None, "", "drop", b"queue", 1],
    "offline_limit": [0, -1, None, True, 1.5, "1", (1,), (1, 0), (1, 2, 3), (1, None), 2**70, ()],
    "offline_overflow": [True, None, "drop", b"raise", ""],
    "reactor": [7, True, threading.Thread, StepReactor],
    "executor": [7, "thread", ThreadPoolExecutor],
    "logger": [7, "tieline", logging, logging.Logger],
    "json_dumps": [None, 7, "json"],
    "json_loads": [None, 7, "json"],
}
for kind in (BOOLEANS, SECONDS, RATES, COUNTS):
    for kind_name in kind:
        REFUSED.setdefault(kind_name, [])


def refused_of(name: str) -> list[Any]:
    values = [Stranger(), [Stranger()], 1j, *REFUSED[name]]
    if name in BOOLEANS:
        return [*values, None, 0, 1, "yes", b"", 1.0]
    if name in SECONDS | RATES | COUNTS:
        values += [True, False, -1, "5", b"5", 2**70, 10**5000, [5], float("nan"), float("inf")]
        values += [] if name in MAY_BE_ZERO else [0]
        values += [] if name in MAY_BE_NONE else [None]
        values += [-0.5, 0.0] if name in SECONDS | RATES else [1.5]
    return values


def test_the_tables_of_this_file_know_every_option() -> None:
    assert sorted(ACCEPTED) == sorted(REFUSED) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_accepted_is_stored_in_one_form(name: str) -> None:
    for given, stored in ACCEPTED[name]:
        options = Options.build(None, {"url": URL, **BESIDE.get(name, {}), name: given})
        assert getattr(options, name) == stored, given
        assert type(getattr(options, name)) is type(stored) or name in ("schemes", "family")


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_form_is_accepted_again(name: str) -> None:
    for given, stored in ACCEPTED[name]:
        if hasattr(given, "__next__"):  # used up by the test above
            continue
        options = Options.build(None, {"url": URL, **BESIDE.get(name, {}), name: given})
        for again in (options.replace(), Options.build(options)):
            assert again == options
            assert getattr(again, name) == stored


@pytest.mark.parametrize("name", NAMES)
def test_what_is_refused_names_the_option_and_the_type(name: str) -> None:
    for wrong in refused_of(name):
        with pytest.raises(OptionError) as caught:
            Options.build(None, {"url": URL, name: wrong})
        text = str(caught.value)
        assert f"option {name!r}" in text
        assert type(wrong).__name__ in text or _inner_type(wrong) in text, text
        assert len(text) < 500


def _inner_type(value: Any) -> str:
    """Errors about a part of a header or of a pair name the part's type."""
    while isinstance(value, Mapping | list | tuple) and value:
        value = next(iter(value.values())) if isinstance(value, Mapping) else value[-1]
    return type(value).__name__


def test_defaults_are_the_promised_ones() -> None:
    options = Options(url=URL)
    promised = {
        "max_redirects": 5,
        "cross_origin_redirects": True,
        "proxy": True,
        "token_type": "Bearer",
        "http_version": "1.1",
        "ssl_verify_cert": True,
        "connect_timeout": 30,
        "timeout": 15,
        "close_timeout": 10,
        "ping_interval": 20,
        "ping_timeout": 20,
        "max_message_size": 64 * 1024 * 1024,
        "max_fragments": 131072,
        "max_queue": 1024,
        "write_limit": 64 * 1024,
        "max_head_size": 64 * 1024,
        "max_header_count": 256,
        "max_error_body": 64 * 1024,
        "compression": "deflate",
        "offline": "raise",
        "offline_limit": (1024 * 1024, 1024),
        "offline_overflow": "raise",
        "netrc": False,
        "decode_text": True,
        "streaming": False,
        "json_dumps": json.dumps,
        "json_loads": json.loads,
        "frame_events": False,
        "close_on_callback_error": False,
        "headers": (),
        "subprotocols": (),
        "cookies": (),
        "proxy_headers": (),
        "socket_options": (),
        "family": 0,
        "default_path": "/",
    }
    for name in NAMES:
        if name != "url":
            assert getattr(options, name) == promised.get(name), name
