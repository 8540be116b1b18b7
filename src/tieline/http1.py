"""HTTP/1.1 bytes ↔ one request and its one response, with limits, on h11.

The opening handshake (RFC 6455 section 4) and the proxy's CONNECT (RFC 9110 section 9.3.6) both
are "one request, one response, and from there on the bytes belong to somebody else". Nothing
here does I/O: bytes go in and come out as arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import h11

from tieline.errors import OptionError
from tieline.headers import (
    EXCERPT,
    Headers,
    HeadLimits,
    HTTPCutShort,
    HTTPFormatError,
    HTTPRequest,
    HTTPResponse,
    check_header,
    excerpt,
)
from tieline.not_http import looks_like
from tieline.redact import safe_url


class ClientExchange:
    """One request and its response, seen from the client. Not thread-safe.

    Send ``request_bytes()``, then feed what arrives to ``receive_data`` until ``response`` is
    set: on the head of a 101 or of a 2xx to CONNECT, otherwise when the body is complete, is as
    long as ``max_body`` (and cut there), or ends with the stream. Other 1xx are skipped.
    ``finish()`` stops waiting for a body that may never come.
    """

    def __init__(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        limits: HeadLimits | None = None,
    ) -> None:
        self._limits = limits or HeadLimits()
        self._connection = _connection(h11.CLIENT, self._limits)
        self._request = _request_bytes(self._connection, method, target, list(headers))
        self._heads = _HeadReader(self._connection, self._limits, "response", b"HTTP/")
        self._informational = 0
        self._head: HTTPResponse | None = None
        self._body = bytearray()
        #: The response, once it is complete.
        self.response: HTTPResponse | None = None
        #: The bytes after the head of a 101 or a 2xx to CONNECT: the new protocol's first ones.
        self.trailing_data = b""
        self._switched = False

    @property
    def head_complete(self) -> bool:
        """True once status and headers are known, though the body may still be on its way."""
        return self._head is not None

    def request_bytes(self) -> bytes:
        return self._request

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes from the peer. Raises HTTPFormatError when they cannot be a response."""
        rest = memoryview(data)
        while len(rest) and not self.head_complete:
            rest = self._heads.feed(rest)
            while self._head is None and (event := self._heads.next_event()) is not None:
                self._on_head(event)
        if self._switched:
            self.trailing_data += bytes(rest)
        elif self.response is None and self._head is not None:
            self._read_body(bytes(rest))

    def receive_eof(self) -> None:
        """The peer ended the stream. Raises HTTPCutShort if the head was not complete."""
        if self._head is None:
            raise self._heads.ended_early()
        self.finish()

    def finish(self) -> None:
        """Set ``response`` from what has come so far; needs ``head_complete``."""
        if self._head is None:
            raise RuntimeError("finish() needs a complete head")
        if self.response is None:
            head = self._head
            body = bytes(self._body[: self._limits.max_body])
            self.response = HTTPResponse(
                head.http_version, head.status, head.reason, head.headers, body
            )

    def _on_head(self, event: h11.InformationalResponse | h11.Response) -> None:
        switching = self._connection.their_state is h11.SWITCHED_PROTOCOL
        if isinstance(event, h11.InformationalResponse) and not switching:
            self._informational += 1
            if self._informational > self._limits.max_informational:
                raise HTTPFormatError(
                    f"expected a final response, got more than {self._limits.max_informational} "
                    f"informational ones, the last with status {event.status_code}"
                )
            return
        self._head = HTTPResponse(
            event.http_version.decode("ascii"),
            event.status_code,
            event.reason.decode("latin-1").strip(),
            _headers(event),
        )
        if switching:
            self._switched = True
            self.trailing_data = self._connection.trailing_data[0]
            self.finish()

    def _read_body(self, data: bytes) -> None:
        if data:
            self._connection.receive_data(data)
        try:
            while len(self._body) < self._limits.max_body:
                event = self._connection.next_event()
                if not isinstance(event, h11.Data):
                    break
                self._body += event.data
            else:
                self.finish()
                return
        except h11.RemoteProtocolError:
            # The status is what the caller needs; a body that is framed wrongly just ends here.
            self.finish()
            return
        if event is not h11.NEED_DATA:
            self.finish()


class ServerExchange:
    """One request and its response, seen from the server. Not thread-safe.

    Feed ``receive_data`` until ``request`` is set (its head is complete; a body is not read),
    then write what ``respond`` returns. Testing and the demo server stand on it.
    """

    def __init__(self, limits: HeadLimits | None = None) -> None:
        self._connection = _connection(h11.SERVER, limits or HeadLimits())
        self._heads = _HeadReader(self._connection, limits or HeadLimits(), "request", b"")
        #: The request, once its head is complete.
        self.request: HTTPRequest | None = None
        #: The bytes after the request's head.
        self.trailing_data = b""

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes from the peer. Raises HTTPFormatError when they cannot be a request."""
        rest = memoryview(data)
        while len(rest) and self.request is None:
            rest = self._heads.feed(rest)
            event = self._heads.next_event()
            if isinstance(event, h11.Request):
                self.request = HTTPRequest(
                    event.method.decode("ascii"),
                    event.target.decode("ascii"),
                    event.http_version.decode("ascii"),
                    _headers(event),
                )
                # Lets h11 reach the end of a request without a body, where it may switch.
                if self._connection.their_state is h11.SEND_BODY and not _has_body(event):
                    self._connection.next_event()
                self.trailing_data = self._connection.trailing_data[0]
        self.trailing_data += bytes(rest)

    def receive_eof(self) -> None:
        """The peer ended the stream. Raises HTTPCutShort if the head was not complete."""
        if self.request is None:
            raise self._heads.ended_early()

    def respond(
        self, status: int, reason: str, headers: Iterable[tuple[str, str]], body: bytes = b""
    ) -> bytes:
        """The response's bytes, also to a request that was refused with HTTPFormatError.

        Adds Content-Length and "Connection: close" to a response that does not switch protocols.
        """
        fields = _encoded(list(headers))
        if status < 200:
            return _send(
                self._connection,
                h11.InformationalResponse(
                    status_code=status, headers=fields, reason=reason.encode("latin-1")
                ),
            )
        tunnel = self.request is not None and self.request.method == "CONNECT" and status < 300
        if not tunnel:
            present = {name.lower() for name, _ in fields}
            if not present & {b"content-length", b"transfer-encoding"} and status not in (204, 304):
                fields.append((b"Content-Length", str(len(body)).encode()))
            if b"connection" not in present:
                fields.append((b"Connection", b"close"))
        response = h11.Response(status_code=status, headers=fields, reason=reason.encode("latin-1"))
        head = _send(self._connection, response)
        if tunnel:
            return head
        return (
            head
            + (_send(self._connection, h11.Data(data=body)) if body else b"")
            + _send(self._connection, h11.EndOfMessage())
        )


class _HeadReader:
    """Feeds h11 no more than a head may have, whatever the pieces the bytes come in."""

    def __init__(
        self, connection: h11.Connection, limits: HeadLimits, what: str, prefix: bytes
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._what = what
        self._prefix = prefix
        self._start = bytearray()  # what errors show, and what the prefix is compared with
        self.received = 0

    def feed(self, data: memoryview) -> memoryview:
        """Pass on what still fits; return what does not."""
        room = self._limits.max_head_size - self.received
        if room <= 0:
            raise HTTPFormatError(
                f"expected an HTTP/1.1 {self._what} head of at most "
                f"{self._limits.max_head_size} bytes, got more; it starts with {self._shown()}"
            )
        piece = bytes(data[:room])
        self.received += len(piece)
        self._start += piece[: EXCERPT + 1 - len(self._start)]
        self._check_start()
        self._connection.receive_data(piece)
        return data[len(piece) :]

    def ended_early(self) -> HTTPCutShort:
        """The error for a stream that ended within a head."""
        shown = f"; it starts with {self._shown()}" if self._start else ""
        return HTTPCutShort(
            f"connection closed before the {self._what} head was complete, "
            f"after {self.received} bytes{shown}"
        )

    def next_event(self) -> Any:
        """The next head, or None if it is not complete yet."""
        try:
            event: Any = self._connection.next_event()
        except h11.RemoteProtocolError as error:
            raise self._explained(error) from None
        if event is h11.NEED_DATA:
            return None
        is_switch = self._connection.their_state is h11.SWITCHED_PROTOCOL
        if isinstance(event, h11.InformationalResponse) and not is_switch:
            # Another head follows, and errors are to show that one's first line.
            self._start = bytearray(self._connection.trailing_data[0][: EXCERPT + 1])
            self._check_start()
        if len(event.headers) > self._limits.max_header_count:
            raise HTTPFormatError(
                f"expected at most {self._limits.max_header_count} header lines, "
                f"got {len(event.headers)}"
            )
        return event

    def _check_start(self) -> None:
        compared = min(len(self._prefix), len(self._start))
        # Some peers (an SSH or SMTP server) send a greeting and wait: tell at the first byte.
        if self._start[:compared] != self._prefix[:compared]:
            raise self._unexpected()

    def _unexpected(self) -> HTTPFormatError:
        likeness = looks_like(bytes(self._start)) if self._prefix else ""
        return HTTPFormatError(f"expected an HTTP/1.1 {self._what}, got {self._shown()}{likeness}")

    def _explained(self, error: h11.RemoteProtocolError) -> HTTPFormatError:
        text = str(error)
        if "status line" in text or "request line" in text or "response line" in text:
            return self._unexpected()
        if "without a pending proposal" in text:
            text = "it switches to another protocol (101), which was not asked for"
        if text.startswith("illegal header line"):
            # h11 shows the line; its value may be a cookie.
            text = "a header line is malformed (RFC 9112 section 5)"
        return HTTPFormatError(
            f"expected an HTTP/1.1 {self._what} head, but {text}; it starts with {self._shown()}"
        )

    def _shown(self) -> str:
        # The first line only: the ones after it may be cookies.
        line = bytes(self._start).split(b"\r")[0].split(b"\n")[0]
        # A request line may have a token in its target.
        return excerpt(safe_url(line.decode("latin-1")).encode("latin-1"))


def _connection(role: Any, limits: HeadLimits) -> h11.Connection:
    # _HeadReader is the one that enforces the limit, exactly; h11 must not be stricter.
    return h11.Connection(role, max_incomplete_event_size=limits.max_head_size + 1)


def _request_bytes(
    connection: h11.Connection, method: str, target: str, headers: list[tuple[str, str]]
) -> bytes:
    fields = _encoded(headers)
    try:
        request = h11.Request(method=method, target=target, headers=fields)
        head = _send(connection, request)
    except (h11.LocalProtocolError, UnicodeError):
        # Without the cause: its text may quote a target with a token in it.
        raise OptionError(
            f"cannot send {method} {safe_url(target)} as HTTP/1.1: expected one Host header, "
            "and a target of printable ASCII characters without spaces"
        ) from None
    return head + _send(connection, h11.EndOfMessage())


def _send(connection: h11.Connection, event: Any) -> bytes:
    return bytes(connection.send(event) or b"")


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    for name, value in headers:
        check_header(name, value)
    # Whitespace around a value is no part of it (RFC 9110 section 5.5).
    return [(name.encode("ascii"), value.strip(" \t").encode("latin-1")) for name, value in headers]


def _headers(event: h11.Request | h11.InformationalResponse | h11.Response) -> Headers:
    return Headers(
        (name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers.raw_items()
    )


def _has_body(request: h11.Request) -> bool:
    names = {name for name, _ in request.headers}
    return bool(names & {b"content-length", b"transfer-encoding"})
