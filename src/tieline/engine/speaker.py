"""What users send on one connection → the sender, and what is told of it and of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tieline.engine import dispatch
from tieline.engine.delivery import Delivery
from tieline.engine.log import AnyLogger
from tieline.engine.pings import Answer, PingWaiter
from tieline.engine.sender import Fragment, Sender
from tieline.engine.telling import Teller
from tieline.engine.unsent import Unsent
from tieline.options import Options
from tieline.protocol.wire import Opcode

if TYPE_CHECKING:
    from tieline.engine.session import Session

Data = bytes | bytearray | memoryview


def sender_of(session: Session, options: Options) -> Sender:
    """A session's write side."""
    reactor = session.reactor
    return Sender(
        session.lock,
        session.connection.outgoing,
        session.stream,
        session,
        write_limit=options.write_limit,
        timeout=options.timeout,
        now=reactor.now,
        caller=reactor.caller,
    )


class Owner(dispatch.Owner, Protocol):
    """What a `Speaker` asks of its session."""

    def new_waiter(self) -> PingWaiter:
        """For a Ping that is about to be sent."""


class Speaker(dispatch.Dispatcher):
    """What is said on a connection. (What it says itself is its dispatcher's part.)

    Any thread. Raises ConnectionClosed, SendTimeout, SendBufferFull as `Sender` does.
    """

    __slots__ = ("_sender",)

    _owner: Owner

    def __init__(
        self,
        sender: Sender,
        delivery: Delivery,
        teller: Teller,
        log: AnyLogger,
        connection_id: int,
        owner: Owner,
    ) -> None:
        super().__init__(delivery, teller, log, connection_id, owner)
        self._sender = sender

    def message(
        self,
        opcode: Opcode,
        payload: Data,
        compress: bool | None = None,
        unsent: Unsent | None = None,
    ) -> None:
        """A whole message; `unsent`: note what becomes of it."""
        teller = self._teller
        if teller.slow_send is None:
            self._sender.message(opcode, payload, compress, unsent)
        else:
            with teller.timed(len(payload)):
                self._sender.message(opcode, payload, compress, unsent)
        if teller.shows_frames:
            teller.sent(opcode, payload, rsv1=self._sender.compresses(len(payload), compress))

    def messages(self, run: Sequence[tuple[Opcode, Data]], compress: bool | None = None) -> None:
        """Small whole messages, written together."""
        teller = self._teller
        with teller.timed(sum(len(payload) for _, payload in run)):
            self._sender.messages(run, compress)
        if teller.shows_frames:
            for opcode, payload in run:
                marked = self._sender.compresses(len(payload), compress)
                teller.sent(opcode, payload, rsv1=marked)

    def unsent(self, unsent: Unsent) -> None:
        """A message that was to be sent before, or the mark of a `flush()`."""
        if unsent.opcode is None:
            self._sender.mark(unsent)
        else:
            self.message(unsent.opcode, unsent.payload, unsent.compress, unsent)

    def greet(self, entries: Sequence[Unsent]) -> None:
        """What a connection begins with, as `Sender.greet` takes it."""
        payloads = [(unsent, unsent.payload) for unsent in entries]
        self._sender.greet(entries)
        if self._teller.shows_frames:
            for unsent, payload in payloads:
                if unsent.opcode is not None:
                    marked = self._sender.compresses(len(payload), unsent.compress)
                    self._teller.sent(unsent.opcode, payload, rsv1=marked)

    def frames(
        self,
        frames: Sequence[Fragment],
        compress: bool = False,
        *,
        waits: bool = True,
        unsent: Unsent | None = None,
    ) -> None:
        """Data frames of one fragmented message, as `Sender.frames` takes them."""
        teller = self._teller
        with teller.timed(sum(len(payload) for _, payload, _ in frames)):
            self._sender.frames(frames, compress, waits=waits, unsent=unsent)
        if teller.shows_frames:
            for opcode, payload, fin in frames:
                # RFC 7692 section 6: on the first frame of a message.
                marked = bool(opcode) and self._sender.compresses(len(payload), compress)
                teller.sent(opcode, payload, fin, rsv1=marked)

    def ping(self, data: bytes) -> PingWaiter:
        """A Ping; the waiter is resolved by its Pong or by the end of the connection."""
        waiter = self._owner.new_waiter()
        self.ping_for(waiter, data)
        return waiter

    def ping_for(self, waiter: Answer, data: bytes) -> None:
        """The same, for a waiter of the caller's."""
        self.expect(waiter)
        try:
            self._sender.ping(data, waiter)
        except BaseException:
            self.forget(waiter)
            raise
        self._teller.sent(Opcode.PING, data)

    def pong(self, data: bytes) -> None:
        """An unasked Pong."""
        self._sender.pong(data)
        self._teller.sent(Opcode.PONG, data)
