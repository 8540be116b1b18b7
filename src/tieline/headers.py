"""Header fields, the requests and responses that hold them, and how much of one is accepted.

Immutable values without I/O; `http1` makes them from bytes and bytes from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tieline.errors import OptionError
from tieline.patterns import pattern
from tieline.redact import is_secret_header, safe_headers, safe_url

_TOKEN = pattern(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_CONTROL = pattern(r"[\x00-\x08\x0a-\x1f\x7f]")

#: Fields of nearly every answer to an upgrade: each open connection keeps its answer, and all share
#: these.
_USUAL = {
    (name, value): (name, value)
    for name, value in (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Connection", "upgrade"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("connection", "upgrade"),
    )
}

_END = "\r\n"

#: What an error shows of the peer's bytes.
EXCERPT = 64


class Headers(Mapping[str, str]):
    """Header fields: immutable, ordered, names in any case, several values for one name.

    ``headers["name"]`` joins the values with ", " (RFC 9110 section 5.3); of Set-Cookie, which
    cannot be joined, it is the first. ``get_all`` gives every value. Iteration gives each name
    once, in lower case. The repr masks secrets.
    """

    # A head has a dozen fields: looking through them takes no longer than making an index of
    # them, which each of many thousand connections would keep.
    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        # A list is asked for first: whether something is a mapping takes long to find out.
        pairs = (
            fields.items() if type(fields) is not list and isinstance(fields, Mapping) else fields
        )
        # Or the bytes that they will be read from, once somebody asks: a third of the memory.
        self._fields: tuple[tuple[str, str], ...] | bytes = tuple(
            [_USUAL.get(pair, pair) if type(pair) is tuple else pair for pair in pairs]
        )

    @staticmethod
    def unread(section: bytes) -> Headers:
        """The fields of these lines, which somebody has looked at: nothing is wrong with them."""
        headers = Headers.__new__(Headers)
        headers._fields = section
        return headers

    @property
    def raw(self) -> tuple[tuple[str, str], ...]:
        """The fields in their order, names as they were written."""
        fields = self._fields
        if isinstance(fields, bytes):
            # Two threads that ask at once get equal ones.
            self._fields = fields = tuple(
                [_USUAL.get(pair, pair) for pair in map(_field, str(fields, "latin-1").split(_END))]
            )
        return fields

    def get_all(self, name: str) -> list[str]:
        """Every value of this name, in order; empty if there is none."""
        lower = name.lower()
        return [value for each, value in self.raw if each.lower() == lower]

    def __getitem__(self, name: str) -> str:
        if not isinstance(name, str):
            raise KeyError(name)  # as any mapping does; `get` and `in` build on it
        values = self.get_all(name)
        if not values:
            raise KeyError(name.lower())
        if len(values) == 1 or name.lower() == "set-cookie":
            return values[0]
        return ", ".join(values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([name.lower() for name, _ in self.raw]))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.raw})

    def __repr__(self) -> str:
        return f"Headers({safe_headers(self.raw)!r})"


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip("\t ")


@dataclass(frozen=True, slots=True)
class HTTPResponse:
    """A response: of a refusal with its (bounded) body, of a switch to another protocol without."""

    http_version: str  #: "1.1"
    status: int
    reason: str
    headers: Headers
    body: bytes = field(default=b"", repr=False)


def printable(text: str) -> str:
    """The text without what could move a terminal's cursor, or worse."""
    return "".join(each if each.isprintable() else "?" for each in text)


def status_text(response: HTTPResponse) -> str:
    """ "404 Not Found", for error texts: the peer's words cut, and printable."""
    reason = printable(response.reason[:EXCERPT])
    more = "..." if len(response.reason) > EXCERPT else ""
    return f"{response.status} {reason}{more}".strip()


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """The head of a request, as a server sees it."""

    method: str
    target: str
    http_version: str  #: "1.1"
    headers: Headers

    def __repr__(self) -> str:
        return f"HTTPRequest({self.method} {safe_url(self.target)} {self.headers!r})"


class HTTPFormatError(ValueError):
    """The peer's bytes are not the HTTP/1.1 that was expected, or are over a limit."""


class HTTPCutShort(HTTPFormatError):
    """The peer's bytes ended before their head did. Until there they were as expected."""


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """What is accepted from the other side before the connection is given up. Sizes in bytes."""

    #: All heads of a response together. nginx sends at most 32 KiB, Node accepts 16 KiB, and
    #: login gateways are known to set a dozen cookies of 4 KiB.
    max_head_size: int = 64 * 1024
    #: Header lines of one head.
    max_header_count: int = 256
    #: Body kept of a refusal; it is for people to read. What follows is dropped.
    max_body: int = 64 * 1024
    #: 1xx responses before the final one.
    max_informational: int = 16


def is_token(text: str) -> bool:
    """True when ``text`` is a token of RFC 9110 section 5.6.2, such as a header name."""
    return _TOKEN.fullmatch(text) is not None


def check_header(name: object, value: object) -> None:
    """Raise OptionError unless this field can be sent as it is.

    A line break in a name or value would let whoever chose it write further header lines, or a
    second request (RFC 9110 section 5.5).
    """
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise OptionError(
            f"header name {excerpt(name)} is not valid: expected letters, digits and "
            "!#$%&'*+-.^_`|~ only (RFC 9110 section 5.6.2)"
        )
    if not isinstance(value, str):
        raise OptionError(f"header {name!r}: expected a str, got {type(value).__name__}")
    found = _CONTROL.search(value)
    if found or not _is_latin_1(value):
        problem = f"the control character {found[0]!r}" if found else "a character beyond latin-1"
        shown = "" if is_secret_header(name) else f" in {excerpt(value)}"
        raise OptionError(
            f"header {name!r}: the value holds {problem}{shown}; "
            "remove it or encode the value (RFC 9110 section 5.5)"
        )


def is_sendable(value: str) -> bool:
    """True for what a header can carry as its value (RFC 9110 section 5.5)."""
    return _CONTROL.search(value) is None and _is_latin_1(value)


def _is_latin_1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


def excerpt(found: object) -> str:
    """A short form of what came, for error texts."""
    if not isinstance(found, (str, bytes)):
        return f"of type {type(found).__name__}"
    shown = repr(found[:EXCERPT])
    return shown + "..." if len(found) > EXCERPT else shown
