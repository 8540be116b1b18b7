"""URL text → scheme, credentials, host, port and request target, or an OptionError.

Which schemes there are, and what they mean, is the caller's: they come in as a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tieline.errors import OptionError
from tieline.hostnames import BadHost, ascii_host, ipv6_host
from tieline.making import unfinished
from tieline.patterns import pattern
from tieline.redact import MASK, safe_url, safe_username
from tieline.transport.reference import resolve
from tieline.transport.url_errors import Span, URLRefusal

if TYPE_CHECKING:
    import re


class Scheme(NamedTuple):
    """What a scheme stands for. A path to a unix socket is written as `scheme+unix`."""

    port: int  #: where its servers listen
    secure: bool  #: TLS
    #: The scheme that this one is another spelling of ("http" for "ws"), or "" for itself. Only
    #: the canonical name ends up in a `URL`, so that the two compare as the same origin.
    canonical: str = ""


# RFC 3986 appendix B.
_PARTS = pattern(
    r"(?:(?P<scheme>[^:/?#]+):)?(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?"
)
_UNPRINTABLE = pattern(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]")
_BAD_PERCENT = pattern(r"%(?![0-9A-Fa-f]{2})")
_HOST_AND_PORT = pattern(r"(.*?)(?::([^:\]]*))?")
# What RFC 3986 section 3.3 allows in a path, "?" for the query, and "[]", which it does not allow
# but every server takes and signed query strings may count on.
_TARGET_SAFE = "/?:@!$&'()*+,;=-._~%[]"
# Nothing to quote, and no percent sign that may stand for itself.
_PLAIN_TARGET = pattern(r"(?:[-A-Za-z0-9_/?:@!$&'()*+,;=.~\[\]]++|%[0-9A-Fa-f]{2})+")
_PORT = pattern("[0-9]{1,5}")


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
    safe: str = field(init=False, compare=False)  #: as text, secrets masked: for logs and errors

    def __post_init__(self) -> None:
        object.__setattr__(self, "safe", self._masked())

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

    def _masked(self) -> str:
        user = ""
        if self.username is not None:
            name = safe_username(self.username, self.password)
            name = name if name == MASK else _quote(name, safe="")
            user = name + (f":{MASK}" if self.password else "") + "@"
        if self.unix_path is not None:
            path = _quote(self.unix_path)
            return safe_url(f"{self.scheme}+unix://{user}{path}:{self.target}")
        number, percent, zone = self.host.partition("%")
        # RFC 6874 section 2: the sign before a zone is written as %25.
        host = f"[{number}{'%25' * bool(percent)}{zone}]" if ":" in self.host else self.host
        port = "" if self.port == self._table[self.scheme].port else f":{self.port}"
        return safe_url(f"{self.scheme}://{user}{host}{port}{self.target}")

    def __str__(self) -> str:
        return self.safe

    def __repr__(self) -> str:
        return f"URL({self.safe!r})"

    def join(self, location: str) -> URL:
        """Where a redirect's Location leads (RFC 9110 section 10.2.2), relative or absolute.

        Credentials stay with their origin. A fragment is dropped. A place elsewhere has the port of
        its scheme, whatever `default_port` this URL was read with. Raises OptionError for a
        location that cannot be used, also for one that leads to a unix socket: a server elsewhere
        must not reach into this machine.
        """
        location = location.partition("#")[0]
        _check_text(location, URLRefusal("redirect location", location))
        parts = _split(location)
        if parts["scheme"] is None and parts["authority"] is None:
            joined = resolve(self.target, parts["path"], parts["query"])
            return self._replaced(_target(*joined, None))
        if parts["scheme"] is None:
            location = f"{self.scheme}:{location}"
        url = parse_url(location, self._table, option="redirect location")
        if url.unix_path is not None and url.unix_path != self.unix_path:
            raise OptionError(
                f"redirect location: expected a host, got a unix socket: {safe_url(location)!r}"
            )
        url = url._replaced(_target(*resolve(url.target, "", None), None))
        if url.username is None and url.origin == self.origin:
            return self._replaced(url.target)
        return url

    def asking(self, query: str) -> URL | None:
        """This URL, which has none, with a query as it stands in a text; None: parse the text."""
        if not _PLAIN_TARGET.fullmatch(query):
            return None
        return self._replaced(f"{self.target}?{query}")

    def _replaced(self, target: str) -> URL:
        made = _UnfinishedURL()
        made.scheme, made.secure, made.target = self.scheme, self.secure, target
        made.host, made.port, made.unix_path = self.host, self.port, self.unix_path
        made.username, made.password = self.username, self.password
        made._table, made._default_port = self._table, self._default_port
        made.safe = made._masked()
        made.__class__ = URL
        return made  # type: ignore[no-any-return]


_UnfinishedURL = unfinished(URL)


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
    if not isinstance(text, str):
        raise OptionError(f"{option}: expected a str, got {type(text).__name__}")
    fail = URLRefusal(option, text)
    _check_text(text, fail)
    parts = _split(text)
    scheme, authority, path = parts["scheme"], parts["authority"], parts["path"]
    name = (scheme or "").lower().removesuffix("+unix")
    if scheme is None or name not in schemes:
        known = f"expected {', '.join(f'{known}://' for known in schemes)}"
        if option != "proxy":  # which is not reached by a socket of this machine
            known += " or one with +unix"
        if scheme and authority is not None:
            fail("unknown scheme", known, parts.span("scheme"))
        fail("no scheme", known)
    if parts["fragment"] is not None:
        # RFC 6455 section 3: fragments mean nothing here and must not be used.
        sign = parts.start("fragment") - 1
        fail("it has a fragment", "a '#' in a path or query is written as %23", (sign, len(text)))
    userinfo, at, location = (authority or "").rpartition("@")
    begin = parts.start("authority")
    username, password = _credentials(userinfo, begin, fail) if userinfo else (None, None)
    place = (begin + len(userinfo) + len(at), parts.end("authority"))
    unix_path: str | None = None
    host = "localhost"
    port: int | None = None
    if scheme.lower() != name:
        expected = f"expected {name}+unix:///path.sock:/path"
        if location:
            fail("the socket's path is not absolute", expected, place)
        before, _, path = path.partition(":")
        begin = parts.start("path")
        unix_path = _unix_path(before, (begin, begin + len(before)), fail)
        if not unix_path.startswith("/"):
            fail("the socket's path is not absolute", expected, (begin, begin + len(before)))
        if path and not path.startswith("/"):
            begin += len(before) + 1
            fail("the path does not start with '/'", expected, (begin, parts.end("path")))
    elif authority is None:
        fail(
            f"nothing after {scheme}: that names a host",
            f"expected {name}://host/path",
            (parts.end("scheme") + 1, len(text)),
        )
    elif location.startswith("socket="):
        begin = place[0] + len("socket=")
        unix_path = _unix_path(text[begin : place[1]], (begin, place[1]), fail)
    else:
        host, port = _host_and_port(location, place[0], fail)
    known_as = schemes[name].canonical or name
    if known_as not in schemes:
        raise ValueError(f"canonical scheme {known_as!r} of {name!r} is not in the table")
    return URL(
        known_as,
        schemes[name].secure,
        host,
        port or default_port or schemes[name].port,
        _target(path, parts["query"], default_path),
        username,
        password,
        unix_path,
        schemes,
        default_port,
    )


# Imported when they are needed: plain URLs can do without, and it takes a while to load.


def _quote(text: str, safe: str = "/") -> str:
    from urllib.parse import quote

    return quote(text, safe, errors="surrogateescape")


def _unquote(text: str, errors: str = "replace") -> str:
    from urllib.parse import unquote

    return unquote(text, errors=errors)


def _check_text(text: str, fail: URLRefusal) -> None:
    # The pattern takes long to compile, and what it finds is a blank or not printable.
    is_plain = text.isprintable() and " " not in text
    if not is_plain and (found := _UNPRINTABLE.search(text)):
        fail(
            "it holds a character that no URL has",
            "whitespace and control characters are percent-encoded (a space is %20)",
            found.span(),
        )
    # Browsers take it for a slash, others do not: so it is not even clear which host is meant.
    if 0 <= (found_at := text.partition("?")[0].find("\\")):
        fail(
            "it holds a backslash",
            "parts of a path are separated by '/'; a backslash that is meant is written as %5C",
            (found_at, found_at + 1),
        )


def _split(text: str) -> re.Match[str]:
    """Scheme, authority, path, query and fragment; None for what is not there."""
    match = _PARTS.fullmatch(text)
    assert match is not None  # it matches every text without a line break
    return match


def _credentials(userinfo: str, begin: int, fail: URLRefusal) -> tuple[str | None, str | None]:
    name, colon, password = userinfo.partition(":")
    spans = {"user name": (begin, begin + len(name))}
    spans["password"] = (begin + len(name) + 1, begin + len(userinfo))
    decoded = []
    for part, text in (("user name", name), ("password", password)):
        if _BAD_PERCENT.search(text):
            expected = "a '%' is written as %25"
            fail(f"the {part} has a '%' without two hex digits", expected, spans[part])
        try:
            decoded.append(_unquote(text, "strict"))
        except UnicodeDecodeError:
            fail(f"the {part} is not UTF-8", "expected percent-encoded UTF-8", spans[part])
        if _UNPRINTABLE.search(decoded[-1].replace(" ", "")):
            fail(f"the {part} holds a control character", "remove it", spans[part])
    if ":" in decoded[0]:
        # RFC 7617 section 2: nobody could tell where such a name ends.
        fail("the user name holds a colon", "choose one without", spans["user name"])
    return decoded[0], decoded[1] if colon else None


def _unix_path(path: str, part: Span, fail: URLRefusal) -> str:
    # As os.fsdecode does it, for names that are not UTF-8.
    decoded = _unquote(path, "surrogateescape")
    if not decoded or "\0" in decoded:
        problem = "the socket's path holds a NUL" if decoded else "the socket's path is empty"
        fail(problem, "expected the path of a unix socket", part)
    return decoded


def _host_and_port(location: str, begin: int, fail: URLRefusal) -> tuple[str, int | None]:
    match = _HOST_AND_PORT.fullmatch(location)
    assert match is not None  # it matches every text without a line break
    is_open = location.startswith("[") and "]" not in location
    part = (begin, begin + (len(location) if is_open else match.end(1)))
    try:
        host = _host(match[1])
    except BadHost as error:
        fail(error.problem, error.expected, part)
    port = match[2]
    if not port:
        return host, None
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        part = (begin + match.start(2), begin + match.end(2))
        fail("the port is not valid", "expected host:port with a port from 1 to 65535", part)
    return host, int(port)


def _host(host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        # RFC 6874 writes the '%' before a zone as %25; the plain one is what people type.
        number, percent, zone = host[1:-1].partition("%")
        zone = _unquote(zone[2:] if zone.startswith("25") and len(zone) > 2 else zone)
        return ipv6_host(number + percent + zone)
    if not host:
        raise BadHost("the host is missing", "expected scheme://host/path")
    if "[" in host or "]" in host:
        raise BadHost("a bracket of the host is out of place", "expected for example [2001:db8::1]")
    if ":" in host:
        raise BadHost(
            "the host holds a colon", "an IPv6 address is written in brackets: [2001:db8::1]"
        )
    try:
        return ascii_host(_unquote(host, "strict") if "%" in host else host)
    except UnicodeDecodeError:
        raise BadHost("the host is not UTF-8", "expected percent-encoded UTF-8") from None


def _target(path: str, query: str | None, default_path: str | None) -> str:
    path = path or default_path or "/"
    if not path.startswith("/"):
        path = "/" + path
    path += "" if query is None else "?" + query
    if _PLAIN_TARGET.fullmatch(path):
        return path
    return _quote(_BAD_PERCENT.sub("%25", path), safe=_TARGET_SAFE)
