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

from tieline.errors import OptionError

_OVERRIDES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def system_context() -> ssl.SSLContext:
    """A context for clients that verifies by the system's trust. Raises OptionError."""
    if not _asks_the_system():
        try:
            return ssl.create_default_context()
        except OSError as error:
            path = _key_log()
            if path is None or error.filename != path:
                raise
            raise _cannot_log_keys(path, error) from error
    context: ssl.SSLContext = import_module("truststore").SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    log_keys(context)
    return context


def log_keys(context: ssl.SSLContext) -> None:
    """Obey SSLKEYLOGFILE, by which Wireshark can read along, as `create_default_context` does.

    Raises OptionError.
    """
    path = _key_log()
    if path is not None and hasattr(context, "keylog_filename"):
        try:
            context.keylog_filename = path
        except OSError as error:
            raise _cannot_log_keys(path, error) from error


def _key_log() -> str | None:
    return None if sys.flags.ignore_environment else os.environ.get("SSLKEYLOGFILE") or None


def _cannot_log_keys(path: str, error: OSError) -> OptionError:
    return OptionError(
        f"SSLKEYLOGFILE={path!r}, from the environment: the keys of TLS cannot be written there: "
        f"{error.strerror or error}; name a file that can be written, or unset it"
    )


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


def trust_problems() -> list[str]:
    """What the environment names and nobody can read. OpenSSL says nothing, and trusts less."""
    looks = {"SSL_CERT_FILE": lambda path: open(path, "rb").close(), "SSL_CERT_DIR": _list_any}
    problems = []
    for name in _OVERRIDES:
        if path := os.environ.get(name):
            try:
                looks[name](path)
            except OSError as error:
                problems.append(
                    f"{name}={path!r}, from the environment: cannot read it: "
                    f"{error.strerror or error}; correct it, or unset it"
                )
    return problems


def _list_any(paths: str) -> None:
    """One directory of several is enough. Raises the last one's OSError."""
    failure: OSError | None = None
    for path in paths.split(os.pathsep):
        try:
            os.listdir(path)
            return
        except OSError as error:
            failure = error
    if failure is not None:
        raise failure


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
