"""URL text → scheme, credentials, host, port and request target, or an OptionError.

Which schemes there are, and what they mean, is the caller's: they come in as a table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from tieline.errors import OptionError
from tieline.redact import MASK, safe_url
from tieline.transport.reference import resolve


class Scheme(NamedTuple):
    """What a scheme stands for. A path to a unix socket is written as `scheme+unix`."""

    port: int  #: where its servers listen
    secure: bool  #: TLS
    #: The scheme that this one is another spelling of ("http" for "ws"), or "" for itself. Only
    #: the canonical name ends up in a `URL`, so that the two compare as the same origin.
    canonical: str = ""


# RFC 3986 appendix B.
_PARTS = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(
    r"(?=.{1,253}\.?$)(?:[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?\.)*"
    r"[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?\.?"
)
_HOST_AND_PORT = re.compile(r"(.*?)(?::([^:\]]*))?")
# What RFC 3986 section 3.3 allows in a path, "?" for the query, and "[]", which it does not allow
# but every server takes and signed query strings may count on.
_TARGET_SAFE = "/?:@!$&'()*+,;=-._~%[]"
# Nothing to quote, and no percent sign that may stand for itself.
_PLAIN_TARGET = re.compile(r"[-A-Za-z0-9_/?:@!$&'()*+,;=.~\[\]]+")
_PORT = re.compile("[0-9]{1,5}")


@dataclass(frozen=True, slots=True, repr=False)
class URL:
    """A URL taken apart. Its repr and str show no password and no secret query value."""

    scheme: str  #: canonical, lower case, without "+unix"
    secure: bool
    host: str  #: ASCII (IDNA), lower case; IPv6 without brackets; "localhost" for a unix socket
    port: int
    target: str  #: path and query as they stand in a request line, never empty
    username: str | None = None  #: percent-decoded
    password: str | None = None  #: percent-decoded
    unix_path: str | None = None
    _table: Mapping[str, Scheme] = field(default_factory=dict, compare=False)
    _default_port: int | None = field(default=None, compare=False)
    _safe: str = field(default="", init=False, compare=False)  #: `safe`, once asked for

    @property
    def host_header(self) -> str:
        """The Host field's value (RFC 9110 section 7.2): no port if it is the scheme's own."""
        if self.unix_path is not None:
            return "localhost"
        # RFC 6874 section 4: a zone means nothing to anybody else, so it is not sent.
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        return host if self.port == self._table[self.scheme].port else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[Any, ...]:
        """Equal for URLs that may share credentials and cookies."""
        if self.unix_path is not None:
            return (self.scheme, self.host, self.port, self.unix_path)
        return (self.scheme, self.host, self.port)

    @property
    def safe(self) -> str:
        """The URL as text, secrets masked: for logs, errors and `info`."""
        if not self._safe:
            object.__setattr__(self, "_safe", self._masked())
        return self._safe

    def _masked(self) -> str:
        user = ""
        if self.username is not None:
            name = _quote(self.username, safe="")
            user = name + (f":{MASK}" if self.password else "") + "@"
        if self.unix_path is not None:
            path = _quote(self.unix_path)
            return safe_url(f"{self.scheme}+unix://{user}{path}:{self.target}")
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == self._table[self.scheme].port else f":{self.port}"
        return safe_url(f"{self.scheme}://{user}{host}{port}{self.target}")

    def __str__(self) -> str:
        return self.safe

    def __repr__(self) -> str:
        return f"URL({self.safe!r})"

    def join(self, location: str) -> URL:
        """Where a redirect's Location leads (RFC 9110 section 10.2.2), relative or absolute.

        Credentials stay with their origin. A fragment is dropped. Raises OptionError for a
        location that cannot be used, also for one that leads to a unix socket: a server elsewhere
        must not reach into this machine.
        """
        location = location.partition("#")[0]
        _check_text(location, "redirect location")
        scheme, authority, path, query = _split(location)
        if scheme is None and authority is None:
            return self._replaced(_target(*resolve(self.target, path, query), None))
        if scheme is None:
            location = f"{self.scheme}:{location}"
        url = parse_url(location, self._table, self._default_port, option="redirect location")
        if url.unix_path is not None and url.unix_path != self.unix_path:
            raise OptionError(
                f"redirect location: expected a host, got a unix socket: {safe_url(location)!r}"
            )
        url = url._replaced(_target(*resolve(url.target, "", None), None))
        if url.username is None and url.origin == self.origin:
            return self._replaced(url.target)
        return url

    def _replaced(self, target: str) -> URL:
        return URL(
            self.scheme,
            self.secure,
            self.host,
            self.port,
            target,
            self.username,
            self.password,
            self.unix_path,
            self._table,
            self._default_port,
        )


def parse_url(
    text: str,
    schemes: Mapping[str, Scheme],
    default_port: int | None = None,
    default_path: str | None = None,
    *,
    option: str = "url",
) -> URL:
    """Take a URL apart. Raises OptionError that says which part is wrong and what is expected.

    Accepted are `scheme://user:password@host:port/path?query` for each scheme of the table, and
    for unix sockets `scheme+unix:///socket/path:/path?query` and
    `scheme://socket=%2Fsocket%2Fpath/path?query`. `default_port` and `default_path` stand in for
    a port or path that the URL does not name. `option` is the name that errors use.
    """
    _check_text(text, option)
    scheme, authority, path, query = _split(text)
    fail = _Refusal(option, text)
    name = (scheme or "").lower().removesuffix("+unix")
    if scheme is None or name not in schemes:
        known = ", ".join(f"{known}://" for known in schemes)
        fail(
            "unknown scheme" if scheme and authority is not None else "no scheme",
            f"expected {known} or one of these with +unix",
        )
    if "#" in text:
        # RFC 6455 section 3: fragments mean nothing here and must not be used.
        fail("it has a fragment", "a '#' in a path or query is written as %23")
    userinfo, _, location = (authority or "").rpartition("@")
    username, password = _credentials(userinfo, fail) if userinfo else (None, None)
    unix_path: str | None = None
    host = "localhost"
    port: int | None = None
    if scheme.lower() != name:
        if location:
            fail("the socket's path is not absolute", f"expected {name}+unix:///path.sock:/path")
        path, _, target_path = path.partition(":")
        unix_path = _unix_path(path, fail)
        if not unix_path.startswith("/"):
            fail("the socket's path is not absolute", f"expected {name}+unix:///path.sock:/path")
        path = target_path
    elif authority is None:
        fail(f"nothing after {scheme}: that names a host", f"expected {name}://host/path")
    elif location.startswith("socket="):
        unix_path = _unix_path(location.removeprefix("socket="), fail)
    else:
        host, port = _host_and_port(location, fail)
    if path and not path.startswith("/"):
        fail("the path does not start with '/'", f"expected {name}+unix:///path.sock:/path")
    known_as = schemes[name].canonical or name
    if known_as not in schemes:
        raise ValueError(f"canonical scheme {known_as!r} of {name!r} is not in the table")
    return URL(
        known_as,
        schemes[name].secure,
        host,
        port or default_port or schemes[name].port,
        _target(path, query, default_path),
        username,
        password,
        unix_path,
        schemes,
        default_port,
    )


# Imported when they are needed: plain URLs can do without, and it takes a while to load.


def _quote(text: str, safe: str = "/") -> str:
    from urllib.parse import quote

    return quote(text, safe)


def _unquote(text: str, errors: str = "replace") -> str:
    from urllib.parse import unquote

    return unquote(text, errors=errors)


class _Refusal:
    """Raises OptionError with the URL, masked, after what is wrong with it."""

    def __init__(self, option: str, text: str) -> None:
        self._option = option
        self._text = text

    def __call__(self, problem: str, expected: str) -> NoReturn:
        raise OptionError(f"{self._option} {safe_url(self._text)!r}: {problem}; {expected}")


def _check_text(text: object, option: str) -> None:
    if not isinstance(text, str):
        raise OptionError(f"{option}: expected a str, got {type(text).__name__}")
    if found := _UNPRINTABLE.search(text):
        raise OptionError(
            f"{option} {safe_url(text)!r}: it holds {found[0]!r} at position {found.start()}; "
            "whitespace and control characters are percent-encoded in a URL (a space is %20)"
        )


def _split(text: str) -> tuple[str | None, str | None, str, str | None]:
    """Scheme, authority, path, query; None for what is not there."""
    match = _PARTS.fullmatch(text)
    assert match is not None  # it matches every text without a line break
    return match[1], match[2], match[3], match[4]


def _credentials(userinfo: str, fail: _Refusal) -> tuple[str | None, str | None]:
    name, colon, password = userinfo.partition(":")
    if _BAD_PERCENT.search(userinfo):
        fail("user name or password has a '%' without two hex digits", "a '%' is written as %25")
    try:
        decoded = _unquote(name, "strict"), _unquote(password, "strict")
    except UnicodeDecodeError:
        fail("user name or password is not UTF-8", "expected percent-encoded UTF-8")
    if any(_UNPRINTABLE.search(part.replace(" ", "")) for part in decoded):
        fail("user name or password holds a control character", "remove it")
    if ":" in decoded[0]:
        # RFC 7617 section 2: nobody could tell where such a name ends.
        fail("the user name holds a colon", "choose one without")
    return decoded[0], decoded[1] if colon else None


def _unix_path(path: str, fail: _Refusal) -> str:
    decoded = _unquote(path)
    if not decoded or "\0" in decoded:
        fail("the socket's path is empty or holds a NUL", "expected the path of a unix socket")
    return decoded


def _host_and_port(location: str, fail: _Refusal) -> tuple[str, int | None]:
    match = _HOST_AND_PORT.fullmatch(location)
    assert match is not None  # it matches every text without a line break
    host, port = match[1], match[2]
    if host.startswith("[") and host.endswith("]"):
        host = _ipv6(host[1:-1], fail)
    else:
        host = _name(host, fail)
    if not port:
        return host, None
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        fail("the port is not valid", "expected host:port with a port from 1 to 65535")
    return host, int(port)


def _ipv6(address: str, fail: _Refusal) -> str:
    # RFC 6874 writes the '%' before a zone as %25; the plain one is what people type.
    number, percent, zone = address.partition("%")
    zone = _unquote(zone[2:] if zone.startswith("25") and len(zone) > 2 else zone)
    try:
        from ipaddress import IPv6Address

        parsed = str(IPv6Address(number))
    except ValueError:
        fail("the IPv6 address in brackets is not valid", "expected for example [2001:db8::1]")
    if percent and not re.fullmatch(r"[-A-Za-z0-9._~]+", zone):
        fail("the zone of the IPv6 address is not valid", "expected for example [fe80::1%25eth0]")
    return parsed + percent + zone


def _name(host: str, fail: _Refusal) -> str:
    if not host:
        fail("the host is missing", "expected scheme://host/path")
    if "[" in host or "]" in host:
        fail("a bracket of the host is out of place", "expected for example [2001:db8::1]")
    if ":" in host:
        fail("the host holds a colon", "an IPv6 address is written in brackets: [2001:db8::1]")
    try:
        name = _unquote(host, "strict") if "%" in host else host
        # IDNA 2003, which is what the standard library (and its resolver) has.
        name = name.lower() if name.isascii() else name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        fail("the host is no valid internationalised name", "expected a domain name")
    if not _HOST.fullmatch(name):
        fail("the host is not valid", "expected a domain name or an IP address")
    return name


def _target(path: str, query: str | None, default_path: str | None) -> str:
    path = path or default_path or "/"
    if not path.startswith("/"):
        path = "/" + path
    if query is not None:
        path += "?" + query
    if _PLAIN_TARGET.fullmatch(path):
        return path
    return _quote(_BAD_PERCENT.sub("%25", path), safe=_TARGET_SAFE)
