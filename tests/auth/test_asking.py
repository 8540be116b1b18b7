"""Which callables see challenges, which are refused, and what they may give."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tests.refusals import SECRET
from tieline.auth import Basic, Bearer, Challenge, Digest
from tieline.auth.asking import ask, sees_challenges
from tieline.errors import OptionError


class Object:
    def method(self, url: str, challenges: Any) -> None: ...

    def __call__(self, url: str) -> None: ...


class Unknown(Object):
    """As some built-in functions, it does not tell how to call it."""

    __signature__ = None
    __text_signature__ = None

    @property
    def __class__(self) -> Any:
        return type(len)


def two(url: str, challenges: Any) -> None: ...


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda url: None, False),
        (lambda url, challenges: None, True),
        (lambda url, seen: None, True),
        (lambda url, challenges=(): None, True),
        (lambda url, key="kept": None, False),
        (lambda url, *rest: None, False),
        (lambda *all: None, False),
        (lambda url, *, key=1: None, False),
        (Object(), False),
        (Object().method, True),
        (functools.partial(two, challenges=None), False),
        (functools.partial(Object.method, Object()), True),
        (Unknown(), False),
    ],
)
def test_which_see_challenges(function: Any, expected: bool) -> None:
    assert sees_challenges(function) is expected


async def wait(url: str) -> None: ...


class Waiting:
    async def __call__(self, url: str) -> None: ...


@pytest.mark.parametrize(
    "function, text",
    [
        (lambda: None, "cannot be called"),
        (lambda a, b, c: None, "cannot be called"),
        (lambda url, *, needed: None, "cannot be called"),
        (wait, "async"),
        (Waiting(), "async"),
    ],
)
def test_which_are_refused(function: Any, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        sees_challenges(function)


def test_what_they_may_give() -> None:
    challenge = Challenge("basic")
    for given in (Basic("a", "b"), Bearer("t"), Digest("a", "b"), None):
        assert ask("auth", lambda url, given=given: given, "ws://h/", None) is given
    assert ask("auth", lambda url: ("a", "b"), "ws://h/", None) == Basic("a", "b")
    seen: list[object] = []
    ask("auth", lambda *all: seen.append(all), "ws://h/", (challenge,))
    ask("auth", lambda *all: seen.append(all), "ws://h/", None)
    assert seen == [("ws://h/", (challenge,)), ("ws://h/",)]


@pytest.mark.parametrize("wrong", [SECRET, SECRET.encode(), ["a"], ("a", "b", "c"), 7, Basic])
def test_what_they_may_not_give(wrong: object) -> None:
    with pytest.raises(OptionError, match="'proxy_auth'.*or None, got") as caught:
        ask("proxy_auth", lambda url: wrong, "", None)
    assert SECRET not in str(caught.value)
