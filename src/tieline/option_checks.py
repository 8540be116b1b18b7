"""A value given for an option → the value to store, or an OptionError that says what is wrong.

A check is a text of what it accepts and a function that converts. The text serves the error
messages and the table in the documentation alike, so the two cannot drift apart.
"""

from __future__ import annotations

import math
import operator
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tieline.errors import OptionError
from tieline.patterns import pattern
from tieline.redact import safe_url

# epoll and poll take milliseconds in a C int, so about 24.8 days is the longest single wait.
MAX_SECONDS = 24 * 24 * 3600.0
# The longest payload a frame can announce (RFC 6455 5.2), and what a signed 64-bit integer holds.
MAX_SIZE = 2**63 - 1
_UNPRINTABLE = pattern("[\x00-\x1f\x7f\ud800-\udfff]")
_SHOWN_CHARACTERS = 80
# Python itself refuses to print an int of more than 4300 digits.
_SHOWN_BITS = 128


class Refused(Exception):
    """A check does not take the value. ``advice`` adds what to do, and holds no secret."""

    def __init__(self, advice: str = "", *, hide: bool = False) -> None:
        super().__init__(advice)
        #: True: this very value may be a secret although the option's values are not.
        self.hide = hide


@dataclass(frozen=True, slots=True)
class Check:
    """What one option takes. ``convert`` raises `Refused`, or `OptionError` with a whole text.

    It is never asked about the option's default: where that is None, no check looks for None.
    """

    accepted: str
    convert: Callable[[Any], object]
    #: True: the value never appears in a text, only its type.
    secret: bool = False

    def apply(self, name: str, value: object) -> object:
        """The value to store for the option ``name``; raises `OptionError`."""
        # The errors are made after the except blocks, so that no __context__ keeps the value.
        try:
            return self.convert(value)
        except Refused as refused:
            problem = self._problem(value, str(refused), self.secret or refused.hide)
        except OptionError as error:
            problem = str(error)
        raise OptionError(f"option {name!r}: {problem}")

    def _problem(self, value: object, advice: str, hide: bool) -> str:
        given = type(value).__name__ + ("" if hide else shown(value))
        return f"expected {self.accepted}; got {given}" + (f". {advice}" if advice else "")


def shown(value: object) -> str:
    """`` (value)`` for numbers and text, shortened and masked; nothing for all others.

    The repr of any other object is not taken: it can be huge, raise, or hold a secret. Bytes are
    mostly data from a file, which may be a key.
    """
    if type(value) is str:
        masked = safe_url(value)
        if len(masked) > _SHOWN_CHARACTERS:
            return f" ({masked[:_SHOWN_CHARACTERS]!r}... of length {len(value)})"
        return f" ({masked!r})"
    if type(value) is int and value.bit_length() > _SHOWN_BITS:
        return f" (of {value.bit_length()} bits)"
    return f" ({value!r})" if type(value) in (bool, int, float) else ""


def shown_callable(value: Callable[..., object]) -> str:
    """Where it comes from; its repr is not taken either."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    return f"{module}.{name}" if module and name else f"<{type(value).__name__}>"


# --- truth values, numbers


def boolean() -> Check:
    """True or False itself; 1, "yes" and the like are more often a mistake than meant."""

    def convert(value: Any) -> bool:
        if not isinstance(value, bool):
            raise Refused
        return value

    return Check("True or False", convert)


def seconds(none: str = "") -> Check:
    """A time span, stored as float. ``none`` says what None means; empty: None is refused."""
    zero = "Use None to turn it off" if none else "Nothing can be done in no time"
    endless = f"Nothing waits without bound here: the longest is {MAX_SECONDS:.0f} (24 days)"

    def convert(value: Any) -> float | None:
        if value is None:
            if none:
                return None
            raise Refused(endless)
        number = real(value)
        if number <= 0:
            raise Refused(f"{zero}.")
        if number > MAX_SECONDS:
            raise Refused(endless + (f", or None: {none}" if none else ""))
        return float(number)

    return Check("seconds, an int or float above 0" + _or_none(none), convert)


def rate(none: str) -> Check:
    """A positive number of something per second, stored as float. ``none`` says what None means."""

    def convert(value: Any) -> float:
        number = real(value)
        if number <= 0:
            raise Refused("Use None to turn it off.")
        if number > MAX_SIZE:
            raise Refused
        return float(number)

    return Check("an int or float above 0" + _or_none(none), convert)


def whole(least: int, none: str = "", most: int = MAX_SIZE) -> Check:
    """An int between two bounds; None too where ``none`` says what it means."""

    def convert(value: Any) -> int | None:
        if value is None and none:
            return None
        number = integer(value)
        if not least <= number <= most:
            raise Refused(f"Use None for {none}." if none and number <= 0 else "")
        return number

    bounds = f"an int of {least} or more" if most == MAX_SIZE else f"an int from {least} to {most}"
    return Check(bounds + _or_none(none), convert)


def integer(value: Any) -> int:
    """``value`` as an int when it is one; a bool is not."""
    if isinstance(value, bool):
        raise Refused
    try:
        return operator.index(value)
    except TypeError:
        pass
    raise Refused


def real(value: Any) -> int | float:
    """``value`` when it is a finite number; a bool is not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused("The number must be finite.")
    return value


def _or_none(none: str) -> str:
    return f", or None ({none})" if none else ""


# --- text, files, bytes


def plain_text(value: Any, *, empty: bool = False) -> str:
    """``value`` when it is a str without control characters and without half surrogate pairs."""
    if not isinstance(value, str):
        raise Refused("Decode it first." if isinstance(value, bytes) else "")
    if not value and not empty:
        raise Refused("It is empty.")
    if not value.isprintable() and _UNPRINTABLE.search(value):
        raise Refused("It holds a control character or half a surrogate pair.")
    return value


def file_path(what: str) -> Check:
    """A path as str or os.PathLike, stored as str. Whether it exists is seen when it is used."""

    def convert(value: Any) -> str:
        if not isinstance(value, str | os.PathLike):
            raise Refused
        path = os.fspath(value)
        if not isinstance(path, str) or not path or "\0" in path:
            raise Refused("A path is text, not empty, and holds no NUL.")
        if "-----BEGIN" in path:
            raise Refused("This is PEM data: give it to the option ending in _data.", hide=True)
        return path

    return Check(f"a path (str or os.PathLike) to {what}, or None", convert)


def pem_or_der(what: str, *more: str) -> Check:
    """PEM or DER data. Stored as str when it is PEM and as bytes when it is DER, or in `more`."""

    def convert(value: Any) -> str | bytes:
        data = bytes(value) if isinstance(value, bytearray | memoryview) else value
        if isinstance(data, bytes) and data.lstrip().startswith(b"-----BEGIN") and data.isascii():
            data = data.decode("ascii")
        if not isinstance(data, str | bytes):
            raise Refused
        if not data:
            raise Refused("It is empty.")
        if isinstance(data, str) and "-----BEGIN" not in data:
            raise Refused(
                "PEM has a line that starts with -----BEGIN and this text has none; "
                "a file's name goes to the option ending in _path."
            )
        return data

    binary = " or ".join(["DER", *more])
    return Check(f"{what} as PEM (str) or {binary} (bytes), or None", convert, secret=True)


# --- arguments of methods


def check_seconds(name: str, value: object) -> float:
    """A number of seconds that was given to a method. Raises OptionError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{name}: expected seconds (a number), got {type(value).__name__}")
    if not 0 <= value <= MAX_SECONDS:
        raise OptionError(
            f"{name}: expected seconds, from 0 to {MAX_SECONDS:.0f} (24 days), "
            f"got {type(value).__name__}{shown(value)}"
        )
    return float(value)


# --- other shapes


def function() -> Check:
    """Something that can be called; what it gives is checked when it has been called."""

    def convert(value: Any) -> object:
        if not callable(value):
            raise Refused
        return value

    return Check("a callable", convert)


def has_methods(
    accepted: str, *methods: str, or_method: str = "", or_callable: bool = False
) -> Check:
    """An object with all of ``methods``: duck typing, so that no module need be imported.

    ``or_method``: one that stands for all of them.
    """

    def convert(value: Any) -> object:
        if isinstance(value, type):
            raise Refused("This is the class; give an instance of it.")
        if or_callable and callable(value):
            return value
        if or_method and callable(getattr(value, or_method, None)):
            return value
        if not all(callable(getattr(value, method, None)) for method in methods):
            raise Refused
        return value

    return Check(accepted, convert)


def executor() -> Check:
    """Whoever runs functions, in this process."""
    anybody = has_methods(
        "an executor (an object with submit()), an asyncio event loop, a callable that takes a "
        "function, or None",
        "submit",
        or_method="call_soon_threadsafe",
        or_callable=True,
    )

    def convert(value: Any) -> object:
        # Nobody has a pool of processes who has not loaded the module.
        processes = sys.modules.get("concurrent.futures.process")
        if processes is not None and isinstance(value, processes.ProcessPoolExecutor):
            raise Refused("Handlers run in this process; they may hand their work to the pool.")
        return anybody.convert(value)

    return Check(anybody.accepted, convert)


def items(value: Any) -> tuple[Any, ...]:
    """The elements of any iterable but text and bytes; None stands for no elements."""
    if value is None:
        return ()
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Iterable):
        raise Refused
    return tuple(value)
