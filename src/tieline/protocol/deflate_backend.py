"""What is installed → who compresses and who decompresses (DEFLATE, RFC 1951).

All three speak the interface of the standard library's `zlib`, and each understands the others'
streams, so the two directions need not agree. zlib and zlib-ng are called from C where that was
built (`_zlib.pyx`), isal as a module. Measured on JSON (`make bench`): zlib-ng is the fastest at
compressing, and at decompressing messages of some hundred bytes; isal decompresses faster than it
from 4 KiB up, but slower than zlib below 1 KiB.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple


class Backend(NamedTuple):
    """``module`` has `compressobj`, `decompressobj` and `error`."""

    name: str
    module: Any


#: Name → modules, of which the first that is there is taken. The best name comes first; the last
#: one is always there.
_MODULES = {
    "zlib-ng": ("zlib_ng.zlib_ng",),
    "isal": ("isal.isal_zlib",),
    "zlib": ("tieline.protocol._zlib", "zlib"),
}


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
    found = ((name, _first(name, modules)) for name, modules in _MODULES.items())
    return tuple(Backend(name, module) for name, module in found if module is not None)


def _first(name: str, modules: tuple[str, ...]) -> Any | None:
    for each in modules:
        module = _imported(each)
        if module is not None:
            return _called_from_c(module) if name == "zlib-ng" else module
    return None


def _imported(module: str) -> Any | None:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        return None  # an extra that is not installed, or not built for this machine


def _called_from_c(module: Any) -> Any:
    """What the module does, without it where that can be done."""
    in_c = _imported("tieline.protocol._zlib")
    face = None if in_c is None else in_c.face_of_zlib_ng(module)
    return module if face is None else face
