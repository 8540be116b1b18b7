"""The texts that stand for option values, in reprs and in the documentation."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.auth import Basic
from tieline.compression import Deflate
from tieline.option_texts import shown
from tieline.reconnect import Reconnect


@pytest.mark.parametrize(
    "name, value, text",
    [
        ("ping_interval", None, "None"),
        ("max_queue", 7, "7"),
        ("url", "ws://joe:pw@h/?token=1", "'ws://joe:***@h/?token=***'"),
        ("url", ("ws://h/?token=1",), "('ws://h/?token=***',)"),
        ("url", ("ws://a/", "ws://b/"), "('ws://a/', 'ws://b/')"),
        ("headers", (("Cookie", "a=1"), ("X-A", "1")), "(('Cookie', '***'), ('X-A', '1'))"),
        ("cookies", (("a", "1"),), "(('a', '***'),)"),
        ("subprotocols", ("chat",), "('chat',)"),
        ("schemes", {"web": {"port": 1}}, "{'web': {'port': 1}}"),
        ("compression", Deflate(level=9), repr(Deflate(level=9))),
        ("reconnect", Reconnect(initial=2.0), "Reconnect(initial=2.0)"),
        ("auth", Basic("joe", "pw"), repr(Basic("joe", "pw"))),
        ("sock", object(), "<object>"),
    ],
)
def test_what_is_shown(name: str, value: Any, text: str) -> None:
    assert shown(name, value, secret=False) == text


def test_secrets_are_not() -> None:
    assert shown("token", "abc", secret=True) == "***"
    assert shown("token", None, secret=True) == "None"
    assert "pw" not in shown("auth", Basic("joe", "pw"), secret=True)


def test_a_function_is_named() -> None:
    assert "test_a_function_is_named" in shown("url", test_a_function_is_named, secret=True)
