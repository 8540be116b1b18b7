# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Bytes of one session's stream → what is delivered, by one thread at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any

from tieline.engine.handlers import FrameAction
from tieline.engine.speaker import Speaker
from tieline.engine.unsent import NONE_YET, Queue
from tieline.protocol.events import Closed, ClosingStarted, Frame, FrameReceived, MessageChunk
from tieline.protocol.wire import CloseCode

if TYPE_CHECKING:
    from tieline.engine.delivery import Delivery
    from tieline.engine.locks import ReentrantLock
    from tieline.engine.log import AnyLogger
    from tieline.engine.reactor import Reactor
    from tieline.engine.receive_buffer import ReceiveBuffer
    from tieline.engine.sender import Sender
    from tieline.engine.telling import Teller
    from tieline.protocol.connection import Connection
    from tieline.transport.stream import Stream

#: Seconds for which the peer's error is held back, so that the messages before it can be answered.
_HOLDING = 0.25
#: More buffers full than a kernel holds.
_LAST_READS = 64

#: Seconds until the next look when another thread is about it.
BUSY_PAUSE = 0.01


class Pump(Speaker):
    """The part of a session that reads and delivers, on whichever thread has the turn.

    Handlers run with no lock held.
    """

    def _init_pump(
        self,
        lock: ReentrantLock,
        sender: Sender,
        connection: Connection,
        stream: Stream,
        reactor: Reactor,
        delivery: Delivery,
        teller: Teller,
        log: AnyLogger,
        connection_id: int,
    ) -> None:
        self._init_speaker(lock, sender, delivery, teller, log, connection_id)
        self.connection = connection
        self.stream = stream
        self.reactor = reactor
        #: Handlers' calls that other threads have asked for.
        self.calls: Queue[Callable[[], None]] = NONE_YET
        # What TLS holds will be read soon.
        self._reads_on = False
        self._streams = False
        #: `on_frame` said STOP: nothing more is delivered.
        self.has_stopped = False
        #: The socket is closed; the last handlers may still be running.
        self.has_ended = False
        #: When a read was begun that found nothing: all that had come before was read.
        self.found_nothing_at = 0.0
        #: Statistics: bytes read, and seconds spent in reading and decoding.
        self.bytes_read = 0
        self.receive_seconds = 0.0

    # --- what it asks of its session ------------------------------------------------------------

    def delivered(self) -> None:
        """All that came was delivered."""
        raise NotImplementedError

    def finish(self) -> None:
        """The connection has ended."""
        raise NotImplementedError

    def on_readable(self, now: float) -> None:
        """Read once, and deliver."""
        raise NotImplementedError

    def close(self, code: int, reason: str, *, reads_on: bool = False) -> None:
        """Begin the closing handshake."""
        raise NotImplementedError

    # --- calls on the reactor's thread ----------------------------------------------------------

    def _soon(self, function: Callable[[], None]) -> None:
        """Behind what is under way."""
        registrant: Any = self
        self.reactor.call_soon(registrant, function)

    def _later(self, seconds: float, function: Callable[[], None]) -> None:
        """After so many seconds. Called there as well."""
        registrant: Any = self
        self.reactor.call_at(self.reactor.now() + seconds, registrant, function)

    # --- reading and delivering -----------------------------------------------------------------

    def read(self, now: float, memory: ReceiveBuffer, patience: float = 0.0) -> bool:
        """Read and deliver one buffer full. False: nothing to read, or another thread does.

        `patience`: seconds to wait for the other thread.
        """
        has_read = False
        try:
            if self.take(patience):
                if self.has_more:
                    self._deliver(now)
                received = self._receive(now, memory)
                if received is not None:
                    has_read = True
                    self._deliver(received, memory)
        finally:
            self.give_back()
        if self.is_asked:
            self.deliver(now)
        return has_read

    def serve(self, now: float) -> None:
        """Read and deliver for as long as there is something, the short way. Reactor's thread."""
        if self.has_more or self.response is not None or self.calls:
            self.read(now, self.reactor.memory)
            return
        reactor = self.reactor
        try:
            if self.take() and self.lane.serve(
                reactor.memory, reactor.calls, reactor.wanted_at(), reactor.serves_one
            ):
                self._deliver(reactor.now(), reactor.memory)
        finally:
            self.give_back()
        if self.is_asked:
            self.deliver(reactor.now())
        if self.stream.has_buffered_input:
            self.read_buffered()

    def read_buffered(self) -> None:
        """Come back soon for what TLS holds, which the selector cannot see. The reactor's thread.

        Others have their turn between two reads, and handlers that are behind stop it.
        """
        if self.has_ended or self._reads_on or self.delivery.is_full:
            return
        if self.has_more or self.stream.has_buffered_input:
            self._reads_on = True
            self._soon(self._read_on)

    def _read_on(self) -> None:
        self._reads_on = False
        self.on_readable(self.reactor.now())

    def read_rest(self) -> None:
        """Read up to the end, from a peer that may go on for ever. The reactor's thread."""
        for _ in range(_LAST_READS):
            if self.has_ended or not self.read(self.reactor.now(), self.reactor.memory):
                return

    def deliver(self, now: float) -> None:
        """Deliver what there is, or let the thread do it that is about it."""
        self.is_asked = True
        while self.is_asked and self.holder != get_ident():
            try:
                if not self.take():
                    return
                self.is_asked = False
                self._deliver(now)
            finally:
                self.give_back()

    def deliver_now(self) -> None:
        """`deliver`, as a call without arguments."""
        self.deliver(self.reactor.now())

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call a handler behind what was delivered before, and never beside another. Any thread."""
        if isinstance(self.calls, tuple):
            fresh: deque[Callable[[], None]] = deque()
            with self.lock:
                if isinstance(self.calls, tuple):
                    self.calls = fresh
        self.calls.append(function)
        self._soon(self.deliver_now)

    def stream_messages(self) -> None:
        """From now on deliver in chunks what does not come whole. Any thread."""
        if self._streams or self.has_ended:
            return
        with self.lock:
            self.connection.stream_messages()
            self._streams = True
        # The beginning of a message may have come before.
        self._soon(self.deliver_now)

    def _receive(self, now: float, memory: ReceiveBuffer) -> float | None:
        """Read once: when it was done, None when there was nothing to read.

        That moment, not `now`, which may be before the Ping was sent whose Pong has come.
        """
        connection, stream = self.connection, self.stream
        with self.lock:
            if self.has_ended or self.has_more:
                return None
            try:
                target = connection.assembler.target
                count = stream.receive_into(memory.view if target is None else target)
            except OSError as error:
                if target is not None:
                    error.__traceback__ = None  # it would keep the message in work
                connection.connection_lost(error)
            else:
                if count is None:
                    if not stream.has_buffered_input:
                        self.found_nothing_at = now
                        return None
                    # Records of TLS without content: it is worth another call, soon.
                elif count:
                    self.bytes_read += count
                    if target is not None:
                        connection.received_directly(count, now)
                        memory.received(0)
                    else:
                        connection.receive_data(memory.buffer, count, now)
                        if count >= memory.watched_from:
                            memory.received(count)
                elif self.sender.error is not None:
                    # The kernel tells of a reset once, and it was a write that heard of it.
                    connection.connection_lost(self.sender.error)
                else:
                    connection.receive_eof()
            done = self.reactor.now()
            self.receive_seconds += done - now
            return done

    def _deliver(self, now: float, memory: ReceiveBuffer | None = None) -> None:
        """Deliver what the connection has to tell, then write what is to be sent.

        `memory`: for the end of the stream, which mostly comes with the peer's Close. A thread that
        looks for it at once need not set a timer for it, and wait until it is told.
        """
        connection = self.connection
        self.has_more = False
        if self.response is not None:
            response, self.response = self.response, None
            with self.lock:
                self.sender.cork(1)
            self.opened(response)
        while True:
            while self.calls and not self.has_ended:
                self.calls.popleft()()
            # Not kept in a variable: a handler may fork, and in the child it is another one.
            with self.lock:
                if self.has_ended:
                    return
                if self.delivery.is_full and connection.is_listening:
                    # A few bytes may become a thousand times as many. What follows waits as it
                    # came, in memory of its own: what was read into is for all connections.
                    self.has_more = True
                    connection.keep_unread()
                    self.sender.flush()
                    break
                event = connection.next_event(now)
                if event is None:
                    self.sender.flush()
                    if connection.close_info is None:
                        if memory is None or not connection.assembler.is_deaf:
                            break
                        last, memory = memory, None  # once: the peer may go on for ever
                        if self._receive(now, last) is None:
                            break
                        continue
                    # A thread was told already, and Ctrl-C kept it from passing it on.
                    event = Closed(connection.close_info)
                if isinstance(event, list):
                    self.sender.cork(len(event))
            if isinstance(event, list):
                if not self.has_stopped:
                    self.hold_back()
                    self.delivery.messages(event)
            elif type(event) is MessageChunk:
                if not self.has_stopped:
                    if event.is_last:
                        self.hold_back()
                    self.delivery.chunk(event)
            elif type(event) is FrameReceived:
                self._on_frame(event.frame)
            elif type(event) is Closed:
                self.finish()
            elif not self.has_stopped or type(event) is ClosingStarted:
                self.pass_on(event)
        if not self.has_more:
            self.lane.rest_is_taken()
        self.delivered()

    def hold_back(self) -> None:
        """Let what follows the next messages wait, if that may be their answers' last chance."""
        if self.connection.is_broken and self.delivery.hold_back():
            self._soon(self._go_on_later)

    def _go_on_later(self) -> None:
        """Nobody may ever ask for more messages. The reactor's thread."""
        self._later(_HOLDING, self._go_on)

    def _go_on(self) -> None:
        self.delivery.go_on()
        self.read_buffered()

    def _on_frame(self, frame: Frame) -> None:
        self._teller.received(frame)
        if self.has_stopped:
            return  # only the peer's Close matters now, and that must be processed
        action = self.delivery.callbacks.frame(frame)
        if action is FrameAction.PROCESS:
            return
        with self.lock:
            self.connection.skip_frame()
        if action is FrameAction.STOP:
            self.has_stopped = True
            self.close(CloseCode.GOING_AWAY, "")
