"""Options, handlers and methods, as the code has them → the table of docs/parity.md.

    python -m tests.parity_table

writes it anew; tests/test_parity.py proves every cell of it, and that the page is up to date.
"""

from __future__ import annotations

from dataclasses import fields
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import tieline
from tieline.engine.handlers import HANDLER_NAMES
from tieline.options import Options

PAGE = Path(__file__).parent.parent / "docs" / "parity.md"
BEGIN = "<!-- generated: python -m tests.parity_table -->"
END = "<!-- end of what is generated -->"

#: Column -> the class of the object that its user has.
FRONTS: dict[str, Any] = {
    "callback": tieline.WebSocketClient,
    "plain": tieline.Connection,
    "asyncio": tieline.aio.Connection,
}

YES, AWAIT = "yes", "`await`"

# --- what a front has in place of a method, or why it has none

_NO_RECV = "no: `on_message` is called with each message"

#: Method -> front -> its cell, where the front has no method of that name.
INSTEAD: dict[str, dict[str, str]] = {
    "connect": {
        "plain": "`tieline.connect()`",
        "asyncio": "`await tieline.aio.connect()`",
    },
    "disconnect": {"plain": "`close()`", "asyncio": "`await close()`"},
    "close": {"callback": "`disconnect()`"},
    "wait": {
        "plain": "`recv()` and iteration tell of the end",
        "asyncio": "`await recv()` and iteration tell of the end",
    },
    "run_forever": {"plain": "`for message in ws`", "asyncio": "`async for message in ws`"},
    "wait_for": {"plain": "`recv()` in a loop", "asyncio": "`await recv()` in a loop"},
    "recv": {"callback": _NO_RECV + "; `wait_for()` waits for one"},
    "recv_json": {"callback": _NO_RECV},
    "recv_stream": {"callback": "no: with `streaming=True` handlers get a stream for each message"},
    "send_threadsafe": {
        "callback": "`send()`, which any thread may call",
        "plain": "`send()`, which any thread may call",
    },
}

#: What Python itself calls: name in the table -> front -> method, or the cell.
SYNTAX: dict[str, dict[str, tuple[str, str]]] = {
    "context manager": {
        "callback": ("__enter__", "`with`, which connects too"),
        "plain": ("__enter__", "`with`"),
        "asyncio": ("__aenter__", "`async with`"),
    },
    "round trip of a ping": {
        "callback": ("ping", "`ping().wait()`"),
        "plain": ("ping", "`ping().wait()`"),
        "asyncio": ("ping", "`await (await ping())`"),
    },
    "until a message is with the kernel": {
        "callback": ("send", "`send(..., receipt=True).wait()`"),
        "plain": ("send", "`send(..., receipt=True).wait()`"),
        "asyncio": ("send", "`await (await send(..., receipt=True))`"),
    },
    "iteration": {
        "callback": ("", _NO_RECV),
        "plain": ("__iter__", "`for`"),
        "asyncio": ("__aiter__", "`async for`"),
    },
}

# --- options and handlers that a front refuses, or has no use for

_BY_ASKING = "no: messages are asked for, with `recv()` or iteration"
_BY_RECV_STREAM = "no: `recv_stream()` gives a message in chunks"

#: Option or handler -> front -> why it is an OptionError there.
REFUSED: dict[str, dict[str, str]] = {
    "callback": {"plain": _BY_ASKING, "asyncio": _BY_ASKING},
    "on_message": {"plain": _BY_ASKING, "asyncio": _BY_ASKING},
    "executor": {
        "plain": "no: handlers run on the thread inside `recv()` or on the background thread",
        "asyncio": "no: handlers run on the loop",
    },
    "streaming": {"plain": _BY_RECV_STREAM, "asyncio": _BY_RECV_STREAM},
    "reactor": {"asyncio": "no: the running loop serves the connection"},
}

#: Option -> front -> what to know about it there. It is accepted.
NOTES: dict[str, dict[str, str]] = {
    "max_queue": {"callback": "yes, with `executor`: nothing waits otherwise"},
    "json_loads": {"callback": "unused: no method gives a parsed message"},
    "reactor": {"plain": "yes, in place of the one that all plain connections share"},
}


def option_names() -> list[str]:
    """Every option, in the order of the documentation."""
    return [option.name for option in fields(Options)]


def handler_names() -> list[str]:
    """Every handler."""
    return list(HANDLER_NAMES)


def method_names() -> list[str]:
    """Every public name of any front's object, and what Python's own syntax calls."""
    names: dict[str, None] = {}
    for front in FRONTS.values():
        names |= dict.fromkeys(name for name in vars(front) if _is_there(front, name))
    for front in FRONTS.values():
        names |= dict.fromkeys(name for name in dir(front) if _is_there(front, name))
    return [*names, *SYNTAX]


def _is_there(front: Any, name: str) -> bool:
    return not name.startswith("_") and hasattr(front, name)


def option_cell(name: str, front: str) -> str:
    """The cell of an option or a handler."""
    refusal = REFUSED.get(name, {}).get(front)
    return refusal or NOTES.get(name, {}).get(front, YES)


def method_cell(name: str, front: str) -> str:
    """The cell of a method or an attribute: what there is, else what to use instead."""
    if name in SYNTAX:
        return SYNTAX[name][front][1]
    member = getattr(FRONTS[front], name, None)
    if member is None:
        try:
            return INSTEAD[name][front]
        except KeyError:
            raise AssertionError(
                f"the {front} front has no {name!r}: say in {__name__}.INSTEAD what to use instead"
            ) from None
    return AWAIT if iscoroutinefunction(member) else YES


def table() -> str:
    """All that stands between the two marks of the page."""
    parts = [BEGIN, ""]
    for title, names, cell, suffix in (
        ("Methods and attributes", method_names(), method_cell, True),
        ("Handlers", handler_names(), option_cell, False),
        ("Options", option_names(), option_cell, False),
    ):
        parts += [f"## {title}", "", f"| | {' | '.join(FRONTS)} |", "| --- | --- | --- | --- |"]
        for name in names:
            shown = name if name in SYNTAX else f"`{name}{'()' if suffix and _calls(name) else ''}`"
            parts.append(f"| {shown} | {' | '.join(cell(name, front) for front in FRONTS)} |")
        parts.append("")
    return "\n".join([*parts, END])


def _calls(name: str) -> bool:
    return any(callable(getattr(front, name, None)) for front in FRONTS.values())


def page_with(table: str, page: str) -> str:
    """The page with this table in place of the one that it has."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + table + after


if __name__ == "__main__":
    PAGE.write_text(page_with(table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
