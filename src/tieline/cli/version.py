"""What is installed → the line of ``tieline --version``."""

from __future__ import annotations

import ssl
import sys
import zlib

from tieline._version import __version__
from tieline.compression import Deflate
from tieline.implementation import implementation
from tieline.protocol.deflate_backend import deflate_backend, inflate_backend


def version_line() -> str:
    """Such as ``tieline 0.1.0 (compiled), Python 3.11.7, OpenSSL 3.0.13, h11 0.16.0, zlib 1.3``."""
    openssl = " ".join(ssl.OPENSSL_VERSION.split()[:2])
    python = f"{_interpreter()} {sys.version.split()[0]}"
    return (
        f"tieline {__version__} ({implementation()}), {python}, {openssl}, {_package('h11')}, "
        f"{_compression()}"
    )


def _interpreter() -> str:
    if sys.implementation.name == "cpython":
        return "Python"
    import platform

    return platform.python_implementation()


def _compression() -> str:
    """Who works for the option ``compression``."""
    inflates, deflates = inflate_backend().name, deflate_backend(Deflate().level).name
    if inflates == deflates:
        return _package(inflates)
    return f"inflate by {_package(inflates)}, deflate by {_package(deflates)}"


def _package(name: str) -> str:
    if name == "zlib":
        return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"  # a part of Python
    # Asked of itself: to look for what is installed takes longer than to load it.
    version = getattr(__import__(name.replace("-", "_")), "__version__", None)
    return f"{name} of unknown version" if version is None else f"{name} {version}"
