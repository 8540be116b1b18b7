"""A URL → a WebSocket connection that a script sends on and receives from, without callbacks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tieline.absent import Absent
from tieline.engine.handlers import split_plain
from tieline.engine.payloads import decode_json
from tieline.engine.receiving import Receiver
from tieline.engine.route import check_addresses
from tieline.errors import ConnectionClosed, OptionError
from tieline.front import ORDERLY
from tieline.option_checks import check_seconds
from tieline.protocol.close import check_close
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.wire import CloseCode
from tieline.short_calls import Iteration, ShortReceive
from tieline.threaded_front import ThreadedFront

if TYPE_CHECKING:
    from tieline.engine.streams import MessageStream


def connect(
    url_or_options: object = None, /, *, info: dict[str, Any] | None = None, **options: Any
) -> Connection:
    """Dial and upgrade, and return the open connection.

    `url_or_options` is the URL or a mapping of options that holds ``"url"``; keyword options go
    before it. The handlers that are not about messages may be among them. `info` is filled with
    what happened during set-up, also when it fails. Takes ``connect_timeout`` seconds at most, for
    each dial where ``Reconnect(initial_connect=True)`` tries again.

    Raises `ConnectError` and `OptionError`.
    """
    if info is not None and not isinstance(info, dict):
        raise OptionError(f"info: expected a dict to fill, got {type(info).__name__}")
    handlers, checked = split_plain(url_or_options, options)
    check_addresses(checked)
    receiver = Receiver(checked, handlers)
    try:
        receiver.connect((), checked.connect_timeout, info)
        return Connection(receiver)
    except BaseException:
        receiver.drop()  # Ctrl-C: nobody would hold what is open already
        raise


class Connection(ShortReceive, ThreadedFront):
    """An open WebSocket connection (RFC 6455), made by `tieline.connect`.

    Any number of threads may send and receive. A thread inside `recv()` serves the connection
    itself; while none is, one background thread for all such connections answers Pings, runs the
    keepalive and notices the end, and keeps up to ``max_queue`` messages before it stops reading.

    Handlers (``on_ping``, ``on_close``, ...) run on the thread inside `recv()` or on that
    background thread, in order and never two at a time: they must be quick.
    """

    _closing_method = "close"

    def __init__(self, receiver: object = None, /, *others: object, **options: object) -> None:
        """Not for users: `tieline.connect` makes connections."""
        if not isinstance(receiver, Receiver):
            raise TypeError("Connection() is not called: use tieline.connect(url, ...)")
        object.__setattr__(self, "_line", receiver)  # ours is for what users try to set

    if TYPE_CHECKING:
        _line: Receiver

    else:
        _made_by = "tieline.connect"

        connect = Absent("it is connected; tieline.connect(url) makes another, reconnect() redials")
        disconnect = Absent("use close()")
        wait = Absent("recv() and iteration tell of the end")
        wait_for = Absent("use recv() in a loop")
        run_forever = Absent("use 'for message in ws'")
        send_threadsafe = Absent("use send(), which any thread may call")
        on_message = Absent(
            "messages come by recv() and 'for message in ws'; WebSocketClient calls functions"
        )

    # --- receiving ----------------------------------------------------------------------------

    def _recv(self, timeout: float | None) -> str | bytes:
        """What `recv` does, in any case."""
        limit = None if timeout is None else check_seconds("timeout", timeout)
        return self._line.receive(limit)

    def recv_stream(self, timeout: float | None = None) -> MessageStream:
        """The next message chunk by chunk, as it arrives, for messages too large to be held.

        Nothing is taken before the stream is asked for its first chunk. Each chunk is awaited for
        `timeout` seconds at most (None: as long as the connection lives): `TimeoutError`, which
        loses nothing, asking again goes on. Raises `ConnectionClosed` when the connection ends, in
        the middle of the message too.

        The messages behind it come when the stream was read to its end or closed: a thread that
        asks for one before gets a `RuntimeError`, since it would wait for itself.
        """
        limit = None if timeout is None else check_seconds("timeout", timeout)
        return self._line.stream(limit)

    def recv_json(self, timeout: float | None = None) -> Any:
        """What ``json_loads`` makes of the next message. Raises as `recv` and ``json_loads`` do."""
        return decode_json(self.recv(timeout), self.options.json_loads)

    def __iter__(self) -> Iterator[str | bytes]:
        """Each message as it comes, until the connection ends.

        Ends with the connection when that was closed with 1000 or 1001, and raises
        `ConnectionClosed` when it ended in any other way.
        """
        return Iteration(self, self._line.inbox)

    if not TYPE_CHECKING:

        async def __aenter__(self) -> None:
            self.close()
            raise TypeError(
                "async with: tieline.connect() gives a connection for threads; "
                "use 'async with tieline.aio.connect(...) as ws'"
            )

        async def __aexit__(self, *error: object) -> None:
            """Never called: there is no way in."""

    def _next(self) -> str | bytes:
        try:
            return self.recv()
        except ConnectionClosed as closed:
            if closed.close_info is not None and closed.close_info.code in ORDERLY:
                raise StopIteration from None
            raise

    # --- staying up ---------------------------------------------------------------------------

    def reconnect(self, *, overlap: bool = False) -> HandshakeResponse:
        """Drop the present connection, if there is one, and dial again at once.

        Messages that have come can still be received. The old peer gets a Close with 1001, but its
        answer is not awaited. With `overlap` the old connection stays up until the new one is, and
        is then read to its end before the new one: nothing is lost in between, but what the server
        sends on both comes twice.

        Raises `ConnectError`. With ``reconnect=`` it goes on trying in the background then; with
        `overlap` the old connection is kept if it is still there.
        """
        self._check_redial()
        return self._line.reconnect(overlap)

    # --- closing ------------------------------------------------------------------------------

    def close(
        self,
        code: int = CloseCode.NORMAL_CLOSURE,
        reason: str = "",
        *,
        timeout: float | None = None,
    ) -> None:
        """Send Close, wait for the peer's up to `timeout` (``close_timeout``) seconds, and end.

        A no-op when the connection has ended. From a handler it returns at once and the close goes
        on in the background. Messages that have come can still be received; of those that come
        during the close, no more than ``max_queue`` are kept (`Stats.dropped` counts the rest).

        Raises `OptionError`, and the connection stays up, for a `code` that may not be sent (RFC
        6455 section 7.4) and for a `reason` of more than 123 bytes of UTF-8.
        """
        check_close(code, reason)
        limit = None if timeout is None else check_seconds("timeout", timeout)
        self._line.disconnect(code, reason, limit)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._line.leave()
        else:
            self.close()

    def __del__(self) -> None:
        # Nobody can receive from it any more, but it would be kept alive for ever.
        line = getattr(self, "_line", None)
        if line is not None:
            session, recovery = line.session, line.recovery
            if session is not None and session.is_finished and not recovery.is_wanted:
                if recovery.outage is None:
                    return  # closed, as nearly all are: nothing is left to end
            if line.recovery.outage is not None or line.present is not None:
                text = f"{self!r} was not closed"
                warnings.warn(text, ResourceWarning, source=self, stacklevel=2)
            line.abandon()
