"""What a user says of offline messages and the application's heartbeat → the stored form."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any

from tieline.option_checks import MAX_SIZE, Check, Refused, integer

#: Bytes and messages that are kept while offline.
DEFAULT_LIMIT = (1024 * 1024, 1024)


def policy(*names: str) -> Check:
    """One of these words."""

    def convert(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise Refused
        return value

    return Check(f"{', '.join(map(repr, names[:-1]))} or {names[-1]!r}", convert)


def limit() -> Check:
    """Bytes, or bytes and messages; stored as both."""

    def convert(value: Any) -> tuple[int, int]:
        if isinstance(value, tuple | list):
            if len(value) != 2:
                raise Refused(f"It has {len(value)} numbers.")
            size, messages = map(_positive, value)
            return size, messages
        return _positive(value), DEFAULT_LIMIT[1]

    return Check("a number of bytes, or (bytes, messages), each an int of 1 or more", convert)


def _positive(value: Any) -> int:
    number = integer(value)
    if not 1 <= number <= MAX_SIZE:
        raise Refused("Nothing is kept without bound; to keep nothing use offline='raise'.")
    return number


def heartbeat() -> Check:
    """A message, or a callable that gives one each time; bytes-like is stored as bytes."""

    def convert(value: Any) -> object:
        if isinstance(value, type):
            raise Refused("This is a class; give a message or a function.")
        if iscoroutinefunction(value):
            raise Refused("This is a coroutine function, which nothing awaits; give a plain one.")
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Refused("It holds half a surrogate pair.") from None
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        if not callable(value):
            raise Refused
        return value

    # Secret, because a server may want a token in it.
    return Check(
        "a message (str or bytes), a callable giving one or None, or None", convert, secret=True
    )
