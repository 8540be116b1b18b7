# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""The functions that a user gives → one checked set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from inspect import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
)
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from tieline.errors import OptionError
from tieline.options import Options, of_calls


class FrameAction(Enum):
    """What `on_frame` wants done with the frame it saw."""

    PROCESS = "process"  #: go on as if there were no `on_frame`
    SKIP = "skip"  #: the handler has dealt with it
    STOP = "stop"  #: listen no more: nothing further is delivered, and the connection is closed


class Handlers:
    """All optional; called in order, never two at a time for one client, with no lock held.

    Nobody changes it. Raises `OptionError`.
    """

    def __init__(
        self,
        *,
        callback: Callable[[Any], object] | None = None,
        on_open: Callable[[Any], object] | None = None,
        on_message: Callable[[Any], object] | None = None,
        on_close: Callable[[Any], object] | None = None,
        on_ping: Callable[[bytes], object] | None = None,
        on_pong: Callable[[bytes], object] | None = None,
        on_error: Callable[[Exception], object] | None = None,
        on_reconnecting: Callable[[Any], object] | None = None,
        on_frame: Callable[[Any], FrameAction] | None = None,
        on_event: Callable[[Any], object] | None = None,
    ) -> None:
        self.callback = callback
        self.on_open = on_open
        self.on_message = on_message
        self.on_close = on_close
        self.on_ping = on_ping
        self.on_pong = on_pong
        self.on_error = on_error
        self.on_reconnecting = on_reconnecting
        self.on_frame = on_frame
        self.on_event = on_event
        given = (
            callback, on_open, on_message, on_close, on_ping, on_pong, on_error, on_reconnecting,
            on_frame, on_event,
        )  # fmt: skip
        for index, function in enumerate(given):
            if function is not None:
                check_function(HANDLER_NAMES[index], function)

    @staticmethod
    def of(given: Mapping[str, Any]) -> Handlers:
        """Those that are given by name."""
        for function in given.values():
            if function is not None:
                return Handlers(**given)
        return NO_HANDLERS


def check_function(name: str, function: object) -> None:
    """Raise OptionError if it is none that can be called, or a call of it runs nothing."""
    expected = f"{name}: expected a function" + (" (or None)" if name in _NAMES else "")
    if not callable(function):
        swapped = name == "callback" and isinstance(function, str)
        raise OptionError(
            f"{expected}, got {type(function).__name__}"
            + ("; the URL is the second argument" if swapped else "")
        )
    if _runs(function):
        return
    called = type(function).__call__
    if iscoroutinefunction(function) or iscoroutinefunction(called):
        told = (
            "a coroutine function (async def), which nothing here awaits; give a plain function, "
            "for example one that calls asyncio.run_coroutine_threadsafe(); tieline.aio.connect() "
            "is for coroutines"
        )
    else:
        is_async = isasyncgenfunction(function) or isasyncgenfunction(called)
        kind = "an asynchronous generator" if is_async else "a generator"
        told = (
            f"{kind} function (there is a yield in it), of which a call runs nothing; give a "
            "function without yield"
        )
    raise OptionError(f"{expected}, got {told}")


def _runs(function: Callable[..., Any]) -> bool:
    """Does a call run what is in it?"""
    if type(function) is BuiltinFunctionType:
        return True
    # What is in the way of nothing, as most are, needs no look through partials and marks.
    plain: object = function.__func__ if type(function) is MethodType else function
    if type(plain) is FunctionType and not plain.__dict__:
        return not plain.__code__.co_flags & _DEFERRED
    for each in (function, type(function).__call__):  # of an object, it is this that is called
        if iscoroutinefunction(each) or isgeneratorfunction(each) or isasyncgenfunction(each):
            return False
    return True


# Of whose functions a call only makes something that is to be run.
_DEFERRED = CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR

HANDLER_NAMES = (
    "callback", "on_open", "on_message", "on_close", "on_ping", "on_pong", "on_error",
    "on_reconnecting", "on_frame", "on_event",
)  # fmt: skip
_NAMES = frozenset(HANDLER_NAMES)

#: What a client is told where to connect by. (A union would be made anew by each question.)
_ADDRESSES = (str, list, tuple, Mapping, Options)

#: What most plain connections have.
NO_HANDLERS = Handlers()

#: The handlers that get messages: not where messages are asked for with `recv()`.
_MESSAGE_HANDLERS = ("callback", "on_message")
_NO_CALLBACKS = (
    "a connection made by connect() gives its messages by recv() and iteration; WebSocketClient "
    "calls functions with them"
)


def misplaced(name: str, made_by: str, is_ours: bool) -> str:
    """What to tell who assigns to an attribute of this name; "" when there is nothing to tell.

    `made_by`: what makes the object, "WebSocketClient" for one. A class that is not `is_ours` has
    attributes of its own, which may be called as an option is.
    """
    is_option = is_ours and (name == "callback" or name in Options.__dataclass_fields__)
    if not is_option and not name.startswith("on_"):
        return ""
    is_client = made_by == "WebSocketClient"
    call = f"the constructor: {made_by}(" if is_client else f"connect(): {made_by}(url, "
    if name in _MESSAGE_HANDLERS and not is_client:
        return f"{name}: {_NO_CALLBACKS}"
    if name in _NAMES:
        return f"{name}: handlers are given to {call}{name}=...)"
    if is_option:
        return f"{name}: options are given to {call}{name}=...)"
    if not is_ours:
        return ""
    from difflib import get_close_matches  # for mistakes only

    close = get_close_matches(name.lower(), HANDLER_NAMES, n=1)
    meant = close[0] if close else "on_message" if is_client else "on_close"
    question = f" (did you mean {meant}?)" if close else ""
    return f"{name}: there is no such handler{question}; handlers are given to {call}{meant}=...)"


def split_handlers(
    callback: object, url_or_options: object, keywords: dict[str, Any]
) -> tuple[Handlers, Options]:
    """Handlers and options, from wherever a client's arguments hold them. Raises `OptionError`."""
    if url_or_options is None and callback is not None and isinstance(callback, _ADDRESSES):
        callback, url_or_options = None, callback
    handlers, options = _split(callback, url_or_options, keywords)
    if handlers is NO_HANDLERS:
        raise OptionError(
            "callback is missing: give a function for the messages as first argument, "
            f"or a handler ({', '.join(HANDLER_NAMES[1:])}); methods of a class of your own are "
            "given as functions are: on_message=self.on_message"
        )
    if options.streaming and handlers.callback and handlers.on_message:
        raise OptionError(
            "option 'streaming': callback and on_message are both given, and a stream can be read "
            "only once; give one of them (on_close tells of the end)"
        )
    return handlers, options


def split_plain(url_or_options: object, keywords: dict[str, Any]) -> tuple[Handlers, Options]:
    """The same for a connection whose messages are asked for with `recv()`."""
    handlers, options = _split(None, url_or_options, keywords)
    for name in () if handlers is NO_HANDLERS else _MESSAGE_HANDLERS:
        if getattr(handlers, name) is not None:
            raise OptionError(f"{name}: {_NO_CALLBACKS}")
    if options.executor is not None:
        raise OptionError(
            "option 'executor': a connection made by connect() calls no function with messages, "
            "and its handlers run where it is served; WebSocketClient takes an executor"
        )
    if options.streaming:
        raise OptionError(
            "option 'streaming': a connection made by connect() gives a message in chunks to "
            "whoever asks for it: use recv_stream()"
        )
    return handlers, options


def split_options(url_or_options: object, keywords: dict[str, Any]) -> Options:
    """The options alone, of arguments for any front; handlers are checked and left out."""
    return _split(None, url_or_options, keywords)[1]


def _split(
    callback: object, url_or_options: object, keywords: dict[str, Any]
) -> tuple[Handlers, Options]:
    given: dict[str, Any] = {}
    # Asked last: whether something is a mapping takes long to find out.
    is_text = url_or_options is None or type(url_or_options) is str
    if not is_text and isinstance(url_or_options, Mapping):
        given.update({n: url_or_options[n] for n in HANDLER_NAMES if n in url_or_options})
        url_or_options = {n: v for n, v in url_or_options.items() if n not in given}
    if not _NAMES.isdisjoint(keywords):
        given.update({name: keywords.pop(name) for name in _NAMES.intersection(keywords)})
    if callback is not None:
        if given.get("callback") is not None:
            raise OptionError("callback is given twice, as first argument and by name")
        given["callback"] = callback
    handlers = Handlers.of(given) if given else NO_HANDLERS
    memory = of_calls  # a local one has a type in C
    options: Options | None = memory.find(url_or_options, keywords)
    if options is None:
        options = Options.build(url_or_options, keywords, also_known=HANDLER_NAMES)
    return handlers, options
