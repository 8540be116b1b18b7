"""Where a connection goes and how it is secured: the forms a user may give → the stored form."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tieline.hostnames import BadHost, ascii_host, ipv6_host
from tieline.option_checks import Check, Refused, integer, items, plain_text, shown
from tieline.patterns import pattern


def proxy() -> Check:
    """True, None or a URL, which `tieline.transport.proxy` reads."""

    def convert(value: Any) -> object:
        if value is True or value is None:
            return value
        if value is False:
            raise Refused("Use None to never use a proxy.")
        return plain_text(value)

    return Check("True (as the environment says), None (never) or a proxy's URL (str)", convert)


def host_and_port(accepted: str, *, bind: bool = False) -> Check:
    """(host, port). For ``bind`` an empty host and port 0 mean "any"."""

    def convert(value: Any) -> tuple[str, int]:
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise Refused("Give a tuple such as ('127.0.0.1', 8080).")
        if not isinstance(value[0], str):
            raise Refused(f"The host is {type(value[0]).__name__}, not str.")
        host, port = plain_text(value[0], empty=bind), _port(value[1], "The port")
        if host:
            host = _checked_host(host)
        if not (0 if bind else 1) <= port <= 65535:
            raise Refused(f"Port {port} is out of range.")
        return host, port

    return Check(accepted, convert)


def _port(value: Any, what: str) -> int:
    try:
        return integer(value)
    except Refused:
        problem = f"{what} is {type(value).__name__}{shown(value)}, not int."
    raise Refused(problem)


def server_hostname() -> Check:
    """The name for TLS, stored as it is sent and compared: names beyond ASCII as A-labels."""
    return Check(
        "a host name or an IP address (str), or None", lambda value: _as_ascii(plain_text(value))
    )


def _checked_host(host: str) -> str:
    """As the host of a URL, but an IPv6 address needs no brackets."""
    try:
        if ":" in host or host.startswith("["):
            bracketed = host.startswith("[") and host.endswith("]")
            return ipv6_host(host[1:-1] if bracketed else host)
        return ascii_host(host)
    except BadHost as error:
        raise _refused(error) from None


def _as_ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return ascii_host(host)
    except BadHost as error:
        raise _refused(error) from None


def _refused(error: BadHost) -> Refused:
    problem = error.problem
    return Refused(f"{problem[:1].upper()}{problem[1:]}; {error.expected}.")


_SCHEME = pattern(r"[A-Za-z][A-Za-z0-9+.-]*")
_NOT_IN_A_PATH = pattern(r"[\s#]")
_BETWEEN_DIGITS = pattern(r"[:\s]")
_SHA_256 = pattern("[0-9a-f]{64}")

#: What they mean is fixed: an entry without 'ssl' would switch TLS off.
_BUILT_IN_SCHEMES = frozenset({"ws", "wss", "http", "https"})


def schemes() -> Check:
    """Further URL schemes, stored with lower-case names and both entries present."""

    def convert(value: Any) -> Mapping[str, Mapping[str, object]]:
        if not isinstance(value, Mapping):
            raise Refused
        return MappingProxyType({str(name).lower(): one(name, value[name]) for name in value})

    def one(name: Any, entry: Any) -> Mapping[str, object]:
        # RFC 3986 3.1.
        if not isinstance(name, str) or not _SCHEME.fullmatch(name):
            raise Refused("A scheme's name is letters, digits, + - and . only.")
        if name.lower() in _BUILT_IN_SCHEMES or name.lower().endswith("+unix"):
            raise Refused(f"{name!r} is built in; `default_port` changes the port.")
        if not isinstance(entry, Mapping) or not {"port"} <= set(entry) <= {"port", "ssl"}:
            raise Refused(f"The entry of {name!r} must hold 'port' and may hold 'ssl'.")
        port, ssl = _port(entry["port"], f"{name!r}: its port"), entry.get("ssl", False)
        if not 1 <= port <= 65535 or not isinstance(ssl, bool):
            raise Refused(f"{name!r}: port is 1 to 65535, ssl is True or False.")
        return MappingProxyType({"port": port, "ssl": ssl})

    return Check("a mapping such as {'feed': {'port': 8080, 'ssl': False}}, or None", convert)


def unix_path() -> Check:
    """The path of a stream socket in the file system."""

    def convert(value: Any) -> str:
        path = os.fspath(value) if isinstance(value, os.PathLike) else value
        return plain_text(path)

    return Check("a path (str or os.PathLike) of a unix socket, or None", convert)


def connected_socket() -> Check:
    """A socket, known by its fileno(); whether it is connected is seen when it is used."""

    def convert(value: Any) -> object:
        if isinstance(value, type) or not callable(getattr(value, "fileno", None)):
            raise Refused
        return value

    return Check("a connected socket (an object with fileno()), or None", convert)


def socket_options() -> Check:
    """Arguments of setsockopt(), stored as a tuple of triples."""

    def convert(value: Any) -> tuple[tuple[int, int, int | bytes], ...]:
        triples = items(value)
        for triple in triples:
            if not isinstance(triple, tuple | list) or len(triple) != 3:
                raise Refused(f"It holds {type(triple).__name__}.")
            for part in triple[: 2 if isinstance(triple[2], bytes) else 3]:
                if isinstance(part, bool):
                    raise Refused("Write 1 for True and 0 for False.")
                integer(part)
        return tuple((level, option, content) for level, option, content in triples)

    return Check(
        "a list of (level, option, value) as setsockopt() takes them: int, int, int or bytes",
        convert,
    )


def family() -> Check:
    """An address family, stored as the number that getaddrinfo() takes; 0 is any."""

    def convert(value: Any) -> int:
        # Imported late: this module is loaded by programs that never open a socket.
        import socket

        known = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
        if value is None:
            return 0
        if isinstance(value, str):
            if value.lower() not in known:
                raise Refused
            return int(known[value.lower()])
        number = integer(value)
        if number not in (0, socket.AF_INET, socket.AF_INET6):
            raise Refused("For a unix socket use `unix_socket`.")
        return number

    return Check("'ipv4', 'ipv6', socket.AF_INET, socket.AF_INET6, or None (both)", convert)


def url_path() -> Check:
    """What is asked for when the URL has no path."""

    def convert(value: Any) -> str:
        path = plain_text(value)
        if not path.startswith("/") or _NOT_IN_A_PATH.search(path):
            raise Refused("Percent-encode blanks; a fragment is never sent (RFC 6455 section 3).")
        return path

    return Check("a str that starts with '/' and holds no blank and no '#'", convert)


def http_version() -> Check:
    """Only HTTP/1.1 is spoken."""

    def convert(value: Any) -> str:
        if value != "1.1" or not isinstance(value, str):
            raise Refused("RFC 6455 needs HTTP/1.1; RFC 8441 and RFC 9220 are not spoken here.")
        return value

    return Check("'1.1'", convert)


# --- TLS


def ssl_context() -> Check:
    """A client-side context of the ssl module (or of a package that derives from it)."""

    def convert(value: Any) -> object:
        import ssl

        if not isinstance(value, ssl.SSLContext):
            raise Refused
        if value.protocol == ssl.PROTOCOL_TLS_SERVER:
            raise Refused("This one is for servers; ssl.create_default_context() makes one.")
        return value

    return Check("an ssl.SSLContext for clients, or None", convert)


def fingerprint() -> Check:
    """SHA-256 of the server's certificate (DER) as 64 lower-case hex digits; several as a tuple."""

    def one(value: Any) -> str:
        if isinstance(value, bytes) and len(value) == 32:
            return value.hex()
        if not isinstance(value, str):
            raise Refused
        # openssl writes "sha256 Fingerprint=AB:CD:...".
        digits = _BETWEEN_DIGITS.sub("", value.rpartition("=")[2]).lower().removeprefix("sha256")
        if not _SHA_256.fullmatch(digits):
            raise Refused("`openssl x509 -noout -fingerprint -sha256 -in cert.pem` prints it.")
        return digits

    def convert(value: Any) -> object:
        if not isinstance(value, tuple | list):
            return one(value)
        if not value:
            raise Refused("It is empty, so no certificate would do.")
        return tuple(map(one, value))

    return Check(
        "a SHA-256 as 64 hex digits (colons allowed) or 32 bytes, a list of these, or None", convert
    )


def key_password() -> Check:
    """What decrypts a private key."""

    def convert(value: Any) -> object:
        if not isinstance(value, str | bytes):
            raise Refused
        return value

    return Check("a str, bytes or None", convert, secret=True)


# --- threads


def reactor() -> Check:
    """A reactor, known by an attribute: this module is below the one that defines it."""

    def convert(value: Any) -> object:
        if isinstance(value, type):
            raise Refused("This is the class; give an instance of it.")
        if getattr(value, "is_tieline_reactor", None) is not True:
            raise Refused
        return value

    return Check("a tieline Reactor, or None", convert)
