# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""An upgrade request and its answer ↔ bytes: the plain ones at once, all others by h11.

Nearly every handshake is the same two heads: a GET without a body, and a 101 that comes whole. h11
takes longer for these than the rest of the client for the whole connection, so they are written
and read here, each by one regular expression. Whatever is not plain in every detail is left to
h11 from its first byte on, so what is accepted, refused and said in errors is the same
(`tests/test_upgrade_exchange.py` compares the two on any input).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tieline.headers import Headers, HeadLimits, HTTPResponse
from tieline.making import unfinished
from tieline.patterns import pattern

if TYPE_CHECKING:
    from tieline.http1 import ClientExchange

_UnfinishedResponse = unfinished(HTTPResponse)

# Tokens and printable text (RFC 9110 sections 5.6.2 and 5.5). Possessive (++), so that no input
# makes it look twice at a character.
_LINE = pattern(r"([-!#$%&'*+.^_`|~0-9A-Za-z]++): ([\t\x20-\x7e\x80-\xff]*+)\r\n")
_SWITCH = pattern(
    rb"HTTP/1\.1 101(?: ([\t\x20-\x7e\x80-\xff]*+))?\r\n"
    rb"((?:[-!#$%&'*+.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+)\r\n"
)
_FIELD = pattern(r"([^:]++):[\t ]*+([^\r]*+)\r\n")

#: The whitespace that HTTP has (RFC 9110 section 5.6.3).
_BLANKS = "\t "

#: They say how a body is framed, and so mean more than their text.
_FRAMING = frozenset({"content-length", "transfer-encoding"})


#: The names in the answers of nearly all servers, as they write them, to what they mean.
_USUAL_NAMES = {
    spelling: name.lower()
    for name in (
        "Upgrade",
        "Connection",
        "Date",
        "Server",
        "Via",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Version",
    )
    for spelling in (name, name.lower(), name.replace("WebS", "Webs"))
}

#: Lines of nearly every answer, to what they mean.
_USUAL_LINES: dict[str, tuple[str, tuple[str, ...]]] = {
    f"{name}: {value}": (name.lower(), (value,))
    for name, value in (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Connection", "upgrade"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("connection", "upgrade"),
    )
}

#: The values of each name in lower case.
Values = dict[str, tuple[str, ...]]

#: Connections keep the reason: nearly all share this one.
_USUAL_REASON = "Switching Protocols"


class UpgradeExchange:
    """A GET that asks for an upgrade, and its response. Not thread-safe.

    To be used as `tieline.http1.ClientExchange`, whose limits and errors it has. `written`: what
    `write_request` gives for these headers, if that is known; then they may be a function, which
    is asked when they are needed after all.
    """

    def __init__(
        self,
        target: str,
        headers: Sequence[tuple[str, str]] | Callable[[], Sequence[tuple[str, str]]],
        limits: HeadLimits | None = None,
        written: bytes | None = None,
    ) -> None:
        self._target = target
        self._headers = headers
        self._limits = limits or HeadLimits()
        # Takes over for good when something comes, or is asked for, that is not plain.
        self._h11: ClientExchange | None = None
        if written is None and not callable(headers):
            written = write_request(target, headers)
        # Nobody asks for it twice.
        self._request = written or self._by_h11().request_bytes()
        self._switched: HTTPResponse | None = None
        #: The values of each field of a 101, names in lower case; None: they were not looked at.
        self.values: Values | None = None
        self._trailing_data = b""

    def _by_h11(self) -> ClientExchange:
        if self._h11 is None:
            # Imported when it is needed, which for most programs is never.
            from tieline.http1 import ClientExchange

            headers = self._headers() if callable(self._headers) else self._headers
            self._h11 = ClientExchange("GET", self._target, headers, self._limits)
        return self._h11

    def request_bytes(self) -> bytes:
        return self._request

    @property
    def response(self) -> HTTPResponse | None:
        """The response, once it is complete."""
        return self._switched if self._h11 is None else self._h11.response

    @property
    def head_complete(self) -> bool:
        """True once status and headers are known, though the body may still be on its way."""
        return self._switched is not None if self._h11 is None else self._h11.head_complete

    @property
    def trailing_data(self) -> bytes:
        """The bytes after the head of a 101: the new protocol's first ones."""
        return self._trailing_data if self._h11 is None else self._h11.trailing_data

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer. Raises HTTPFormatError when they cannot be a response."""
        if self._switched is not None:
            self._trailing_data += data
            return
        if self._h11 is None:
            found = read_switch(data, self._limits)
            if found is not None:
                self._switched, size, self.values = found
                self._trailing_data = data[size:]
                return
        if data:
            self._by_h11().receive_data(data)

    def receive_eof(self) -> None:
        """The peer ended the stream. Raises HTTPCutShort if the head was not complete."""
        if self._switched is None:
            self._by_h11().receive_eof()

    def finish(self) -> None:
        """Set ``response`` from what has come so far; needs ``head_complete``."""
        if self._switched is None:
            self._by_h11().finish()


def write_request(target: str, headers: Sequence[tuple[str, str]]) -> bytes | None:
    """The bytes of a GET; None: h11 is to judge these headers, or to say what is wrong."""
    line, fields = write_line(target), write_fields(headers)
    return None if line is None or fields is None else line + fields


def write_line(target: str) -> bytes | None:
    """The first line of a GET; None: it cannot be written so."""
    if not target or not target.isascii() or not target.isprintable() or " " in target:
        return None
    return b"GET " + target.encode("ascii") + b" HTTP/1.1\r\n"


def write_fields(headers: Sequence[tuple[str, str]]) -> bytes | None:
    """What follows the first line, to the end; None as for `write_request`."""
    try:
        fields = [(name, value.strip(_BLANKS)) for name, value in headers]
        names = [name.lower() for name, _ in fields]
    except AttributeError:
        return None
    if names.count("host") != 1 or not _FRAMING.isdisjoint(names):
        return None
    if names[0] != "host":
        # RFC 9110 section 7.2: it should come first.
        fields.insert(0, fields.pop(names.index("host")))
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields])
    # Read back it has to be the very same: so nothing in it ends a line or a name early.
    if _LINE.findall(lines) != fields:
        return None
    return f"{lines}\r\n".encode("latin-1")


def read_switch(data: bytes, limits: HeadLimits) -> tuple[HTTPResponse, int, Values] | None:
    """The 101 that `data` begins with, its size and its values; None: h11 is to read it."""
    found = _usual_switch(data) or _any_switch(data)
    if found is None:
        return None
    reason, section, values, count, size = found
    if size > limits.max_head_size or count > limits.max_header_count:
        return None
    made = _UnfinishedResponse()
    made.http_version = "1.1"
    made.status = 101
    made.reason = reason
    # Each connection keeps them, and hardly ever does anybody ask for more than `values`.
    made.headers = Headers.unread(section) if section else Headers()
    made.body = b""
    made.__class__ = HTTPResponse
    return made, size, values


#: A reason, the lines of header fields, their values and number, and the size of it all.
_Switch = tuple[str, bytes, Values, int, int]


def _usual_switch(data: bytes) -> _Switch | None:
    """One without tabs, with no other fields than nearly all servers send."""
    end = data.find(b"\r\n\r\n")
    if end < 0 or not data.startswith(b"HTTP/1.1 101 "):
        return None
    lines = data[13:end].decode("latin-1").split("\r\n")
    reason = lines[0]
    values: Values = {}
    for index in range(1, len(lines)):
        line = lines[index]
        if line in _USUAL_LINES:
            known, found = _USUAL_LINES[line]
        else:
            name, colon, value = line.partition(":")
            # What is not printable here is a tab, or no part of a line.
            if not colon or name not in _USUAL_NAMES or not value.isprintable():
                return None
            known, found = _USUAL_NAMES[name], (value.strip(" "),)
        values[known] = values[known] + found if known in values else found
    if not reason.isprintable():
        return None
    section = data[15 + len(reason) : end]
    reason = _USUAL_REASON if reason == _USUAL_REASON else reason.strip()
    return reason, section, values, len(lines) - 1, end + 4


def _any_switch(data: bytes) -> _Switch | None:
    found = _SWITCH.match(data)
    if found is None:
        return None
    reason, lines = found.groups(b"")
    values: Values = {}
    fields = _FIELD.findall(str(lines, "latin-1"))
    for name, value in fields:
        known = name.lower()
        values[known] = (*values.get(known, ()), value.rstrip(_BLANKS))
    if not _FRAMING.isdisjoint(values):
        return None
    return str(reason, "latin-1").strip(), lines[:-2], values, len(fields), found.end()
