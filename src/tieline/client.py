"""A URL and functions → a WebSocket connection on a background thread that calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from tieline.engine.callbacks import Watcher
from tieline.engine.fragments import send_fragments
from tieline.engine.handlers import split_handlers
from tieline.engine.payloads import (
    check_frame_opcode,
    control_payload,
    encode_json,
    encode_payload,
    fragments_of,
)
from tieline.engine.pings import PingWaiter
from tieline.engine.route import check_addresses
from tieline.engine.session import Session
from tieline.engine.stats import Stats
from tieline.engine.supervisor import Supervisor
from tieline.engine.waiting import wait_for_event
from tieline.errors import ConnectionClosed, OptionError
from tieline.option_checks import MAX_SECONDS
from tieline.options import normalise_headers
from tieline.protocol.close import check_close
from tieline.protocol.events import CloseInfo
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode, Opcode
from tieline.redact import safe_url
from tieline.request_checks import HeaderPairs


class WebSocketClient:
    """A WebSocket connection that is served in the background (RFC 6455).

    `callback` gets each message (``str`` for text, ``bytes`` for binary) and ``None`` once when an
    open connection has ended. It and the ``on_...`` handlers run on the connection's background
    thread, in order and never two at a time. Every method may be called from any thread, also from
    handlers; none waits longer than its option says.

    `url_or_options` is the URL or a mapping of options that holds ``"url"``; keyword options go
    before it. Nothing is connected yet. Raises `OptionError`.
    """

    def __init__(
        self,
        callback: Callable[[Any], object] | None = None,
        url_or_options: object = None,
        /,
        **options: Any,
    ) -> None:
        handlers, self.options = split_handlers(callback, url_or_options, options)
        check_addresses(self.options)
        self._supervisor = Supervisor(self.options, handlers)

    def __repr__(self) -> str:
        return f"<WebSocketClient {self.safe_url!r} {self.state.value}>"

    # --- connecting and closing -----------------------------------------------------------------

    def connect(
        self,
        options: Mapping[str, object] | None = None,
        info: dict[str, Any] | None = None,
        *,
        headers: object = None,
        timeout: float | None = None,
    ) -> HandshakeResponse:
        """Dial, upgrade and start the background thread; return the server's response.

        `options` may hold ``"hdr"`` (or ``"headers"``): extra request headers for this connection,
        as `headers` does. `info` is filled with what happened, also when it fails. `timeout` in
        seconds replaces ``connect_timeout``. A connection that is up is first closed with 1001; a
        dial that is under way on another thread ends with `ConnectCancelled`.

        Raises `ConnectError` (and `OptionError`); the client stays usable.
        """
        extra = _connect_headers(options, headers)
        if info is not None and not isinstance(info, dict):
            raise OptionError(f"info: expected a dict to fill, got {type(info).__name__}")
        limit = self.options.connect_timeout if timeout is None else _seconds("timeout", timeout)
        return self._supervisor.connect(extra, limit, {} if info is None else info)

    def reconnect(self) -> HandshakeResponse:
        """Drop the present connection, if there is one, and dial again at once, with its headers.

        The old peer gets a Close with 1001, but its answer is not awaited. Raises `ConnectError`.
        """
        return self._supervisor.reconnect()

    def disconnect(
        self, code: int = CloseCode.GOING_AWAY, reason: str = "", *, timeout: float | None = None
    ) -> None:
        """Close the connection and wait until the background thread has delivered everything.

        Sends Close, waits for the peer's up to `timeout` (default ``close_timeout``) seconds, then
        closes the socket. Ends a dial that is under way. A no-op when there is nothing to close.
        From a handler it returns at once and the close goes on in the background.

        Raises `OptionError`, and the connection stays up, for a `code` that may not be sent (RFC
        6455 section 7.4) and for a `reason` of more than 123 bytes of UTF-8.
        """
        check_close(code, reason)
        limit = None if timeout is None else _seconds("timeout", timeout)
        self._supervisor.disconnect(code, reason, limit)

    def wait(self, timeout: float | None = None) -> CloseInfo:
        """Block until the client is closed for good, and all its handlers have returned.

        Raises `TimeoutError` when that takes longer than `timeout` seconds, and `ConnectionClosed`
        when there never was a connection. Ctrl-C interrupts it at once.
        """
        if self._supervisor.in_handler():
            raise RuntimeError("wait() in a handler would wait for the handler itself to return")
        return self._supervisor.wait(None if timeout is None else _seconds("timeout", timeout))

    def run_forever(self) -> CloseInfo | None:
        """`connect()` unless connected, then `wait()`. On Ctrl-C disconnect (1001) and return.

        Returns how the connection ended, None when Ctrl-C was pressed before there was one. After
        Ctrl-C a peer that does not answer, or a handler that does not return, is soon left behind.
        """
        try:
            if not self.is_open():
                self.connect()
            return self.wait()
        except KeyboardInterrupt:
            self._supervisor.leave()
            return self.close_info

    def __enter__(self) -> WebSocketClient:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.disconnect(CloseCode.NORMAL_CLOSURE)

    # --- sending ----------------------------------------------------------------------------------

    def send(self, message: object, *, compress: bool | None = None) -> None:
        """Send ``str`` as text, bytes-like as binary, an iterable of either in fragments.

        Returns when the bytes are with the kernel or in the write buffer. When that holds more than
        ``write_limit`` bytes it blocks, ``timeout`` seconds at most (`SendTimeout`); in a handler
        of this connection it never blocks (`SendBufferFull`). Raises `ConnectionClosed` when the
        connection is not open.
        """
        if compress:
            raise OptionError("compress=True: no compression was negotiated on this connection")
        session = self._session()
        encoded = encode_payload(message)
        if encoded is None:
            send_fragments(session, fragments_of(message))
        else:
            session.speaker.message(*encoded)

    def send_frame(self, payload: object, opcode: int, fin: bool = True) -> None:
        """Send one raw frame, for hand-made fragmentation (RFC 6455 section 5.4).

        Until its last fragment (``fin=True``) other threads' messages wait. Raises as `send` does,
        and `ProtocolError` for a frame that does not fit the ones before it.
        """
        kind = check_frame_opcode(opcode)
        if kind is Opcode.CLOSE:
            raise OptionError("opcode: a CLOSE frame is sent by disconnect(code, reason)")
        if kind is Opcode.PING or kind is Opcode.PONG:
            if not fin:
                raise OptionError(f"fin=False: a {kind.name} frame cannot be fragmented")
            (self.ping if kind is Opcode.PING else self.pong)(payload)
            return
        encoded = encode_payload(payload)
        if encoded is None:
            raise OptionError(f"payload: expected str or bytes, got {type(payload).__name__}")
        session = self._session()
        session.speaker.frames([(kind, bytes(encoded[1]), bool(fin))])

    def send_json(self, value: object) -> None:
        """Send what ``json_dumps`` makes of `value`, as text. Raises as `send` does."""
        session = self._session()
        session.speaker.message(Opcode.TEXT, encode_json(value, self.options.json_dumps))

    def ping(self, data: object = b"") -> PingWaiter:
        """Send a Ping (at most 125 bytes); ``.wait(timeout)`` gives the round trip in seconds."""
        session = self._session()
        return session.speaker.ping(control_payload(data))

    def pong(self, data: object = b"") -> None:
        """Send an unasked Pong (at most 125 bytes): a one-way heartbeat."""
        session = self._session()
        session.speaker.pong(control_payload(data))

    def wait_for(
        self,
        predicate: Callable[[Any], object],
        timeout: float | None = None,
        *,
        send: object = None,
    ) -> str | bytes:
        """Block until a message comes that `predicate` accepts, and return it.

        Handlers get the message as well. With `send`, that message is sent once the wait is set up,
        so that a quick answer is not missed. Raises `TimeoutError`, `ConnectionClosed`, and what
        the predicate raises (it runs on the background thread). Not to be called in a handler.
        """
        if not callable(predicate):
            raise OptionError(f"predicate: expected a function, got {type(predicate).__name__}")
        limit = None if timeout is None else _seconds("timeout", timeout)
        session = self._session()
        if session.in_handler():
            raise RuntimeError(
                "wait_for() in a handler would wait for the handler itself to return"
            )
        watcher = Watcher(predicate, session.connection_id)
        callbacks = self._supervisor.callbacks
        callbacks.watch(watcher)
        try:
            if not session.is_open:
                raise ConnectionClosed(
                    f"the connection is {self.state.value}: no message will come", self.close_info
                )
            if send is not None:
                self.send(send)
            if not wait_for_event(watcher.done, limit):
                raise TimeoutError(f"no message that the predicate accepts within {limit:g} s")
        finally:
            callbacks.unwatch(watcher)
        if watcher.error is not None:
            raise watcher.error
        assert watcher.message is not None
        return watcher.message

    # --- looking ------------------------------------------------------------------------------

    def is_open(self) -> bool:
        """True only while messages can be sent."""
        session = self._supervisor.present
        return session is not None and session.is_open

    isOpen = is_open  # the spelling of the system that tieline grew from

    @property
    def state(self) -> State:
        """Where the client is in its life."""
        return self._supervisor.state

    @property
    def url(self) -> str:
        """The URL as it was given; of a callable, the one that it gave last, masked (or "")."""
        url = self.options.url
        return url if isinstance(url, str) else self._supervisor.info.get("url", "")

    @property
    def safe_url(self) -> str:
        """The URL without password and secret query values, for logs."""
        return safe_url(self.url)

    @property
    def response(self) -> HandshakeResponse | None:
        """The server's answer that opened the last connection, or None."""
        return self._supervisor.response

    @property
    def subprotocol(self) -> str | None:
        """What the server chose of ``subprotocols``, or None."""
        return None if self.response is None else self.response.subprotocol

    @property
    def close_info(self) -> CloseInfo | None:
        """How the last connection ended, or None while there was none that did."""
        return self._supervisor.close_info

    @property
    def connection_id(self) -> int:
        """The connection's process-wide number, which also stands in log lines; -1 without one."""
        session = self._supervisor.present
        return -1 if session is None else session.connection_id

    @property
    def latency(self) -> float | None:
        """The last round trip of a Ping in seconds, or None."""
        return self._supervisor.last_round_trip

    def stats(self) -> Stats:
        """What the client has done so far; usable at any time."""
        return self._supervisor.stats()

    def reset_stats(self) -> None:
        """Count from zero."""
        self._supervisor.reset_stats()

    def connection_info(self) -> dict[str, Any]:
        """Addresses, TLS, proxy, timings and state, secrets masked; usable at any time."""
        return {
            **self._supervisor.info,
            "url": self.safe_url,
            "connection_id": self.connection_id,
            "state": self.state.value,
            "subprotocol": self.subprotocol,
        }

    def _session(self) -> Session:
        """The connection that messages go to. Raises `ConnectionClosed` when there is none."""
        session = self._supervisor.session
        if session is None:
            raise ConnectionClosed("not connected: call connect() first")
        return session


def _connect_headers(options: Mapping[str, object] | None, headers: object) -> HeaderPairs:
    pairs = normalise_headers(headers) if headers is not None else ()
    if options is None:
        return pairs
    if not isinstance(options, Mapping):
        raise OptionError(
            f"connect(options): expected a mapping with 'hdr', got {type(options).__name__}"
        )
    for name, value in options.items():
        if name not in ("hdr", "headers"):
            raise OptionError(
                f"connect(options): expected 'hdr' (or 'headers'), got {name!r}; other options "
                "are given to WebSocketClient"
            )
        if value is not None:
            pairs = (*normalise_headers(value), *pairs)
    return pairs


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{name}: expected seconds (a number), got {type(value).__name__}")
    if not 0 <= value <= MAX_SECONDS:
        raise OptionError(
            f"{name}: expected seconds, from 0 to {MAX_SECONDS:.0f} (24 days), got {value!r}"
        )
    return float(value)
