"""What any thread says → the line's connection, or what keeps it until there is one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeVar, overload

from tieline.engine.fragments import send_message, send_whole
from tieline.engine.holding import is_held_by_caller
from tieline.engine.line import Line
from tieline.engine.many import check_messages, runs_of, small_ones, telling_how_many
from tieline.engine.payloads import (
    check_compress,
    check_frame,
    control_payload,
    encode_json,
)
from tieline.engine.pings import PingWaiter
from tieline.engine.receipts import Receipt
from tieline.engine.speaker import Speaker
from tieline.engine.subscriptions import Subscription
from tieline.errors import ConnectionClosed, SendTimeout
from tieline.front import Front, WhenOffline
from tieline.option_checks import check_seconds
from tieline.protocol.wire import Opcode
from tieline.short_calls import ShortSend

T = TypeVar("T")


class ThreadedFront(ShortSend, Front):
    """What can be said on a connection, by any thread."""

    #: What the method is called that sends a Close frame.
    _closing_method = "disconnect"

    def _send(
        self,
        message: object,
        compress: bool | None,
        when_offline: WhenOffline | None,
        receipt: bool,
    ) -> Receipt | None:
        """What `send` does, in any case."""
        if compress is not None:
            check_compress(compress)
        if receipt or when_offline is not None or self.options.offline == "queue":
            ticket = self._new_receipt() if receipt else None
            self._send_noted(message, compress, when_offline, ticket)
            return ticket
        try:
            send_message(self._session(), message, compress)
        except ConnectionClosed as error:
            self._send_again(message, compress, error)
        return None

    def send_many(self, messages: object, *, compress: bool | None = None) -> None:
        """Send each item of an iterable as a message of its own, with few system calls.

        The messages go out in order, written together for as long as the iterable yields; one that
        takes its time, a millisecond or more for an item, holds back what it yielded until its next
        item. Messages of other threads may come in between. Blocks, queues and raises as `send`
        does for each of them. When the iterable raises an `Exception`, what it gave before is sent
        first. The error's note says how many were sent or are in the write buffer.
        """
        check_compress(compress)
        sent, runs = 0, runs_of(check_messages(messages))
        with telling_how_many(lambda: sent, runs):
            for run in runs:
                while run:
                    session, left = self._line.session, len(run)
                    try:
                        if session is not None and compress is None:
                            session.lane.send_run(run)
                        if len(run) == left:
                            self._send_some(run, compress)
                    finally:
                        sent += left - len(run)

    def _send_some(self, messages: list[Any], compress: bool | None) -> None:
        """Send those at the beginning that can be written together, or one; take them out."""
        together = small_ones(messages)
        taken = len(together)
        try:
            if taken > 1 and self.options.offline != "queue" and not compress:
                try:
                    session = self._session()
                    session.speaker.messages(together, compress)
                except ConnectionClosed:
                    pass  # none was sent, and `send` knows what that means
                else:
                    session.sender.check_unbroken()
                    del messages[:taken]
                    return
            taken = 1
            self.send(messages[0], compress=compress)
            del messages[0]
        except SendTimeout as error:
            if error.accepted:
                del messages[:taken]
            raise

    def _new_receipt(self) -> Receipt:
        return Receipt(partial(_cannot_wait, self._line))

    def flush(self, timeout: float | None = None) -> None:
        """Return when everything that was sent before, by any thread, is with the kernel.

        Also what is queued for the next connection (``offline="queue"``), which is waited for; of
        that, what is dropped meanwhile is not. Raises `TimeoutError` after `timeout` seconds
        (None: wait as long as it can come about), and `ConnectionClosed` when the connection ended
        first and not all of it waits for the next one. `RuntimeError` in a handler.
        """
        limit = None if timeout is None else check_seconds("timeout", timeout)
        receipt = self._new_receipt()
        mark = self._new_mark(receipt)
        self._mark(mark)
        try:
            receipt.wait(limit)
        finally:
            mark.receipt = None  # nobody waits for it any more

    def subscribe(self, message: object) -> Subscription:
        """Send a message now, if the connection is open, and first of all on every one to come.

        `message` is ``str``, bytes-like, or a function that gives one or None (nothing to say this
        time), which is asked anew each time, with no lock held, on the thread that connects. All
        subscriptions are sent in the order in which they were made, before any other message. The
        handle's ``cancel()`` ends it. May be called before `connect`. Raises `OptionError`, what
        the function raises, and what `send` does.
        """
        return self._line.resumption.subscribe(message)

    def send_frame(self, payload: object, opcode: int, fin: bool = True) -> None:
        """Send one raw frame, for hand-made fragmentation (RFC 6455 section 5.4).

        Until its last fragment (``fin=True``) other threads' messages wait. Raises as `send` does,
        and `ProtocolError` for a frame that does not fit the ones before it.
        """
        kind, data, last = check_frame(payload, opcode, fin, self._closing_method)
        if kind is Opcode.PING:
            self.ping(data)
        elif kind is Opcode.PONG:
            self.pong(data)
        else:
            try:
                self._session().speaker.frames([(kind, data, last)])
            except ConnectionClosed as error:
                self._refuse_now(error, "a frame is")

    @overload
    def send_json(
        self,
        value: object,
        *,
        when_offline: WhenOffline | None = None,
        receipt: Literal[False] = False,
    ) -> None: ...
    @overload
    def send_json(
        self,
        value: object,
        *,
        when_offline: WhenOffline | None = None,
        receipt: Literal[True],
    ) -> Receipt: ...
    @overload
    def send_json(
        self, value: object, *, when_offline: WhenOffline | None = None, receipt: bool
    ) -> Receipt | None: ...
    def send_json(
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
        if receipt or when_offline is not None or self.options.offline == "queue":
            ticket = self._new_receipt() if receipt else None
            data = encode_json(value, self.options.json_dumps)
            self._send_or_queue(Opcode.TEXT, data, None, when_offline, ticket)
            return ticket
        session = self._session()
        data = encode_json(value, self.options.json_dumps)
        try:
            send_whole(session, Opcode.TEXT, data, None)
        except ConnectionClosed as error:
            if not self.is_open():
                raise self._line.resumption.refusal(error) from error.__cause__
            self._send_or_queue(Opcode.TEXT, data, None, "raise", None)  # as in `send`
        return None

    def ping(self, data: object = b"") -> PingWaiter:
        """Send a Ping (at most 125 bytes); ``.wait(timeout)`` gives the round trip in seconds."""
        payload = control_payload(data)
        return self._say_now("a Ping is", lambda speaker: speaker.ping(payload))

    def pong(self, data: object = b"") -> None:
        """Send an unasked Pong (at most 125 bytes): a one-way heartbeat."""
        payload = control_payload(data)
        self._say_now("a Pong is", lambda speaker: speaker.pong(payload))

    def _say_now(self, what: str, say: Callable[[Speaker], T]) -> T:
        while True:
            session = self._line.session
            try:
                return say(self._session().speaker)
            except ConnectionClosed as error:
                if self._line.session is session:
                    self._refuse_now(error, what)
                # It was replaced meanwhile.


def _cannot_wait(line: Line) -> bool:
    """Would the line not go on meanwhile: is it a handler, or on top of one of its locks?"""
    session = line.present
    return (
        line.in_handler()
        or is_held_by_caller(line.lock)
        or (session is not None and session.is_interrupted)
    )
