"""A URL → a WebSocket connection that the running event loop serves."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
)
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tieline.aio.line import LoopLine
from tieline.aio.pings import PingWaiter
from tieline.engine.fragments import Fragments, FrameParts, give_up_message, send_message
from tieline.engine.handlers import split_plain
from tieline.engine.payloads import (
    check_frame,
    control_payload,
    decode_json,
    encode_json,
    encode_payload,
    fragments_of,
    refuse_compression,
)
from tieline.engine.process import GOODBYE
from tieline.engine.route import check_addresses
from tieline.engine.session import Session
from tieline.errors import ConnectionClosed, OptionError, SendBufferFull
from tieline.front import ORDERLY, Front, check_seconds
from tieline.protocol.close import check_close
from tieline.protocol.wire import CloseCode, Opcode


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
        await line.open({} if info is None else info)
        return Connection(line)

    return Connecting(open_connection)


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
            raise AttributeError(
                f"{name!r}: there is no connection yet; use 'async with aio.connect(...) as ws' "
                "or 'ws = await aio.connect(...)'"
            )

    def __del__(self) -> None:
        if not self._was_awaited:
            text = "tieline.aio.connect() was never awaited"
            warnings.warn(text, RuntimeWarning, source=self, stacklevel=2)

    # What `asyncio.create_task` calls.

    def send(self, value: Any) -> Any:
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


class Connection(Front):
    """An open WebSocket connection (RFC 6455), made by `tieline.aio.connect`.

    Any number of tasks of its loop may send and receive; other threads may use `send_threadsafe`
    and the attributes. Cancelling a call loses no message: a `recv()` that is cancelled has taken
    none, a `send()` that is cancelled has sent nothing.

    Handlers (``on_ping``, ``on_close``, ...) run on the loop, in order: they must be quick.
    """

    def __init__(self, line: LoopLine) -> None:
        """Not for users: `tieline.aio.connect` makes connections."""
        self.options = line.options
        self._line: LoopLine = line

    # --- receiving ----------------------------------------------------------------------------

    async def recv(self, timeout: float | None = None) -> str | bytes:
        """The next message: ``str`` for text, ``bytes`` for binary.

        What came before the end can be received after it. Raises `TimeoutError` after `timeout`
        seconds (None: wait as long as the connection lives), which loses nothing, and
        `ConnectionClosed` when the connection has ended.
        """
        limit = None if timeout is None else check_seconds("timeout", timeout)
        return await self._line.receive(limit)

    async def recv_json(self, timeout: float | None = None) -> Any:
        """What ``json_loads`` makes of the next message. Raises as `recv` and ``json_loads`` do."""
        return decode_json(await self.recv(timeout), self.options.json_loads)

    def __aiter__(self) -> Connection:
        """Each message as it comes, until the connection ends.

        Ends with the connection when that was closed with 1000 or 1001, and raises
        `ConnectionClosed` when it ended in any other way.
        """
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self._line.receive(None)
        except ConnectionClosed as closed:
            if closed.close_info is not None and closed.close_info.code in ORDERLY:
                raise StopAsyncIteration from None
            raise

    # --- sending ------------------------------------------------------------------------------

    async def send(self, message: object, *, compress: bool | None = None) -> None:
        """Send ``str`` as text, bytes-like as binary, an iterable of either in fragments.

        An iterable may be asynchronous. Returns when the bytes are with the kernel or in the write
        buffer; when that holds ``write_limit`` bytes it first waits for room, ``timeout`` seconds
        at most (`SendTimeout`). Raises `ConnectionClosed` when the connection is not open.

        A message in fragments that is cancelled, or whose iterable fails, half-way cannot be
        completed: the connection is failed with 1011.
        """
        refuse_compression(compress)
        session = self._session()
        encoded = encode_payload(message)
        if encoded is not None:
            sender, speaker = session.sender, session.speaker
            await self._line.say(
                session, len(encoded[1]), sender.must_wait, lambda: speaker.message(*encoded)
            )
        elif isinstance(message, AsyncIterable):
            await self._send_fragments(session, message)
        else:
            await self._send_fragments(session, _asynchronous(fragments_of(message)))

    async def send_frame(self, payload: object, opcode: int, fin: bool = True) -> None:
        """Send one raw frame, for hand-made fragmentation (RFC 6455 section 5.4).

        One task sends all fragments of a message; until the last one (``fin=True``) the messages
        of others wait. (`asyncio.wait_for` runs what it is given in a task of its own before Python
        3.12: use `asyncio.timeout`.) Raises as `send` does, and `ProtocolError` for a frame that
        does not fit the ones before it.
        """
        kind, data, last = check_frame(payload, opcode, fin, "close")
        if kind is Opcode.PING:
            await self.ping(data)
        elif kind is Opcode.PONG:
            await self.pong(data)
        else:
            await self._send_frame(self._session(), (kind, data, last))

    async def send_json(self, value: object) -> None:
        """Send what ``json_dumps`` makes of `value`, as text. Raises as `send` does."""
        session = self._session()
        data = encode_json(value, self.options.json_dumps)
        await self._line.say(
            session,
            len(data),
            session.sender.must_wait,
            lambda: session.speaker.message(Opcode.TEXT, data),
        )

    def send_threadsafe(self, message: object, *, compress: bool | None = None) -> None:
        """The same as `send`, for other threads, which it may block for ``timeout`` seconds.

        On the loop's own thread it never blocks: it raises `SendBufferFull` where it would.
        """
        refuse_compression(compress)
        session = self._session()
        try:
            send_message(session, message)
        except SendBufferFull as error:
            raise SendBufferFull(
                f"{session.sender.buffered} bytes wait in the write buffer "
                f"(write_limit={self.options.write_limit}), and the event loop must not be held "
                "up: use 'await ws.send()' there. Nothing of this message was sent"
            ) from error

    async def ping(self, data: object = b"") -> PingWaiter:
        """Send a Ping (at most 125 bytes); awaiting what it returns gives the round trip."""
        session = self._session()
        payload = control_payload(data)
        waiter = PingWaiter()
        await self._line.say(
            session,
            len(payload),
            lambda: session.sender.is_full,
            lambda: session.speaker.ping_for(waiter, payload),
        )
        return waiter

    async def pong(self, data: object = b"") -> None:
        """Send an unasked Pong (at most 125 bytes): a one-way heartbeat."""
        session = self._session()
        payload = control_payload(data)
        await self._line.say(
            session,
            len(payload),
            lambda: session.sender.is_full,
            lambda: session.speaker.pong(payload),
        )

    async def _send_frame(self, session: Session, frame: FrameParts) -> None:
        await self._line.say(
            session,
            len(frame[1]),
            session.sender.must_wait,
            lambda: session.speaker.frames([frame]),
        )

    async def _send_fragments(self, session: Session, pieces: AsyncIterable[Any]) -> None:
        fragments = Fragments()
        by_hand = session.sender.is_mid_message
        try:
            async for piece in pieces:
                frame = fragments.add(piece)
                if frame is not None:
                    await self._send_frame(session, frame)
            await self._send_frame(session, fragments.last())
        except BaseException as error:
            if not by_hand:
                give_up_message(session, error)
            raise

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


async def _asynchronous(pieces: Iterable[Any]) -> AsyncIterator[Any]:
    for piece in pieces:
        yield piece
