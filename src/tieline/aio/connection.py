"""A URL → a WebSocket connection that the running event loop serves."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tieline.absent import Absent
from tieline.aio.arrivals import Messages
from tieline.aio.line import LoopLine
from tieline.aio.many import say_many
from tieline.aio.sending import SendingFront
from tieline.aio.streams import MessageStream
from tieline.engine.handlers import split_plain
from tieline.engine.payloads import check_compress, decode_json
from tieline.engine.process import GOODBYE
from tieline.engine.route import check_addresses
from tieline.engine.session import Session
from tieline.errors import ConnectionClosed, OptionError
from tieline.front import ORDERLY
from tieline.option_checks import check_seconds
from tieline.protocol.close import check_close
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.wire import CloseCode


def connect(
    url_or_options: object = None, /, *, info: dict[str, Any] | None = None, **options: Any
) -> Connecting:
    """A connection to be opened: await it, or use it in ``async with``, which closes it too.

    `url_or_options` is the URL or a mapping of options that holds ``"url"``; keyword options go
    before it. The handlers that are not about messages may be among them. `info` is filled with
    what happened during set-up, also when it fails. Opening takes ``connect_timeout`` seconds at
    most; cancelling it closes what there is so far.

    Raises `OptionError` at once, and `ConnectError` when it is awaited.
    """
    if info is not None and not isinstance(info, dict):
        raise OptionError(f"info: expected a dict to fill, got {type(info).__name__}")
    handlers, checked = split_plain(url_or_options, options)
    if checked.reactor is not None:
        raise OptionError("option 'reactor': the running event loop serves this connection")
    check_addresses(checked)

    async def open_connection() -> Connection:
        line = LoopLine(checked, handlers)
        await line.open(info)
        return Connection(line)

    return Connecting(open_connection)


_NOT_CONNECTED = (
    "there is no connection yet; use 'async with aio.connect(...) as ws' or "
    "'ws = await aio.connect(...)'"
)


class Connecting(Coroutine[Any, Any, "Connection"]):
    """What `tieline.aio.connect` returns: each time it is awaited it opens a connection.

    A coroutine, so that ``asyncio.create_task`` takes it as well.
    """

    def __init__(self, open_connection: Callable[[], Coroutine[Any, Any, Connection]]) -> None:
        self._open = open_connection
        self._coroutine: Coroutine[Any, Any, Connection] | None = None
        # Those whose ``async with`` has not ended: one object may be used several times at once.
        self._entered: list[Connection] = []
        self._was_awaited = False

    if not TYPE_CHECKING:  # a type checker knows better, and would believe any name

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(f"{name!r}: {_NOT_CONNECTED}")

        def __enter__(self) -> None:
            raise TypeError(f"with: {_NOT_CONNECTED}")

        def __exit__(self, *error: object) -> None:
            """Never called: there is no way in."""

    def __del__(self) -> None:
        if not self._was_awaited:
            text = "tieline.aio.connect() was never awaited"
            warnings.warn(text, RuntimeWarning, source=self, stacklevel=2)

    # What `asyncio.create_task` calls.

    def send(self, value: Any) -> Any:
        if value is not None and self._coroutine is None:
            raise TypeError(f"send(): {_NOT_CONNECTED}")  # a message, not an event loop's None
        return self._begun().send(value)

    def throw(self, *arguments: Any) -> Any:
        return self._begun().throw(*arguments)

    def close(self) -> None:
        if self._coroutine is not None:
            self._coroutine.close()

    def _begun(self) -> Coroutine[Any, Any, Connection]:
        self._was_awaited = True
        if self._coroutine is None:
            self._coroutine = self._open()
        return self._coroutine

    def __await__(self) -> Generator[Any, None, Connection]:
        self._was_awaited = True
        return self._open().__await__()

    async def __aenter__(self) -> Connection:
        connection = await self
        self._entered.append(connection)
        return connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._entered.pop().__aexit__(kind, error, traceback)


class Connection(SendingFront):
    """An open WebSocket connection (RFC 6455), made by `tieline.aio.connect`.

    Any number of tasks of its loop may send and receive; other threads may use `send_threadsafe`
    and the attributes. Cancelling a call loses no message: a `recv()` that is cancelled has taken
    none, a `send()` that is cancelled has sent nothing.

    Handlers (``on_ping``, ``on_close``, ...) run on the loop, in order: they must be quick.
    """

    def __init__(self, line: object = None, /, *others: object, **options: object) -> None:
        """Not for users: `tieline.aio.connect` makes connections."""
        if not isinstance(line, LoopLine):
            raise TypeError("Connection() is not called: use await tieline.aio.connect(url, ...)")
        # Not with ours, which is for what users try to set.
        put = object.__setattr__
        put(self, "_line", line)
        put(self, "_arrivals", line.inbox.arrivals)
        put(self, "_at_once", line.at_once)

    if not TYPE_CHECKING:
        _made_by = "tieline.aio.connect"

        connect = Absent(
            "it is connected; 'await tieline.aio.connect(url)' makes another, reconnect() redials"
        )
        disconnect = Absent("use 'await close()'")
        wait = Absent("recv() and iteration tell of the end")
        wait_for = Absent("use 'await recv()' in a loop")
        run_forever = Absent("use 'async for message in ws'")
        on_message = Absent(
            "messages come by 'await recv()' and 'async for message in ws'; WebSocketClient calls "
            "functions"
        )

    # --- receiving ----------------------------------------------------------------------------

    async def _recv(self, timeout: float | None) -> str | bytes:
        """What `recv` does, in any case."""
        limit = None if timeout is None else check_seconds("timeout", timeout)
        return await self._line.receive(limit)

    def recv_stream(self, timeout: float | None = None) -> MessageStream:
        """The next message chunk by chunk, as it arrives, for messages too large to be held.

        Nothing is taken before the stream is asked for its first chunk. Each chunk is awaited for
        `timeout` seconds at most (None: as long as the connection lives): `TimeoutError`, which
        loses nothing, as cancelling does; asking again goes on. Raises `ConnectionClosed` when the
        connection ends, in the middle of the message too.

        The messages behind it come when the stream was read to its end or closed: a task that asks
        for one before gets a `RuntimeError`, since it would wait for itself.
        """
        limit = None if timeout is None else check_seconds("timeout", timeout)
        return self._line.stream(limit)

    async def recv_json(self, timeout: float | None = None) -> Any:
        """What ``json_loads`` makes of the next message. Raises as `recv` and ``json_loads`` do."""
        return decode_json(await self.recv(timeout), self.options.json_loads)

    if not TYPE_CHECKING:

        def __iter__(self) -> None:
            raise TypeError("the messages of an asyncio connection: use 'async for'")

        def __enter__(self) -> None:
            raise TypeError(
                "with: an asyncio connection is closed by 'async with', or await close()"
            )

        def __exit__(self, *error: object) -> None:
            """Never called: there is no way in."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Each message as it comes, until the connection ends.

        Ends with the connection when that was closed with 1000 or 1001, and raises
        `ConnectionClosed` when it ended in any other way.
        """
        return Messages(self._arrivals, self.__anext__)

    async def __anext__(self) -> str | bytes:
        try:
            return await self.recv()
        except ConnectionClosed as closed:
            if closed.close_info is not None and closed.close_info.code in ORDERLY:
                raise StopAsyncIteration from None
            raise

    # --- sending --------------------------------------------------------------------------------

    async def send_many(self, messages: object, *, compress: bool | None = None) -> None:
        """Send each item of an iterable as a message of its own, with few system calls.

        The iterable may be asynchronous; then each item goes out before the next is asked for. The
        messages go out in order; those of other tasks may come in between. Waits, queues and raises
        as `send` does for each of them; the error's note says how many were sent or are in the
        write buffer. When the iterable fails, what it gave before is sent first.
        """
        check_compress(compress)
        send = partial(self.send, compress=compress)
        await say_many(self._line, send, messages, compress is None)

    # --- staying up ---------------------------------------------------------------------------

    async def reconnect(self, *, overlap: bool = False) -> HandshakeResponse:
        """Drop the present connection, if there is one, and dial again at once.

        Messages that have come can still be received. The old peer gets a Close with 1001, but its
        answer is not awaited. With `overlap` the old connection stays up until the new one is, and
        is then read to its end before the new one: nothing is lost in between, but what the server
        sends on both comes twice.

        Raises `ConnectError`. With ``reconnect=`` it goes on trying in the background then; with
        `overlap` the old connection is kept if it is still there. Cancelling it ends the attempt.
        """
        self._check_redial()
        return await self._line.reconnect(overlap)

    # --- its state ---------------------------------------------------------------------------

    def is_open(self) -> bool:
        """True only while messages can be sent."""
        return super().is_open() and not self._line.loop_is_closed

    isOpen = is_open

    def _session(self) -> Session:
        if self._line.loop_is_closed:
            self._line.abandon()
            raise ConnectionClosed("nothing can be sent: the event loop was closed")
        return super()._session()

    # --- closing ------------------------------------------------------------------------------

    async def close(
        self,
        code: int = CloseCode.NORMAL_CLOSURE,
        reason: str = "",
        *,
        timeout: float | None = None,
    ) -> None:
        """Send Close, wait for the peer's up to `timeout` (``close_timeout``) seconds, and end.

        A no-op when the connection has ended. Cancelling it leaves the close to go on by itself.
        Messages that have come can still be received; of those that come during the close, no more
        than ``max_queue`` are kept (`Stats.dropped` counts the rest).

        Raises `OptionError`, and the connection stays up, for a `code` that may not be sent (RFC
        6455 section 7.4) and for a `reason` of more than 123 bytes of UTF-8.
        """
        check_close(code, reason)
        limit = None if timeout is None else check_seconds("timeout", timeout)
        await self._line.close(code, reason, limit)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            # Whoever cancels wants it to be over: Ctrl-C does, in `asyncio.run`.
            await self.close(CloseCode.GOING_AWAY, timeout=GOODBYE)
        else:
            await self.close()

    def __del__(self) -> None:
        # Nobody can receive from it any more, but the loop would keep it alive.
        line = getattr(self, "_line", None)
        if line is not None:
            line.abandon()
