"""A contestant's settings → tieline's option `compression`."""

from __future__ import annotations

import tieline
from bench.deflate.contestants import Settings


def compression(settings: Settings) -> str | tieline.Deflate:
    """The default; or another level, with the window and the tables that zlib defaults to."""
    if settings.level is None:
        return "deflate"
    return tieline.Deflate(level=settings.level, client_max_window_bits=15, mem_level=8)
