"""Subscription: what it says, now and after every open."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.engine.subscriptions import Subscription, encode
from tieline.errors import OptionError
from tieline.protocol.wire import Opcode


def said(message: Any) -> Any:
    unsent = Subscription(message, lambda subscription: None).render(1.0)
    return None if unsent is None else (unsent.opcode, unsent.payload)


def test_what_is_said() -> None:
    assert said("é") == (Opcode.TEXT, "é".encode())
    assert said(b"\x00") == (Opcode.BINARY, b"\x00")
    assert said(lambda: "now") == (Opcode.TEXT, b"now")
    assert said(lambda: None) is None


def test_a_function_is_asked_each_time() -> None:
    numbers = iter("123")
    subscription = Subscription(lambda: next(numbers), lambda subscription: None)
    assert [subscription.ask() for _ in range(3)] == ["1", "2", "3"]


def test_memory_that_changes_later_is_not_what_was_said() -> None:
    memory = bytearray(b"abc")
    subscription = Subscription(memory, lambda subscription: None)
    memory[:] = b"xyz"
    assert subscription.ask() == b"abc"


@pytest.mark.parametrize("message", [7, ["a"], {"op": "subscribe"}, None])
def test_what_cannot_be_said(message: Any) -> None:
    with pytest.raises(OptionError, match="subscribe: expected a str or bytes"):
        Subscription(message, lambda subscription: None)


def test_a_function_that_gives_something_else() -> None:
    with pytest.raises(OptionError, match="subscribe: .*got int"):
        encode(7, 0.0)
    with pytest.raises(OptionError, match="surrogates"):
        Subscription("\ud800", lambda subscription: None)


def test_cancelling_is_told_once() -> None:
    told: list[Subscription] = []
    subscription = Subscription("a", told.append)
    assert repr(subscription) == "<Subscription>"
    subscription.cancel()
    subscription.cancel()
    assert told == [subscription] and subscription.is_cancelled
    assert repr(subscription) == "<Subscription, cancelled>"
