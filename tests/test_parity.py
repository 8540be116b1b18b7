"""The table of docs/parity.md → every cell of it proved, and the page compared with the code."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import socket
import ssl
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

import tieline
from tests import parity_table
from tests.parity_table import (
    AWAIT,
    FRONTS,
    INSTEAD,
    NOTES,
    PAGE,
    REFUSED,
    SYNTAX,
    YES,
    handler_names,
    method_cell,
    method_names,
    option_cell,
    option_names,
)
from tests.refusals import HEX, PEM
from tieline import OptionError

# --- a valid value of every option, with the options that it needs beside it

SAMPLES: dict[str, dict[str, Any]] = {
    "headers": {"headers": {"X-A": "1"}},
    "subprotocols": {"subprotocols": ["chat"]},
    "origin": {"origin": "https://example.com"},
    "user_agent": {"user_agent": "me/1"},
    "cookies": {"cookies": {"a": "b"}},
    "auth": {"auth": ("me", "it")},
    "username": {"username": "me"},
    "password": {"username": "me", "password": "it"},
    "token": {"token": "x"},
    "token_type": {"token": "x", "token_type": "Token"},
    "netrc": {"netrc": True},
    "max_redirects": {"max_redirects": 0},
    "cross_origin_redirects": {"cross_origin_redirects": False},
    "proxy": {"proxy": None},
    "proxy_headers": {"proxy_headers": {"X-A": "1"}},
    "proxy_auth": {"proxy_auth": ("me", "it")},
    "connect_to": {"connect_to": ("127.0.0.1", 9)},
    "unix_socket": {"unix_socket": "/run/feed.sock"},
    "source_address": {"source_address": ("127.0.0.1", 0)},
    "socket_options": {
        "socket_options": [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    },
    "family": {"family": socket.AF_INET},
    "schemes": {"schemes": {"feed": {"port": 80}}},
    "default_port": {"default_port": 8080},
    "default_path": {"default_path": "/feed"},
    "http_version": {"http_version": "1.1"},
    "ssl_context": {"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
    "ssl_verify_cert": {"ssl_verify_cert": False},
    "ssl_ca_path": {"ssl_ca_path": "ca.pem"},
    "ssl_ca_data": {"ssl_ca_data": PEM},
    "ssl_cert_path": {"ssl_cert_path": "client.crt"},
    "ssl_cert_data": {"ssl_cert_data": PEM},
    "ssl_key_path": {"ssl_cert_path": "client.crt", "ssl_key_path": "client.key"},
    "ssl_key_data": {"ssl_cert_path": "client.crt", "ssl_key_data": PEM},
    "ssl_key_password": {"ssl_cert_path": "client.crt", "ssl_key_password": "x"},
    "server_hostname": {"server_hostname": "other.example"},
    "ssl_fingerprint": {"ssl_fingerprint": HEX},
    "connect_timeout": {"connect_timeout": 5},
    "timeout": {"timeout": 5},
    "close_timeout": {"close_timeout": 5},
    "ping_interval": {"ping_interval": None},
    "ping_timeout": {"ping_timeout": 5},
    "heartbeat_message": {"heartbeat_message": "ping", "heartbeat_interval": 5},
    "heartbeat_interval": {"heartbeat_message": lambda: None, "heartbeat_interval": 5},
    "max_message_size": {"max_message_size": None},
    "max_fragments": {"max_fragments": None},
    "max_queue": {"max_queue": 1},
    "write_limit": {"write_limit": 1},
    "max_head_size": {"max_head_size": 1000},
    "max_header_count": {"max_header_count": 10},
    "max_error_body": {"max_error_body": 0},
    "compression": {"compression": "deflate"},
    "reconnect": {"reconnect": tieline.Reconnect(initial=1)},
    "offline": {"offline": "queue"},
    "offline_limit": {"offline_limit": (1000, 10)},
    "offline_max_age": {"offline_max_age": 60},
    "offline_overflow": {"offline_overflow": "drop_oldest"},
    "reactor": {"reactor": tieline.Reactor()},
    "executor": {"executor": lambda function: function()},
    "logger": {"logger": logging.getLogger("tieline.tests")},
    "json_dumps": {"json_dumps": str},
    "json_loads": {"json_loads": str},
    "streaming": {"streaming": True},
    "decode_text": {"decode_text": False},
    "slow_callback": {"slow_callback": 1},
    "slow_send": {"slow_send": 1},
    "low_throughput": {"low_throughput": 1},
    "frame_events": {"frame_events": True},
    "close_on_callback_error": {"close_on_callback_error": True},
}


class Asked(Exception):
    """The URL was asked for, so all options had been accepted."""


def _url() -> NoReturn:
    raise Asked


def _as_client(options: dict[str, Any]) -> None:
    if not set(options) & set(handler_names()):
        options["callback"] = print
    tieline.WebSocketClient({"url": _url, **options}).connect()


def _as_connection(options: dict[str, Any]) -> None:
    tieline.connect({"url": _url, **options})


def _as_awaitable(options: dict[str, Any]) -> None:
    async def open_connection() -> None:
        await tieline.aio.connect({"url": _url, **options})

    asyncio.run(open_connection())


MAKERS: dict[str, Callable[[dict[str, Any]], None]] = {
    "callback": _as_client,
    "plain": _as_connection,
    "asyncio": _as_awaitable,
}


def assert_accepted(front: str, options: dict[str, Any]) -> None:
    with pytest.raises(Asked):
        MAKERS[front](dict(options))


def assert_refused(front: str, name: str, options: dict[str, Any]) -> str:
    with pytest.raises(OptionError, match=rf"\b{name}\b") as refused:
        MAKERS[front](dict(options))
    return str(refused.value)


# --- options and handlers


def samples_of(name: str) -> dict[str, Any]:
    if name in handler_names():
        return {name: print}
    assert name in SAMPLES, f"give a valid value of option {name!r} in {__name__}.SAMPLES"
    return SAMPLES[name]


@pytest.mark.parametrize("front", FRONTS)
def test_options_and_handlers(front: str) -> None:
    """Accepted where the cell says so, and refused by name where it does not."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for name in [*handler_names(), *option_names()]:
            cell = option_cell(name, front)
            if name == "url":
                assert_accepted(front, {})
                continue
            options = {"sock": ours} if name == "sock" else samples_of(name)
            if cell.startswith("no: "):
                assert_refused(front, name, options)
            else:
                assert_accepted(front, options)


def test_what_the_table_declares_is_there() -> None:
    """No note or refusal of something that has gone, and none that another one hides."""
    known = {*handler_names(), *option_names()}
    assert set(REFUSED) | set(NOTES) <= known
    assert {front for cells in (REFUSED | NOTES).values() for front in cells} <= set(FRONTS)
    for name, cells in NOTES.items():
        assert not set(cells) & set(REFUSED.get(name, {}))


# --- methods and attributes


@pytest.mark.parametrize("front", FRONTS)
def test_methods(front: str) -> None:
    """What is said to be there is there, and what is named instead is there too."""
    kind = FRONTS[front]
    for name in method_names():
        cell = method_cell(name, front)
        if name in SYNTAX:
            method = SYNTAX[name][front][0]
            assert not method or callable(getattr(kind, method))
        elif cell in (YES, AWAIT):
            assert name not in INSTEAD or front not in INSTEAD[name], f"{front} has {name} now"
            member = getattr(kind, name, None)
            assert inspect.iscoroutinefunction(member) == (cell == AWAIT)
            if member is not None:
                assert inspect.getdoc(member), f"{front}: {name} has no docstring"
        for awaited, module, instead in re.findall(
            r"(await )?(tieline\.(?:aio\.)?)?(\w+)\(\)", cell
        ):
            if module or instead == "connect":
                assert callable(getattr(tieline.aio if "aio" in module else tieline, instead))
            elif name not in SYNTAX:
                assert inspect.iscoroutinefunction(getattr(kind, instead)) == bool(awaited)


def test_methods_that_are_named_instead_of_something_unknown() -> None:
    assert set(INSTEAD) <= set(method_names())


def test_the_same_methods_take_the_same_arguments() -> None:
    """Names, order and defaults; and `close` those of `disconnect`, but for its code."""

    def parameters(front: str, name: str) -> list[tuple[str, Any, Any]]:
        signature = inspect.signature(getattr(FRONTS[front], name))
        return [(one.name, one.kind, one.default) for one in signature.parameters.values()]

    for name in method_names():
        given = {
            front: parameters(front, name)
            for front, kind in FRONTS.items()
            if inspect.isfunction(getattr(kind, name, None))
        }
        assert all(one == next(iter(given.values())) for one in given.values()), (name, given)
    assert parameters("plain", "send") == parameters("asyncio", "send_threadsafe")
    for ours, theirs in zip(
        parameters("plain", "close"), parameters("callback", "disconnect"), strict=True
    ):
        assert ours == theirs or (ours[0], ours[2], theirs[2]) == ("code", 1000, 1001)
    assert inspect.signature(tieline.connect).parameters.keys() == (
        inspect.signature(tieline.aio.connect).parameters.keys()
    )


# --- the page


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(parity_table.BEGIN) == page.count(parity_table.END) == 1
    assert page == parity_table.page_with(parity_table.table(), page), (
        "docs/parity.md is not what the code says: run python -m tests.parity_table"
    )
