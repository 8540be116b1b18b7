"""A task → the options that websockets' clients are opened with."""

from __future__ import annotations

from typing import Any

from bench.task import Task


def options(task: Task) -> dict[str, Any]:
    """The client's own defaults, but for what all clients of the benchmark do without."""
    chosen: dict[str, Any] = {
        "proxy": None,
        "max_size": None,
        "compression": "deflate" if task.deflate else None,
    }
    if task.ssl_context is not None:
        chosen["ssl"] = task.ssl_context
    return chosen
