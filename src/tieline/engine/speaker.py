# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""What users send on one connection → the sender, and what is told of it and of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tieline.engine.delivery import Delivery
from tieline.engine.dispatch import Dispatcher
from tieline.engine.log import AnyLogger
from tieline.engine.pings import Answer, PingWaiter
from tieline.engine.sender import Fragment, Sender
from tieline.engine.telling import Teller
from tieline.engine.unsent import Unsent
from tieline.protocol.wire import Opcode

if TYPE_CHECKING:
    from tieline.engine.locks import ReentrantLock

Data = bytes | bytearray | memoryview


class Speaker(Dispatcher):
    """The part of a session that its users speak through. (What it says itself: `Dispatcher`.)

    Any thread. Raises ConnectionClosed, SendTimeout, SendBufferFull as `Sender` does.
    """

    def _init_speaker(
        self,
        lock: ReentrantLock,
        sender: Sender,
        delivery: Delivery,
        teller: Teller,
        log: AnyLogger,
        connection_id: int,
    ) -> None:
        self._init_dispatcher(lock, delivery, teller, log, connection_id)
        self.sender = sender

    def new_waiter(self) -> PingWaiter:
        """For a Ping that is about to be sent."""
        raise NotImplementedError

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
            self.sender.message(opcode, payload, compress, unsent)
        else:
            with teller.timed(len(payload)):
                self.sender.message(opcode, payload, compress, unsent)
        if teller.shows_frames:
            teller.sent(opcode, payload, rsv1=self.sender.compresses(len(payload), compress))

    def messages(self, run: Sequence[tuple[Opcode, Data]], compress: bool | None = None) -> None:
        """Small whole messages, written together."""
        teller = self._teller
        with teller.timed(sum(len(payload) for _, payload in run)):
            self.sender.messages(run, compress)
        if teller.shows_frames:
            for opcode, payload in run:
                marked = self.sender.compresses(len(payload), compress)
                teller.sent(opcode, payload, rsv1=marked)

    def unsent(self, unsent: Unsent) -> None:
        """A message that was to be sent before, or the mark of a `flush()`."""
        if unsent.opcode is None:
            self.sender.mark(unsent)
        else:
            self.message(unsent.opcode, unsent.payload, unsent.compress, unsent)

    def greet(self, entries: Sequence[Unsent]) -> None:
        """What a connection begins with, as `Sender.greet` takes it."""
        payloads = [(unsent, unsent.payload) for unsent in entries]
        self.sender.greet(entries)
        if self._teller.shows_frames:
            for unsent, payload in payloads:
                if unsent.opcode is not None:
                    marked = self.sender.compresses(len(payload), unsent.compress)
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
            self.sender.frames(frames, compress, waits=waits, unsent=unsent)
        if teller.shows_frames:
            for opcode, payload, fin in frames:
                # RFC 7692 section 6: on the first frame of a message.
                marked = bool(opcode) and self.sender.compresses(len(payload), compress)
                teller.sent(opcode, payload, fin, rsv1=marked)

    def ping(self, data: bytes) -> PingWaiter:
        """A Ping; the waiter is resolved by its Pong or by the end of the connection."""
        waiter = self.new_waiter()
        self.ping_for(waiter, data)
        return waiter

    def ping_for(self, waiter: Answer, data: bytes) -> None:
        """The same, for a waiter of the caller's."""
        self.expect(waiter)
        try:
            self.sender.ping(data, waiter)
        except BaseException:
            self.forget(waiter)
            raise
        self._teller.sent(Opcode.PING, data)

    def pong(self, data: bytes) -> None:
        """An unasked Pong."""
        self.sender.pong(data)
        self._teller.sent(Opcode.PONG, data)
