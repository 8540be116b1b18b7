"""Whose certificates are believed when no option says so: the system's, found in its own way.

On Linux that is OpenSSL's store, which distributions keep. Windows and macOS have verifiers of
their own (with the roots that a company has installed, and intermediates that are fetched), which
OpenSSL knows nothing of; `truststore` asks those. `SSL_CERT_FILE` and `SSL_CERT_DIR` go before
them everywhere, because whoever sets them means them.
"""

from __future__ import annotations

import os
import ssl
import sys
from importlib import import_module
from importlib.util import find_spec

_OVERRIDES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def system_context() -> ssl.SSLContext:
    """A context for clients that verifies by the system's trust."""
    if not _asks_the_system():
        return ssl.create_default_context()
    context: ssl.SSLContext = import_module("truststore").SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    log_keys(context)
    return context


def log_keys(context: ssl.SSLContext) -> None:
    """Obey SSLKEYLOGFILE, by which Wireshark can read along, as `create_default_context` does."""
    path = os.environ.get("SSLKEYLOGFILE")
    if path and not sys.flags.ignore_environment and hasattr(context, "keylog_filename"):
        context.keylog_filename = path


def trust_source() -> str:
    """Where the trust comes from, for people to read."""
    if _asks_the_system():
        return "the system's own verifier (truststore)"
    given = [f"{name}={os.environ[name]}" for name in _OVERRIDES if os.environ.get(name)]
    paths = ssl.get_default_verify_paths()
    if given:
        return " and ".join(given) + ", from the environment"
    found = [path for path in (paths.cafile, paths.capath) if path]
    return "the system's store, " + (" and ".join(found) or "which is empty")


def trust_key() -> tuple[object, ...]:
    """Changes when `system_context` would give another context."""
    paths = ssl.get_default_verify_paths()
    files = tuple((path, _changed(path)) for path in (paths.cafile, paths.capath) if path)
    return (files, os.environ.get("SSLKEYLOGFILE"), _asks_the_system())


def _asks_the_system() -> bool:
    platform = sys.platform
    if platform.startswith("linux") or any(os.environ.get(name) for name in _OVERRIDES):
        return False
    # It is a dependency there; without it (a bundle that left it out) OpenSSL's store has to do.
    return "truststore" in sys.modules or find_spec("truststore") is not None


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
