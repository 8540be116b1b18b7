"""What is installed → who compresses and who decompresses (DEFLATE, RFC 1951).

All three speak the interface of the standard library's `zlib`, and each understands the others'
streams, so the two directions need not agree. Measured on JSON (`make bench`): zlib-ng
is the fastest at messages of a few hundred bytes, in both directions; isal is faster than it from
4 KiB up, but slower than zlib below 1 KiB.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, NamedTuple


class Backend(NamedTuple):
    """``module`` has `compressobj`, `decompressobj` and `error`."""

    name: str
    module: Any


#: Name → module. The best comes first; the last one is always there.
_MODULES = {"zlib-ng": "zlib_ng.zlib_ng", "isal": "isal.isal_zlib", "zlib": "zlib"}


@cache
def inflate_backend() -> Backend:
    """Who decompresses."""
    return next(iter(installed_backends()))


@cache
def deflate_backend(level: int) -> Backend:
    """Who compresses at this level. isal has three, and none of them is zlib's 0."""
    return next(b for b in installed_backends() if b.name != "isal" or 1 <= level <= 3)


@cache
def installed_backends() -> tuple[Backend, ...]:
    """All that can be used here, the best first."""
    found = []
    for name, module in _MODULES.items():
        try:
            found.append(Backend(name, import_module(module)))
        except ImportError:
            continue  # an extra that is not installed, or not built for this machine
    return tuple(found)
