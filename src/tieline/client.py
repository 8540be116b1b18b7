"""A URL and functions → a WebSocket connection on a background thread that calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tieline.absent import Absent
from tieline.engine.callbacks import Watcher
from tieline.engine.delivery import Delivery
from tieline.engine.handlers import check_function, split_handlers
from tieline.engine.reactor import OwnReactor
from tieline.engine.route import check_addresses
from tieline.engine.supervisor import Supervisor
from tieline.engine.waiting import wait_for_event
from tieline.errors import ConnectionClosed, OptionError
from tieline.option_checks import check_seconds
from tieline.options import normalise_headers
from tieline.protocol.close import check_close
from tieline.protocol.events import CloseInfo
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode
from tieline.request_checks import HeaderPairs
from tieline.threaded_front import ThreadedFront

if TYPE_CHECKING:
    from tieline.engine.stream_delivery import StreamDelivery


class WebSocketClient(ThreadedFront):
    """A WebSocket connection that is served in the background (RFC 6455).

    `callback` gets each message (``str`` for text, ``bytes`` for binary) and ``None`` once when an
    open connection has ended. It and the ``on_...`` handlers run on the connection's background
    thread, in order and never two at a time; with ``streaming=True`` they get a `MessageStream` for
    each message, on a thread that may wait for the rest of it. Every method may be called from any
    thread, also from handlers; none waits longer than its option says.

    `url_or_options` is the URL or a mapping of options that holds ``"url"``; keyword options go
    before it, and with ``on_message`` and its like it may stand in the callback's place. Nothing is
    connected yet. Raises `OptionError`.
    """

    def __init__(
        self,
        callback: Callable[[Any], object] | str | Sequence[str] | Mapping[str, Any] | None = None,
        url_or_options: object = None,
        /,
        **options: Any,
    ) -> None:
        handlers, checked = split_handlers(callback, url_or_options, options)
        check_addresses(checked)
        line = Supervisor(
            checked,
            handlers,
            checked.reactor or OwnReactor(),
            delivery=_streams() if checked.streaming else Delivery,
            owns_reactor=checked.reactor is None,
        )
        object.__setattr__(self, "_line", line)  # ours is for what users try to set

    if TYPE_CHECKING:
        _line: Supervisor

    else:
        _made_by = "WebSocketClient"

        close = Absent("use disconnect()")
        recv = Absent(
            "messages go to the callback; wait_for() waits for one, and tieline.connect(url) makes "
            "a connection with recv()"
        )
        recv_json = Absent("messages go to the callback; json.loads() there")
        recv_stream = Absent("with streaming=True handlers get a stream for each message")
        send_threadsafe = Absent("use send(), which any thread may call")
        on_message = Absent(
            "handlers are given to the constructor: WebSocketClient(on_message=...)"
        )

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
        extra: HeaderPairs = ()
        if options is not None or headers is not None:
            extra = _connect_headers(options, headers)
        if info is not None and not isinstance(info, dict):
            raise OptionError(f"info: expected a dict to fill, got {type(info).__name__}")
        limit = (
            self._line.options.connect_timeout
            if timeout is None
            else check_seconds("timeout", timeout)
        )
        self._check_redial()
        return self._line.connect(extra, limit, info)

    def reconnect(self, *, overlap: bool = False) -> HandshakeResponse:
        """Drop the present connection, if there is one, and dial again at once, with its headers.

        The old peer gets a Close with 1001, but its answer is not awaited. With `overlap` the old
        connection stays up until the new one is: then messages are sent on the new one, the old one
        is closed with 1001 and read to its end, and after its ``on_close`` comes the ``on_open`` of
        the new one. Nothing is lost in between, but what the server sends on both comes twice.

        Raises `ConnectError`. With ``reconnect=`` it goes on trying in the background then; with
        `overlap` the old connection is kept if it is still there.
        """
        self._check_redial()
        return self._line.reconnect(overlap)

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
        limit = None if timeout is None else check_seconds("timeout", timeout)
        self._line.disconnect(code, reason, limit)

    def wait(self, timeout: float | None = None) -> CloseInfo:
        """Block until the client is closed for good, and all its handlers have returned.

        Raises `TimeoutError` when that takes longer than `timeout` seconds, and `ConnectionClosed`
        when there never was a connection. Ctrl-C interrupts it at once.
        """
        if self._line.in_handler():
            raise RuntimeError(
                "wait() in a handler, or on the loop that runs them, would wait for itself"
            )
        return self._line.wait(None if timeout is None else check_seconds("timeout", timeout))

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
            self._line.leave()
            session = self._line.session
            ended = None if session is None else session.connection.close_info
            # A handler that was left behind keeps the end from being told.
            return self.close_info if ended is None else ended

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

    def wait_for(
        self,
        predicate: Callable[[Any], object],
        timeout: float | None = None,
        *,
        send: object = None,
    ) -> str | bytes:
        """Block until a message comes that `predicate` accepts, and return it.

        Handlers get the message as well. With `send`, that message is sent once the wait is set up,
        so that a quick answer is not missed. It is a message of the present connection that is
        waited for, or of the next one while that is being made: when the connection ends first, or
        none comes, `ConnectionClosed` is raised, also if another one will follow. Raises
        `TimeoutError` after `timeout` seconds, what `send` does, and what the predicate raises (it
        runs on the background thread). Not to be called in a handler.
        """
        if self.options.streaming:
            raise OptionError(
                "wait_for: with streaming=True a message is read by its handler, and only once"
            )
        check_function("predicate", predicate)
        limit = None if timeout is None else check_seconds("timeout", timeout)
        if self._line.in_handler():
            raise RuntimeError(
                "wait_for() in a handler, or on the loop that runs them, would wait for itself"
            )
        watcher = self._watch(predicate)
        callbacks = self._line.callbacks
        try:
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

    def _watch(self, predicate: Callable[[Any], object]) -> Watcher:
        """Have `predicate` shown the messages of the present connection, or of the next one."""
        line = self._line
        with line.lock:
            session = line.session
            number = 0 if session is None else session.connection_id
            if session is None or not session.is_open:
                if not line.is_coming_back:
                    self._session()
                    # A dial that goes on for a moment, though nobody wants it, counts for nothing.
                    state = "closed" if self.state is State.CONNECTING else self.state.value
                    text = f"the connection is {state}: no message will come"
                    raise ConnectionClosed(text, self.close_info)
                number += 1
            watcher = Watcher(predicate, number)
            line.callbacks.watch(watcher)
            return watcher


def _streams() -> type[StreamDelivery]:
    from tieline.engine.stream_delivery import StreamDelivery  # for those who want messages so

    return StreamDelivery


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
            pairs = (*normalise_headers(value, option=name), *pairs)
    return pairs
