# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Bytes ↔ the opening handshake: a connection before its first frame, for both roles."""

from __future__ import annotations

from functools import partial

from tieline.compression import Deflate
from tieline.errors import HandshakeError
from tieline.headers import HeadLimits, HTTPFormatError
from tieline.protocol.deflate import Agreement, answer
from tieline.protocol.events import HandshakeFailed, Opened, RequestReceived
from tieline.protocol.handshake import (
    EXTENSIONS,
    RequestRefused,
    UpgradeRequest,
    accept_value,
    check_request,
    check_response,
    make_key,
)
from tieline.upgrade_exchange import UpgradeExchange, write_line

#: Header fields that a server adds to its answer.
Fields = tuple[tuple[str, str], ...]


class ClientOpening:
    """Asks for the upgrade and judges the answer. `url` is for error texts and holds no secret."""

    def __init__(
        self, request: UpgradeRequest, url: str, random_bytes: bytes, limits: HeadLimits
    ) -> None:
        self.key = make_key(random_bytes)
        self.request = request
        self._url = url
        # What is asked for the headers does not refer to this: the two would live on together.
        headers = partial(request.header_list, self.key)
        line, around = write_line(request.target), request.written
        # None: h11 is to say.
        written = None
        if line is not None and around is not None:
            written = line + self.key.encode("ascii").join(around)
        self._exchange = UpgradeExchange(request.target, headers, limits, written)
        self._error: HTTPFormatError | None = None
        #: How messages are compressed; None before the answer, and when they are not.
        self.agreement: Agreement | None = None

    def headers(self) -> list[tuple[str, str]]:
        """The request's headers, secrets included."""
        return self.request.header_list(self.key)

    def start(self) -> bytes:
        """The request."""
        return self._exchange.request_bytes()

    def receive_data(self, data: bytes) -> None:
        try:
            self._exchange.receive_data(data)
        except HTTPFormatError as error:
            self._error = error

    def receive_eof(self) -> None:
        try:
            self._exchange.receive_eof()
        except HTTPFormatError as error:
            self._error = error

    def next_event(self) -> Opened | HandshakeFailed | None:
        """The verdict, as soon as there is one."""
        if self._error is not None:
            return HandshakeFailed(
                HandshakeError(f"{self._url} did not answer the WebSocket upgrade: {self._error}")
            )
        response = self._exchange.response
        if response is None:
            return None
        try:
            accepted, self.agreement = check_response(
                response, self.request, self.key, self._url, self._exchange.values
            )
        except HandshakeError as error:
            return HandshakeFailed(error)
        return Opened(accepted)

    @property
    def is_refused(self) -> bool:
        """The head of an answer that refuses is in, but its body may still be on its way."""
        return self._exchange.head_complete and self._exchange.response is None

    def stop_waiting_for_body(self) -> None:
        """Take what came of a refusal's body as all of it."""
        self._exchange.finish()

    @property
    def trailing_data(self) -> bytes:
        """What came behind the response: the first frames may share its packet."""
        return self._exchange.trailing_data


class ServerOpening:
    """Judges an upgrade request and answers it. `compression` is what it takes of the offers."""

    def __init__(self, limits: HeadLimits, compression: Deflate | None = None) -> None:
        from tieline.http1 import ServerExchange  # and h11, which a client seldom needs

        self._compression = compression
        self._exchange = ServerExchange(limits)
        self._error: HTTPFormatError | None = None
        self._key = ""
        self._judged = False
        self._extensions: tuple[str, Agreement] | None = None
        #: How messages are compressed; None before `accept`, and when they are not.
        self.agreement: Agreement | None = None
        self._at_eof = False
        #: The answer to a request that broke the rules; the driver sends it with the failure.
        self.refusal = b""

    def receive_data(self, data: bytes) -> None:
        try:
            self._exchange.receive_data(data)
        except HTTPFormatError as error:
            self._error = error

    def receive_eof(self) -> None:
        if self._exchange.request is None and self._error is None:
            self._at_eof = True
            self._error = HTTPFormatError(
                "the client closed the connection before its request was complete"
            )

    def next_event(self) -> RequestReceived | HandshakeFailed | None:
        """A valid request, once, or the failure."""
        if self._error is not None:
            if not self._at_eof:
                # 4.2.1: what is no handshake is answered with an HTTP error.
                self.refusal = self.reject(400, str(self._error))
            return HandshakeFailed(HandshakeError(f"no upgrade request: {self._error}"))
        request = self._exchange.request
        if request is None or self._judged:
            return None
        self._judged = True
        try:
            self._key, subprotocols = check_request(request)
        except RequestRefused as refused:
            self.refusal = self.reject(refused.status, str(refused), refused.headers)
            return HandshakeFailed(HandshakeError(f"refused an upgrade request: {refused}"))
        if self._compression is not None:
            self._extensions = answer(self._compression, request.headers.get_all(EXTENSIONS))
        return RequestReceived(request, subprotocols)

    def accept(self, subprotocol: str | None, headers: Fields) -> bytes:
        """Section 4.2.2: the answer that completes the handshake.

        Who gives a Sec-WebSocket-Extensions of his own speaks that extension himself.
        """
        pairs = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_value(self._key)),
        ]
        if subprotocol is not None:
            pairs.append(("Sec-WebSocket-Protocol", subprotocol))
        by_caller = any(name.lower() == EXTENSIONS.lower() for name, _ in headers)
        if self._extensions is not None and not by_caller:
            text, self.agreement = self._extensions
            pairs.append((EXTENSIONS, text))
        return self._exchange.respond(101, "Switching Protocols", [*pairs, *headers])

    def reject(self, status: int, text: str, headers: Fields = (), reason: str = "") -> bytes:
        """An answer other than 101, with `text` as its body."""
        body = text.encode()
        pairs = (
            [("Connection", "close")]
            if not any(n.lower() == "connection" for n, _ in headers)
            else []
        )
        pairs += [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        return self._exchange.respond(status, reason, [*pairs, *headers], body)

    @property
    def trailing_data(self) -> bytes:
        """What came behind the request."""
        return self._exchange.trailing_data
