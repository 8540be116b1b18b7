"""Names that are no options, and options that contradict each other, are explained."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.refusals import HEX, PEM, SECRET, URL, refusal
from tieline.auth import Basic
from tieline.errors import OptionError
from tieline.options import Options

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.mark.parametrize(
    "wrong, meant",
    [
        ("conect_timeout", "'connect_timeout'"),
        ("pingInterval", "'ping_interval'"),
        ("subprotocol", "'subprotocols'"),
        ("on_mesage", "'on_message'"),
    ],
)
def test_a_misspelt_name_is_recognised(wrong: str, meant: str) -> None:
    with pytest.raises(OptionError, match=f"no option {wrong!r}; did you mean.*{meant}"):
        Options.build(URL, {wrong: SECRET}, also_known=["on_message", "on_close"])


def test_every_unknown_name_is_named_and_none_in_full_length() -> None:
    text = refusal(URL, first_wrong=1, zzz=2, **{"x" * 1000: 3})
    assert "'first_wrong'" in text and "'zzz'" in text
    assert len(text) < 500


@pytest.mark.parametrize(
    "name", "additional_methods assume_encoding encoding encoding_passthru pre_encoded_urls "
    "encode_chars".split()
)  # fmt: skip
def test_options_about_http_bodies_say_that_there_is_none(name: str) -> None:
    assert "HTTP bodies and methods" in refusal({"url": URL, name: 1})


@pytest.mark.parametrize(
    "name, advice",
    [
        ("protocols", "`schemes`.*`subprotocols`"),
        ("redirect_passthru", r"HandshakeError.*\.response.*max_redirects=0"),
        ("error_passthru", r"HandshakeError.*\.response"),
        ("hdr", r"connect\(\).*`headers`"),
        ("version", "13"),
        ("protocol_version", "13"),
        ("extra_headers", "`headers`"),
        ("max_size", "`max_message_size`"),
        ("compress", "`compression`"),
        ("compression_options", r"`compression`.*Deflate\(...\)"),
        ("enable_compression", "`compression`"),
        ("per_message_deflate", "`compression`"),
        ("extensions", "`compression`"),
        ("verify", "`ssl_ca_path`.*`ssl_verify_cert`"),
        ("urls", "`url`.*list"),
        ("auto_reconnect", r"`reconnect`.*Reconnect\(...\)"),
        ("reconnect_interval", "`reconnect`"),
        ("max_retries", "`reconnect`"),
        ("backoff_factor", "`reconnect`"),
        ("heartbeat", "`ping_interval`.*`heartbeat_message`"),
        ("keepalive", "`ping_interval`"),
        ("max_enqueued_messages", "`offline`.*`offline_limit`"),
        ("resubscribe", r"subscribe\(\)"),
        ("on_connect", "`on_open`"),
        ("on_disconnect", "`on_close`"),
        ("on_data", "`on_message`"),
    ],
)
def test_names_of_other_clients_lead_to_ours(name: str, advice: str) -> None:
    assert re.search(advice, refusal(URL, **{name: 13}))


# --- what goes together


@pytest.mark.parametrize(
    "given, named",
    [
        ({"auth": ("a", SECRET), "username": "joe"}, ["auth", "username"]),
        ({"auth": Basic("a", SECRET), "token": SECRET}, ["auth", "token"]),
        ({"username": "joe", "token": SECRET}, ["username", "token"]),
        ({"password": SECRET}, ["password", "username"]),
        ({"password": SECRET, "token": SECRET}, ["password", "username"]),
        ({"token_type": "ApiKey"}, ["token_type", "token"]),
        ({"headers": {"AUTHORIZATION": SECRET}, "token": SECRET}, ["headers", "token"]),
        ({"headers": {"Cookie": SECRET}, "cookies": {"a": SECRET}}, ["headers", "cookies"]),
        ({"headers": {"Origin": "x"}, "origin": "y"}, ["headers", "origin"]),
        ({"headers": {"User-Agent": "x"}, "user_agent": ""}, ["headers", "user_agent"]),
        ({"ssl_ca_path": "a", "ssl_ca_data": PEM}, ["ssl_ca_path", "ssl_ca_data"]),
        ({"ssl_cert_path": "a", "ssl_cert_data": PEM}, ["ssl_cert_path", "ssl_cert_data"]),
        (
            {"ssl_cert_path": "a", "ssl_key_path": "b", "ssl_key_data": PEM},
            ["ssl_key_path", "ssl_key_data"],
        ),
        ({"ssl_key_path": "b"}, ["ssl_key_path", "ssl_cert_path"]),
        ({"ssl_key_data": PEM}, ["ssl_key_data", "ssl_cert_data"]),
        ({"ssl_key_password": SECRET}, ["ssl_key_password", "ssl_cert_path"]),
        ({"ssl_context": CONTEXT, "ssl_ca_path": "a"}, ["ssl_context", "ssl_ca_path"]),
        ({"ssl_context": CONTEXT, "ssl_verify_cert": False}, ["ssl_context", "ssl_verify_cert"]),
        ({"unix_socket": "a", "connect_to": ("h", 1)}, ["unix_socket", "connect_to"]),
        ({"unix_socket": "a", "source_address": ("", 0)}, ["unix_socket", "source_address"]),
        ({"heartbeat_message": SECRET}, ["heartbeat_message", "heartbeat_interval"]),
        ({"heartbeat_interval": 5}, ["heartbeat_message", "heartbeat_interval"]),
        ({"proxy_auth": ("a", SECRET), "proxy": None}, ["proxy_auth", "proxy=None"]),
        ({"proxy_auth": ("a", SECRET), "proxy": "socks5://h"}, ["proxy_auth", "SOCKS"]),
        (
            {"proxy_auth": ("a", SECRET), "proxy_headers": {"Proxy-Authorization": SECRET}},
            ["proxy_auth", "proxy_headers"],
        ),
        ({"headers": {"Cookie": SECRET}, "cookies": CookieJar()}, ["headers", "cookies"]),
        ({"unix_socket": "a", "proxy": f"http://u:{SECRET}@h"}, ["unix_socket", "proxy"]),
    ],
)
def test_contradictions_name_both_options(given: dict[str, Any], named: list[str]) -> None:
    text = refusal(URL, **given)
    for name in named:
        assert name in text


def test_what_does_go_together() -> None:
    Options(url=URL, username="joe", password=SECRET)
    Options(url=URL, token=SECRET, token_type="ApiKey")
    Options(url=URL, ssl_context=CONTEXT, ssl_fingerprint=HEX, server_hostname="h")
    Options(url=URL, ssl_cert_path="a", ssl_key_path="b", ssl_key_password=SECRET)
    Options(url=URL, ssl_cert_data=PEM, ssl_key_data=b"0\x82", ssl_key_password=b"pw")
    Options(url=URL, headers=(("Origin", "x"), ("User-Agent", "y"), ("Authorization", "z")))
    Options(url=URL, unix_socket="a", proxy=True)
    Options(url=URL, heartbeat_message=b"", heartbeat_interval=1)
    Options(url=URL, heartbeat_message=None, heartbeat_interval=None)
    # A call of reconnect() by hand is an outage too.
    Options(url=URL, offline="queue")


def test_a_socket_is_kept_and_excludes_other_ways() -> None:
    with socket.socket() as sock:
        assert Options(url=URL, sock=sock).sock is sock
        assert "'sock'" in refusal(URL, sock=sock, unix_socket="a")
        assert "'sock'" in refusal(URL, sock=sock, source_address=("", 0))
        assert "'sock'" in refusal(URL, sock=sock, proxy="http://h")
        assert "'reconnect'" in refusal(URL, sock=sock, reconnect=True)
        assert "'url'" in refusal([URL, URL], sock=sock)
        assert Options.build([URL], {"sock": sock, "reconnect": False}).sock is sock


def test_streams_and_an_event_loop() -> None:
    """A handler that waits for the rest of its message would hold up the loop."""
    loop = asyncio.new_event_loop()
    try:
        text = refusal(URL, streaming=True, executor=loop)
        assert "'streaming'" in text and "recv_stream()" in text
        Options.build(URL, {"executor": loop})
    finally:
        loop.close()
    Options.build(URL, {"streaming": True, "executor": lambda function: None})
