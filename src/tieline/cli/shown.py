"""A message → the bytes that standard output gets for it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

from tieline.cli.escaping import escape, escape_json
from tieline.cli.output import Output

Message = str | bytes
Printer = Callable[[Message], None]

#: Bytes of a binary message that a terminal shows.
_SHOWN_BYTES = 64


class RawPrinter:
    """For pipes and files: the message as it came, then a line end."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def __call__(self, message: Message) -> None:
        data = message.encode() if isinstance(message, str) else message
        self._output.write(data + b"\n")


class TerminalPrinter:
    """For people: `mark`, then text with control characters escaped, or bytes in hexadecimal."""

    def __init__(self, output: Output, mark: str = "") -> None:
        self._output = output
        self._mark = mark

    def __call__(self, message: Message) -> None:
        shown = escape(message) if isinstance(message, str) else describe_bytes(message)
        self._output.line(self._mark + shown)


class JSONPrinter:
    """For programs: ``{"time": seconds since 1970, "type": "text", "data": "..."}``.

    The data of a binary message is base64. With `escaped`, for a terminal, control characters are
    spelt out; the value is the same.
    """

    def __init__(
        self, output: Output, escaped: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self._output = output
        self._escaped = escaped
        self._clock = clock

    def __call__(self, message: Message) -> None:
        text = isinstance(message, str)
        data = message if isinstance(message, str) else base64.b64encode(message).decode("ascii")
        entry = {
            "time": round(self._clock(), 6),
            "type": "text" if text else "binary",
            "data": data,
        }
        shown = json.dumps(entry, ensure_ascii=False)
        self._output.line(escape_json(shown) if self._escaped else shown)


def printer(output: Output, *, as_json: bool = False, mark: str = "") -> Printer:
    """What suits the output: JSON when asked for, escaped text on a terminal, raw otherwise."""
    if as_json:
        return JSONPrinter(output, escaped=output.is_terminal)
    return TerminalPrinter(output, mark) if output.is_terminal else RawPrinter(output)


def describe_bytes(data: bytes) -> str:
    """A binary message for a person, such as ``binary, 3 bytes: 00 ff 10``."""
    more = " ..." if len(data) > _SHOWN_BYTES else ""
    head = data[:_SHOWN_BYTES].hex(" ")
    size = f"{len(data)} byte{'' if len(data) == 1 else 's'}"
    return f"(binary, {size}{': ' if head else ''}{head}{more})"
