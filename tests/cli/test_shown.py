"""How a message looks on a terminal, in a pipe and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import pytest

from tieline.cli.output import Output
from tieline.cli.shown import JSONPrinter, RawPrinter, TerminalPrinter, describe_bytes, printer

Written = Callable[[], bytes]


@pytest.fixture
def pipe() -> Iterator[tuple[Output, Written]]:
    """An output into a pipe, and what was written to it so far."""
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as stream:
        output = Output(stream)
        yield output, lambda: os.read(reading, 65536)
        output.close()
    os.close(reading)


def test_pipes_get_messages_as_they_came(pipe: tuple[Output, Written]) -> None:
    output, written = pipe
    show = printer(output)
    show("\x1b[31mü\u202e")
    show(b"\x00\xff")

    assert isinstance(show, RawPrinter)
    assert written() == "\x1b[31mü\u202e\n".encode() + b"\x00\xff\n"


def test_terminals_get_marked_and_escaped_lines(pipe: tuple[Output, Written]) -> None:
    output, written = pipe
    show = TerminalPrinter(output, "< ")
    show("\x1b[31m\n")
    show(b"\x1b")

    assert written() == b"< \\x1b[31m\\n\n< (binary, 1 byte: 1b)\n"


def test_json_holds_time_type_and_data(pipe: tuple[Output, Written]) -> None:
    output, written = pipe
    show = JSONPrinter(output, escaped=False, clock=lambda: 1_700_000_000.123456789)
    show("ü\n")
    show(b"\xff")

    lines = written().decode().splitlines()
    assert lines[0] == '{"time": 1700000000.123457, "type": "text", "data": "ü\\n"}'
    assert json.loads(lines[1])["data"] == "/w=="


@pytest.mark.parametrize(
    "data, shown",
    [
        (b"", "(binary, 0 bytes)"),
        (b"\x00\xff", "(binary, 2 bytes: 00 ff)"),
        (bytes(65), f"(binary, 65 bytes: {' '.join(['00'] * 64)} ...)"),
    ],
)
def test_bytes_are_shown_up_to_a_limit(data: bytes, shown: str) -> None:
    assert describe_bytes(data) == shown
