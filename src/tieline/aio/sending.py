"""What a task of the event loop sends → the session's speaker, waiting for room where it must."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from typing import Literal, cast, overload

from tieline.aio.fragments import say_fragments, say_frame, say_whole
from tieline.aio.line import LoopLine
from tieline.aio.loop_reactor import LoopReactor
from tieline.aio.pings import PingWaiter
from tieline.aio.receipts import Receipt
from tieline.aio.short_calls import ShortCalls
from tieline.engine.fragments import send_message
from tieline.engine.payloads import (
    check_compress,
    check_frame,
    control_payload,
    encode_json,
    encode_payload,
    fragments_of,
)
from tieline.engine.sender import Data
from tieline.engine.session import Session
from tieline.engine.speaker import Speaker
from tieline.engine.subscriptions import Subscription
from tieline.engine.unsent import Unsent, check_when_offline
from tieline.errors import ConnectionClosed, SendBufferFull
from tieline.front import Front, WhenOffline
from tieline.option_checks import check_seconds
from tieline.protocol.wire import Opcode


class SendingFront(ShortCalls, Front):
    """What can be said on a connection, by the tasks of its loop; `send_threadsafe` by any thread.

    Waiting comes before taking: a call that is cancelled has sent nothing.
    """

    _line: LoopLine

    async def _send(
        self,
        message: object,
        compress: bool | None,
        when_offline: WhenOffline | None,
        receipt: bool,
    ) -> Receipt | None:
        """What `send` does, in any case."""
        check_compress(compress)
        ticket, encoded = self._new_receipt(receipt), encode_payload(message)
        if encoded is not None:
            await self._say_or_queue(*encoded, compress, when_offline, ticket)
            return ticket
        check_when_offline(when_offline, "")
        pieces = message if isinstance(message, AsyncIterable) else fragments_of(message)
        try:
            session = self._session()
            session.sender.check_compression(compress)
            last = self._new_last(ticket)
            await say_fragments(self._line, session, pieces, compress is not False, last)
        except ConnectionClosed as error:
            self._refuse_now(error, "an iterable is")
        return ticket

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
            try:
                await say_frame(self._line, self._session(), (kind, data, last), False)
            except ConnectionClosed as error:
                self._refuse_now(error, "a frame is")

    @overload
    async def send_json(
        self,
        value: object,
        *,
        when_offline: WhenOffline | None = None,
        receipt: Literal[False] = False,
    ) -> None: ...
    @overload
    async def send_json(
        self,
        value: object,
        *,
        when_offline: WhenOffline | None = None,
        receipt: Literal[True],
    ) -> Receipt: ...
    @overload
    async def send_json(
        self, value: object, *, when_offline: WhenOffline | None = None, receipt: bool
    ) -> Receipt | None: ...
    async def send_json(
        self,
        value: object,
        *,
        when_offline: WhenOffline | None = None,
        receipt: bool = False,
    ) -> Receipt | None:
        """Send what ``json_dumps`` makes of `value`, as text, as `send` does.

        The default, ``json.dumps``, writes NaN and infinities, which are no JSON, for peers that
        read them; ``functools.partial(json.dumps, allow_nan=False)`` refuses them.
        """
        ticket = self._new_receipt(receipt)
        data = encode_json(value, self.options.json_dumps)
        await self._say_or_queue(Opcode.TEXT, data, None, when_offline, ticket)
        return ticket

    @overload
    def send_threadsafe(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: Literal[False] = False,
    ) -> None: ...
    @overload
    def send_threadsafe(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: Literal[True],
    ) -> Receipt: ...
    @overload
    def send_threadsafe(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: bool,
    ) -> Receipt | None: ...
    def send_threadsafe(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: bool = False,
    ) -> Receipt | None:
        """The same as `send`, for other threads, which it may block for ``timeout`` seconds.

        On the loop's own thread it never blocks: it raises `SendBufferFull` where it would. The
        receipt can be awaited on the loop; any thread may look at its ``done``.
        """
        check_compress(compress)
        ticket = self._new_receipt(receipt)
        try:
            if ticket is None and when_offline is None and self.options.offline == "raise":
                try:
                    send_message(self._session(), message, compress)
                except ConnectionClosed as error:
                    self._send_again(message, compress, error)
            else:
                self._send_noted(message, compress, when_offline, ticket)
            return ticket
        except SendBufferFull as error:
            if not self.is_open():
                raise  # there is no room in the queue for the next connection
            raise SendBufferFull(
                f"{self._session().sender.buffered} bytes wait in the write buffer "
                f"(write_limit={self.options.write_limit}), and the event loop must not be held "
                "up: use 'await ws.send()' there. Nothing of this message was sent"
            ) from error

    async def flush(self, timeout: float | None = None) -> None:
        """Return when everything that was sent before, by any task, is with the kernel.

        Also what is queued for the next connection (``offline="queue"``), which is waited for; of
        that, what is dropped meanwhile is not. Raises `TimeoutError` after `timeout` seconds
        (None: wait as long as it can come about), and `ConnectionClosed` when the connection ended
        first and not all of it waits for the next one. Cancelling it changes nothing.
        """
        limit = None if timeout is None else check_seconds("timeout", timeout)
        receipt = Receipt(cast(LoopReactor, self._line.reactor))
        mark = self._new_mark(receipt)
        self._mark(mark)
        try:
            await receipt.wait(limit)
        finally:
            mark.receipt = None  # nobody waits for it any more

    async def subscribe(self, message: object) -> Subscription:
        """Send a message now, if the connection is open, and first of all on every one to come.

        `message` is ``str``, bytes-like, or a function that gives one, or None (nothing to say this
        time), or an awaitable of either; it is called anew each time, on the loop. All
        subscriptions are sent in the order in which they were made, before any other message. The
        handle's ``cancel()`` ends it. Raises `OptionError`, what the function raises, and what
        `send` does.
        """
        resumption = self._line.resumption
        subscription = resumption.add(message)
        try:
            if resumption.is_heard:
                first = await self._line.render(subscription)
                session = resumption.say_first(subscription, first)
                if session is not None and first is not None and first.opcode is not None:
                    await say_whole(self._line, session, first.opcode, first.payload, None, None)
        except ConnectionClosed:
            pass  # the next connection begins with it
        except BaseException:
            subscription.cancel()
            raise
        return subscription

    async def ping(self, data: object = b"") -> PingWaiter:
        """Send a Ping (at most 125 bytes); awaiting what it returns gives the round trip."""
        payload = control_payload(data)
        waiter = PingWaiter()
        await self._say_control(
            "a Ping", payload, lambda speaker: speaker.ping_for(waiter, payload)
        )
        return waiter

    async def pong(self, data: object = b"") -> None:
        """Send an unasked Pong (at most 125 bytes): a one-way heartbeat."""
        payload = control_payload(data)
        await self._say_control("a Pong", payload, lambda speaker: speaker.pong(payload))

    async def _say_control(
        self, what: str, payload: bytes, action: Callable[[Speaker], None]
    ) -> None:
        while True:
            present = self._line.session
            try:
                await self._say_control_to(self._session(), payload, action)
                return
            except ConnectionClosed as error:
                if self._line.session is present:
                    self._refuse_now(error, f"{what} is")
                # It was replaced meanwhile.

    async def _say_control_to(
        self, session: Session, payload: bytes, action: Callable[[Speaker], None]
    ) -> None:
        await self._line.say(
            session,
            len(payload),
            lambda: session.sender.is_full,
            lambda: action(session.speaker),
        )

    def _new_receipt(self, wanted: bool) -> Receipt | None:
        return Receipt(cast(LoopReactor, self._line.reactor)) if wanted else None

    async def _say_or_queue(
        self,
        opcode: Opcode,
        payload: Data,
        compress: bool | None,
        when_offline: str | None,
        receipt: Receipt | None,
    ) -> None:
        unsent: Unsent | None = None
        if receipt is not None or when_offline is not None or self.options.offline == "queue":
            unsent = self._new_unsent(opcode, payload, compress, when_offline, receipt)
        while True:
            present = self._line.session
            try:
                session = self._session()
                session.sender.check_compression(compress)
                await say_whole(self._line, session, opcode, payload, compress, unsent)
                return
            except ConnectionClosed as error:
                if unsent is None:
                    if self._line.session is present:
                        refusal = self._line.resumption.refusal(error)
                        raise refusal from refusal.__cause__
                    continue  # it was replaced meanwhile
            try:
                self._line.resumption.send_later(unsent, when_offline)
                return
            except SendBufferFull:
                if not self.is_open():
                    raise
                # It came up meanwhile, and there is no room yet: wait for some.
