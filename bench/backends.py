"""The compressing libraries that a client could use → all but one made invisible to it."""

from __future__ import annotations

import sys

#: Name of a backend → the package that has to be importable for it.
BACKENDS = {"zlib": "zlib", "zlib-ng": "zlib_ng", "isal": "isal"}


def hide_all_but(kept: str) -> None:
    """Make the others look as if they were not installed. Before any import of a client."""
    if kept not in BACKENDS:
        raise ValueError(f"backend: expected {', '.join(BACKENDS)}, got {kept!r}")
    for name, package in BACKENDS.items():
        if name not in (kept, "zlib"):
            sys.modules[package] = None  # type: ignore[assignment]
