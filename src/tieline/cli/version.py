"""What is installed → the line of ``tieline --version``."""

from __future__ import annotations

import platform
import ssl
from importlib.metadata import PackageNotFoundError, version

from tieline._version import __version__
from tieline.implementation import implementation


def version_line() -> str:
    """Such as ``tieline 0.1.0 (compiled), Python 3.11.7, OpenSSL 3.0.13, h11 0.16.0``."""
    openssl = " ".join(ssl.OPENSSL_VERSION.split()[:2])
    python = f"{platform.python_implementation()} {platform.python_version()}"
    python = python.replace("CPython", "Python")
    try:
        h11 = f"h11 {version('h11')}"
    except PackageNotFoundError:
        h11 = "h11 of unknown version"  # on the path, but not installed
    return f"tieline {__version__} ({implementation()}), {python}, {openssl}, {h11}"
