"""The name of a front → what its rows in the tables are called."""

from __future__ import annotations

import tieline
from tieline.protocol import decoder

_build = "pure" if str(decoder.__file__).endswith(".py") else "compiled"


def version(front: str) -> str:
    """The front, tieline's version, and whether the C extensions are in use."""
    return f"tieline {front} {tieline.__version__} ({_build})"
