"""A task → the options that tieline's fronts are opened with."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import tieline
from bench.task import Task
from tieline.protocol import decoder

_build = "pure" if str(decoder.__file__).endswith(".py") else "compiled"
VERSION = f"tieline {tieline.__version__} ({_build})"


def options(task: Task) -> dict[str, Any]:
    """Everything as it is by default, but for what all clients of the benchmark do without."""
    chosen: dict[str, Any] = {
        "proxy": None,
        "compression": _compression(task),
        "max_message_size": None,
        "timeout": 60,
    }
    if task.ssl_context is not None:
        chosen["ssl_context"] = task.ssl_context
    if task.exchanged:
        chosen["ping_interval"] = None  # a Ping in between would be the first message
    return chosen


def _compression(task: Task) -> str | tieline.Deflate | None:
    """The default; or with the parameters that the client's name asks for."""
    if not task.deflate or task.settings.get("compression") == "none":
        return None
    asked = {
        field.name: _value(task.settings[field.name])
        for field in fields(tieline.Deflate)
        if field.name in task.settings
    }
    if set(asked) == {"level"}:
        # As the peers compress: with the window and the tables that zlib defaults to.
        asked |= {"client_max_window_bits": 15, "mem_level": 8}
    return tieline.Deflate(**asked) if asked else "deflate"


def _value(text: str) -> Any:
    return {"True": True, "False": False}[text] if text in ("True", "False") else int(text)
