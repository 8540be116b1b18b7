"""Handlers: which functions are taken, and which one gets the messages."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import partial, wraps
from inspect import iscoroutinefunction
from types import MethodType
from typing import Any

import pytest

from tieline import WebSocketClient
from tieline.engine.handlers import (
    HANDLER_NAMES,
    NO_HANDLERS,
    Handlers,
    misplaced,
    split_handlers,
    split_plain,
)
from tieline.errors import OptionError


@pytest.mark.parametrize("name", HANDLER_NAMES)
def test_only_functions(name: str) -> None:
    with pytest.raises(OptionError, match=f"{name}: expected a function .*got int"):
        Handlers(**{name: 5})
    Handlers(**{name: print})
    Handlers(**{name: None})


@pytest.mark.parametrize("name", HANDLER_NAMES)
def test_no_coroutine_functions(name: str) -> None:
    async def handler(argument: object) -> None:
        raise AssertionError

    with pytest.raises(OptionError, match=f"{name}: .*got a coroutine function.*plain function"):
        Handlers(**{name: handler})


class Methods:
    """A user's object whose methods are handlers."""

    def plain(self, argument: object) -> None:
        raise AssertionError

    async def coroutine(self, argument: object) -> None:
        raise AssertionError

    async def __call__(self, argument: object) -> None:
        raise AssertionError


def decorated() -> Callable[..., object]:
    @wraps(Methods.coroutine)
    def function(*arguments: object) -> None:
        raise AssertionError

    return function


@pytest.mark.parametrize(
    "function",
    [
        Methods.coroutine,
        Methods().coroutine,
        partial(Methods.coroutine, Methods()),
        partial(Methods().coroutine),
        MethodType(partial(Methods.coroutine, Methods()), 1),
    ],
)
def test_no_coroutine_functions_in_disguise(function: Any) -> None:
    assert iscoroutinefunction(function)
    with pytest.raises(OptionError, match="on_open: .*got a coroutine function"):
        Handlers(on_open=function)


@pytest.mark.parametrize(
    "function",
    [
        Methods.plain,
        Methods().plain,
        partial(Methods().plain),
        MethodType(print, 1),
        MethodType(Methods(), 1),
        decorated(),
        print,
        [].append,
        str.upper,
        str,
        lambda argument: None,
    ],
)
def test_what_is_no_coroutine_function(function: Any) -> None:
    assert not iscoroutinefunction(function)
    assert Handlers(on_open=function).on_open is function


class Generators:
    def plain(self, argument: object) -> Any:
        yield argument

    async def asynchronous(self, argument: object) -> Any:
        yield argument


@pytest.mark.parametrize("name", ["plain", "asynchronous"])
def test_no_generator_functions(name: str) -> None:
    """A call of one runs nothing of what is in it."""
    unbound, bound = getattr(Generators, name), getattr(Generators(), name)
    word = "an asynchronous generator" if name == "asynchronous" else "a generator"
    for function in (unbound, bound, partial(bound), MethodType(partial(unbound), 1)):
        for handler in HANDLER_NAMES:
            with pytest.raises(OptionError, match=f"^{handler}: .*got {word} function .*yield"):
                Handlers(**{handler: function})


def test_objects_whose_call_runs_nothing() -> None:
    class Generator:
        def __call__(self, argument: object) -> Iterator[object]:
            yield argument

    class Plain:
        def __call__(self, argument: object) -> None: ...

    with pytest.raises(OptionError, match="on_open: .*got a coroutine function"):
        Handlers(on_open=Methods())
    with pytest.raises(OptionError, match="on_open: .*got a generator function"):
        Handlers(on_open=Generator())
    plain = Plain()
    assert Handlers(on_open=plain).on_open is plain


@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect has marks since Python 3.12")
def test_marked_coroutine_functions() -> None:
    def function(argument: object) -> None:
        raise AssertionError

    inspect.markcoroutinefunction(function)  # type: ignore[attr-defined, unused-ignore]
    for marked in (function, MethodType(function, 1)):
        with pytest.raises(OptionError, match="got a coroutine function"):
            Handlers(on_open=marked)


def test_each_one_is_where_its_name_says() -> None:
    functions: dict[str, Any] = {name: partial(print, name) for name in HANDLER_NAMES}
    handlers = Handlers(**functions)
    assert {name: getattr(handlers, name) for name in HANDLER_NAMES} == functions


def test_a_url_where_the_callback_goes() -> None:
    with pytest.raises(OptionError, match="got str; the URL is the second argument"):
        Handlers(callback="ws://example.com/")
    with pytest.raises(OptionError, match="got str$"):
        Handlers(on_message="ws://example.com/")


def test_a_stream_has_one_reader() -> None:
    handlers, options = split_handlers(print, "ws://example.com/", {"streaming": True})
    assert options.streaming and handlers.callback is print
    with pytest.raises(OptionError, match="'streaming': callback and on_message are both given"):
        split_handlers(print, "ws://example.com/", {"streaming": True, "on_message": print})
    with pytest.raises(OptionError, match=r"'streaming': .* use recv_stream\(\)"):
        split_plain("ws://example.com/", {"streaming": True})


@pytest.mark.parametrize("urls", [["ws://a/", "ws://b/"], ("ws://a/", "ws://b/")])
def test_a_list_of_urls_may_come_first_too(urls: object) -> None:
    handlers, options = split_handlers(urls, None, {"on_message": print})
    assert options.urls == ("ws://a/", "ws://b/") and handlers.callback is None


def test_handlers_that_are_none_are_shared() -> None:
    assert Handlers.of({"on_open": None, "on_close": None}) is NO_HANDLERS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("on_close", "on_close: handlers are given to the constructor: WebSocketClient(on_close="),
        ("on_mesage", "on_mesage: there is no such handler (did you mean on_message?); handlers"),
        (
            "on_Open",
            "(did you mean on_open?); handlers are given to the constructor: WebSock",
        ),
        ("on_xyz", "on_xyz: there is no such handler; handlers are given to the constructor: WebS"),
    ],
)
def test_a_handler_that_is_assigned_to_a_client(name: str, text: str) -> None:
    client = WebSocketClient(print, "ws://localhost/", proxy=None)
    with pytest.raises(AttributeError) as told:
        setattr(client, name, print)
    assert text in str(told.value)


@pytest.mark.parametrize(
    ("made_by", "name", "text"),
    [
        ("WebSocketClient", "callback", "handlers are given to the constructor: WebSocketClient("),
        ("WebSocketClient", "ping_interval", "options are given to the constructor: WebSocketCl"),
        ("tieline.connect", "timeout", "connect(): tieline.connect(url, timeout=...)"),
        ("tieline.connect", "on_close", "handlers are given to connect(): tieline.connect(url, on"),
        ("tieline.connect", "on_message", "gives its messages by recv() and iteration"),
        ("tieline.aio.connect", "callback", "gives its messages by recv() and iteration"),
        ("tieline.aio.connect", "on_xyz", "handlers are given to connect(): tieline.aio.connect(u"),
    ],
)
def test_what_is_given_when_a_front_is_made(made_by: str, name: str, text: str) -> None:
    assert text in misplaced(name, made_by, True)


def test_attributes_of_a_users_own() -> None:
    for name in ("callback", "url", "token", "on_ready", "mine"):
        assert misplaced(name, "WebSocketClient", False) == ""
    assert misplaced("on_mesage", "WebSocketClient", False) == ""
    assert misplaced("mine", "WebSocketClient", True) == ""
