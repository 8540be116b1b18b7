# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""The opening handshake (RFC 6455 section 4): request → bytes, and response → accepted or refused.

Both roles. The HTTP itself is `tieline.http1`'s and `tieline.upgrade_exchange`'s.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tieline.compression import Deflate
from tieline.errors import HandshakeError
from tieline.headers import Headers, HTTPRequest, HTTPResponse, excerpt
from tieline.making import unfinished
from tieline.protocol.deflate import Agreement, check_answer, offer
from tieline.protocol.extensions import parse_extensions
from tieline.protocol.refusal import explain_status
from tieline.redact import safe_headers, safe_subprotocol, safe_url
from tieline.upgrade_exchange import Values, write_fields

#: Section 1.3: proves that the server understands WebSocket; no other meaning.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

VERSION = "13"

KEY = "Sec-WebSocket-Key"

#: The handshake owns this line, and no header before it can hold a line break.
_KEY_LINE = b"\r\nSec-WebSocket-Key: "

EXTENSIONS = "Sec-WebSocket-Extensions"


#: A request as users may see it: the target and the headers, secrets masked.
Masked = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """What a client asks for. `headers` come after the ones that the handshake owns.

    One may serve for any number of handshakes: each has a key of its own.
    """

    host: str
    #: Path and query, which may hold a token, as headers may hold a password: not in the repr.
    target: str = field(repr=False)
    #: One of them may be a token, too.
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    origin: str | None = None
    user_agent: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    #: What to offer; None: no extension.
    compression: Deflate | None = None
    _written: tuple[bytes, bytes] | None = field(
        default=None, init=False, compare=False, repr=False
    )
    _masked: Masked | None = field(default=None, init=False, compare=False, repr=False)

    @property
    def masked(self) -> Masked:
        """The request as users may see it; its key is ""."""
        masked = self._masked
        if masked is None:
            masked = safe_url(self.target), tuple(safe_headers(self.header_list("")))
            object.__setattr__(self, "_masked", masked)
        return masked

    @property
    def written(self) -> tuple[bytes, bytes] | None:
        """The header fields before and after the key's value; None: h11 is to judge them."""
        if self._written is None:
            fields = write_fields(self.header_list(""))
            if fields is None:
                return None
            before, line, after = fields.partition(_KEY_LINE)
            object.__setattr__(self, "_written", (before + line, after))
        return self._written

    def asking_for(self, target: str) -> UpgradeRequest:
        """The same with another target."""
        made = _UnfinishedRequest()
        made.host, made.target, made.headers = self.host, target, self.headers
        made.subprotocols, made.compression = self.subprotocols, self.compression
        made.origin, made.user_agent = self.origin, self.user_agent
        made._written, made._masked = self.written, None
        made.__class__ = UpgradeRequest
        return made  # type: ignore[no-any-return]

    def header_list(self, key: str) -> list[tuple[str, str]]:
        """The request's headers in the order in which they are sent (section 4.1)."""
        given = {name.lower() for name, _ in self.headers}
        pairs = [] if "host" in given else [("Host", self.host)]
        pairs += [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            (KEY, key),
            ("Sec-WebSocket-Version", VERSION),
        ]
        if self.subprotocols:
            pairs.append(("Sec-WebSocket-Protocol", ", ".join(self.subprotocols)))
        if self.compression is not None:
            pairs.append((EXTENSIONS, offer(self.compression)))
        if self.origin is not None and "origin" not in given:
            pairs.append(("Origin", self.origin))
        if self.user_agent and "user-agent" not in given:
            pairs.append(("User-Agent", self.user_agent))
        return [*pairs, *self.headers]


_UnfinishedRequest = unfinished(UpgradeRequest)


@dataclass(frozen=True, eq=False, slots=True)
class HandshakeResponse(Mapping[str, Any]):
    """The server's answer to the upgrade request.

    Also readable as a mapping: ``http_version``, ``status_code``, ``status_message`` and the
    lower-case header names.
    """

    http_version: str
    status: int
    reason: str
    headers: Headers
    #: The body of a refused handshake, cut at its limit; empty after an accepted one.
    body: bytes = field(default=b"", repr=False)
    #: Not in the repr, since it may be a token; there it is among the headers, masked if need be.
    subprotocol: str | None = field(default=None, repr=False)
    #: The accepted extensions with their parameters, as the server answered them.
    extensions: tuple[str, ...] = ()
    #: The URL that was asked last, after redirects, without its secrets.
    url: str = ""
    #: True when a connection was lost, or dropped, that this one replaces.
    reconnected: bool = False
    #: Dials until this answer came: 1 when the first one succeeded.
    attempts: int = 1
    #: Seconds without a connection before this one; 0.0 for the first one.
    downtime: float = 0.0

    def _status_line(self) -> dict[str, Any]:
        return {
            "http_version": self.http_version,
            "status_code": self.status,
            "status_message": self.reason,
        }

    def __getitem__(self, key: str) -> Any:
        line = self._status_line()
        return line[key] if key in line else self.headers[key]

    def __iter__(self) -> Iterator[str]:
        yield from self._status_line()
        yield from self.headers

    def __len__(self) -> int:
        return len(self._status_line()) + len(self.headers)


_UnfinishedResponse = unfinished(HandshakeResponse)


def answer_of(
    response: HTTPResponse,
    url: str,
    subprotocol: str | None = None,
    extensions: tuple[str, ...] = (),
) -> HandshakeResponse:
    """An answer as users see it."""
    made = _UnfinishedResponse()
    made.http_version = response.http_version
    made.status = response.status
    made.reason = response.reason
    made.headers = response.headers
    made.body = response.body
    made.subprotocol = subprotocol
    made.extensions = extensions
    made.url = url
    made.reconnected = False
    made.attempts = 1
    made.downtime = 0.0
    made.__class__ = HandshakeResponse
    return made  # type: ignore[no-any-return]


def make_key(random_bytes: bytes) -> str:
    """The Sec-WebSocket-Key of 16 fresh random bytes."""
    if len(random_bytes) != 16:
        raise ValueError(f"expected 16 random bytes, got {len(random_bytes)}")
    encoded = b2a_base64(random_bytes)
    return encoded[:-1].decode("ascii")


def accept_value(key: str) -> str:
    """The Sec-WebSocket-Accept that proves that the server has read `key` (section 4.2.2)."""
    digest = _sha1()(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    encoded = b2a_base64(digest)
    return encoded[:-1].decode("ascii")


@cache
def _sha1() -> Callable[..., Any]:
    from hashlib import sha1  # and OpenSSL's library, at the first handshake

    return sha1


def check_response(
    response: HTTPResponse, request: UpgradeRequest, key: str, url: str, known: Values | None = None
) -> tuple[HandshakeResponse, Agreement | None]:
    """Section 4.1, the client's checks, in its order: the answer, and what compression it allows.

    `known`: the values of each name in its headers, if somebody has sorted them.
    Raises `HandshakeError`.
    """
    headers = response.headers
    if response.status != 101:
        raise _refusal(response, url, explain_status(response))
    by_name = _by_name(headers.raw) if known is None else known
    # Nearly all servers write these two so, and then there is nothing to take apart.
    upgrade, connection = by_name.get("upgrade", ()), by_name.get("connection", ())
    if upgrade != ("websocket",) and ", ".join(upgrade).strip(" \t").lower() != "websocket":
        found = _found(headers, "upgrade")
        raise _refusal(response, url, f"expected 'Upgrade: websocket', got {found}")
    if connection != ("Upgrade",) and "upgrade" not in _tokens(headers, "connection"):
        found = _found(headers, "connection")
        raise _refusal(response, url, f"expected 'Connection: Upgrade', got {found}")
    # Compared exactly: 4.2.2 leaves no freedom, and a different case is a different value.
    expected = accept_value(key)
    if by_name.get("sec-websocket-accept") != (expected,):
        found = _found(headers, "sec-websocket-accept")
        raise _refusal(response, url, f"expected 'Sec-WebSocket-Accept: {expected}', got {found}")
    answered = by_name.get("sec-websocket-extensions")
    agreement: Agreement | None = None
    extensions: tuple[str, ...] = ()
    if answered:
        try:
            agreement = check_answer(request.compression, answered)
        except ValueError as error:
            raise _refusal(response, url, str(error)) from None
        extensions = tuple(map(str, parse_extensions(answered)))
    chosen = by_name.get("sec-websocket-protocol")
    if chosen and (len(chosen) > 1 or chosen[0] not in request.subprotocols):
        offered = ", ".join(map(safe_subprotocol, request.subprotocols)) or "none"
        found = _shown(list(map(safe_subprotocol, chosen)))
        raise _refusal(
            response, url, f"expected one of the offered subprotocols ({offered}), got {found}"
        )
    accepted = answer_of(response, url, chosen[0] if chosen else None, extensions)
    return accepted, agreement


def _by_name(fields: tuple[tuple[str, str], ...]) -> Values:
    """The values of each name, in lower case."""
    found: Values = {}
    for name, value in fields:
        found[name.lower()] = (*found.get(name.lower(), ()), value)
    return found


def _refusal(response: HTTPResponse, url: str, text: str) -> HandshakeError:
    answer = answer_of(response, url)
    return HandshakeError(f"{url} did not accept the WebSocket upgrade: {text}", answer)


def check_request(request: HTTPRequest) -> tuple[str, tuple[str, ...]]:
    """Section 4.2.1, the server's checks: the key and the offered subprotocols.

    Raises `RequestRefused` with the status to answer.
    """
    headers = request.headers
    if request.method != "GET":
        raise RequestRefused(405, f"expected GET, got {request.method}", (("Allow", "GET"),))
    if request.http_version != "1.1":
        raise RequestRefused(505, f"expected HTTP/1.1, got HTTP/{request.http_version}")
    if len(headers.get_all("host")) != 1:
        raise RequestRefused(400, "expected one Host header")
    if "websocket" not in _tokens(headers, "upgrade"):
        raise RequestRefused(
            426,
            f"expected 'Upgrade: websocket', got {_found(headers, 'upgrade')}",
            (("Upgrade", "websocket"), ("Connection", "Upgrade")),
        )
    if "upgrade" not in _tokens(headers, "connection"):
        raise RequestRefused(
            400, f"expected 'Connection: Upgrade', got {_found(headers, 'connection')}"
        )
    if headers.get_all("sec-websocket-version") != [VERSION]:
        raise RequestRefused(
            426,
            f"expected version {VERSION}, got {_found(headers, 'sec-websocket-version')}",
            (("Sec-WebSocket-Version", VERSION),),
        )
    keys = headers.get_all("sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise RequestRefused(400, "expected one Sec-WebSocket-Key of 16 bytes in base64")
    subprotocols = [
        token.strip()
        for value in headers.get_all("sec-websocket-protocol")
        for token in value.split(",")
        if token.strip()
    ]
    try:
        parse_extensions(headers.get_all(EXTENSIONS))
    except ValueError as error:
        raise RequestRefused(400, str(error)) from None
    return keys[0], tuple(subprotocols)


class RequestRefused(Exception):
    """An upgrade request that breaks the rules, and how to answer it."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers


def _is_key(value: str) -> bool:
    try:
        return len(a2b_base64(value, strict_mode=True)) == 16
    except (Base64Error, ValueError):
        return False


def _tokens(headers: Headers, name: str) -> set[str]:
    """The header's comma-separated tokens, over all its lines, in lower case."""
    # Only these two are whitespace to HTTP (RFC 9110 section 5.6.3).
    values = headers.get_all(name)
    return {token.strip(" \t").lower() for value in values for token in value.split(",")}


def _found(headers: Headers, name: str) -> str:
    values = headers.get_all(name)
    return _shown(values) if values else "none"


def _shown(values: list[str]) -> str:
    """What came, for an error: as much of it as a reader needs."""
    more = f" and {len(values) - 3} more" if len(values) > 3 else ""
    return " and ".join(map(excerpt, values[:3])) + more
