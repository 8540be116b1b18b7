"""Bytes of one session's stream → what is delivered, by one thread at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from tieline.engine.delivery import Delivery
from tieline.engine.dispatch import Dispatcher
from tieline.engine.handlers import FrameAction
from tieline.engine.receive_buffer import ReceiveBuffer
from tieline.engine.telling import Teller
from tieline.engine.turn import Turn
from tieline.engine.unsent import NONE_YET, Queue
from tieline.protocol.events import Closed, Frame, FrameReceived, MessageChunk
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.wire import CloseCode

if TYPE_CHECKING:
    from tieline.engine.session import Session

#: Seconds for which the peer's error is held back, so that the messages before it can be answered.
_HOLDING = 0.25
#: More buffers full than a kernel holds.
_LAST_READS = 64

#: Seconds until the next look when another thread is about it.
BUSY_PAUSE = 0.01


class Pump:
    """Reads and delivers, for whichever thread has the turn; handlers run with no lock held."""

    __slots__ = (
        "_delivery", "_dispatcher", "_reads_on", "_session", "_streams", "_teller", "bytes_read",
        "calls", "found_nothing_at", "has_stopped", "receive_seconds", "response", "turn",
    )  # fmt: skip

    def __init__(
        self, session: Session, delivery: Delivery, dispatcher: Dispatcher, teller: Teller
    ) -> None:
        self._session = session
        self._delivery = delivery
        self._dispatcher = dispatcher
        self._teller = teller
        self.turn = Turn()
        #: Handlers' calls that other threads have asked for.
        self.calls: Queue[Callable[[], None]] = NONE_YET
        #: Told to the handlers before anything else, then None.
        self.response: HandshakeResponse | None = None
        # What TLS holds will be read soon.
        self._reads_on = False
        self._streams = False
        #: `on_frame` said STOP: nothing more is delivered.
        self.has_stopped = False
        #: When a read was begun that found nothing: all that had come before was read.
        self.found_nothing_at = 0.0
        #: Statistics: bytes read, and seconds spent in reading and decoding.
        self.bytes_read = 0
        self.receive_seconds = 0.0

    @property
    def has_more(self) -> bool:
        """Is there something to deliver before more may be read?"""
        return self.turn.has_more

    @property
    def is_mine(self) -> bool:
        """Is the caller the one who delivers, hence a handler?"""
        return self.turn.is_mine

    @property
    def is_busy(self) -> bool:
        """Is another thread about it? It may be in a handler that does not return for long."""
        return self.turn.is_taken and not self.turn.is_mine

    def read(self, now: float, memory: ReceiveBuffer, patience: float = 0.0) -> bool:
        """Read and deliver one buffer full. False: nothing to read, or another thread does.

        `patience`: seconds to wait for the other thread.
        """
        has_read = False
        try:
            if self.turn.take(patience):
                if self.turn.has_more:
                    self._deliver(now)
                received = self._receive(now, memory)
                if received is not None:
                    has_read = True
                    self._deliver(received)
        finally:
            self.turn.give_back()
        if self.turn.is_asked:
            self.deliver(now)
        return has_read

    def serve(self, now: float) -> None:
        """Read and deliver for as long as there is something, the short way. Reactor's thread."""
        session = self._session
        if self.turn.has_more or self.turn.has_response or self.calls:
            self.read(now, session.reactor.memory)
            return
        reactor = session.reactor
        try:
            if self.turn.take() and session.lane.serve(
                reactor.memory, reactor.calls, reactor.next_deadline(), reactor.serves_one
            ):
                self._deliver(reactor.now())
        finally:
            self.turn.give_back()
        if self.turn.is_asked:
            self.deliver(reactor.now())
        if session.stream.has_buffered_input:
            self.read_buffered()

    def read_buffered(self) -> None:
        """Come back soon for what TLS holds, which the selector cannot see. The reactor's thread.

        Others have their turn between two reads, and handlers that are behind stop it.
        """
        session = self._session
        if session.has_ended or self._reads_on or self._delivery.is_full:
            return
        if self.turn.has_more or session.stream.has_buffered_input:
            self._reads_on = True
            session.reactor.call_soon(session, self._read_on)

    def _read_on(self) -> None:
        self._reads_on = False
        self._session.on_readable(self._session.reactor.now())

    def read_rest(self) -> None:
        """Read up to the end, from a peer that may go on for ever. The reactor's thread."""
        session = self._session
        for _ in range(_LAST_READS):
            if session.has_ended or not self.read(session.reactor.now(), session.reactor.memory):
                return

    def deliver(self, now: float) -> None:
        """Deliver what there is, or let the thread do it that is about it."""
        turn = self.turn
        turn.is_asked = True
        while turn.is_asked and not turn.is_mine:
            try:
                if not turn.take():
                    return
                turn.is_asked = False
                self._deliver(now)
            finally:
                turn.give_back()

    def deliver_now(self) -> None:
        """`deliver`, as a call without arguments."""
        self.deliver(self._session.reactor.now())

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call a handler behind what was delivered before, and never beside another. Any thread."""
        if isinstance(self.calls, tuple):
            fresh: deque[Callable[[], None]] = deque()
            with self._session.lock:
                if isinstance(self.calls, tuple):
                    self.calls = fresh
        self.calls.append(function)
        self._session.reactor.call_soon(self._session, self.deliver_now)

    def stream_messages(self) -> None:
        """From now on deliver in chunks what does not come whole. Any thread."""
        session = self._session
        if self._streams or session.has_ended:
            return
        with session.lock:
            session.connection.stream_messages()
            self._streams = True
        # The beginning of a message may have come before.
        session.reactor.call_soon(session, self.deliver_now)

    def give_back(self) -> None:
        """Ctrl-C may have kept the caller's turn from being given back."""
        self.turn.give_back()

    def _receive(self, now: float, memory: ReceiveBuffer) -> float | None:
        """Read once: when it was done, None when there was nothing to read.

        That moment, not `now`, which may be before the Ping was sent whose Pong has come.
        """
        session = self._session
        with session.lock:
            if session.has_ended or self.turn.has_more:
                return None
            try:
                target = session.connection.receive_target
                count = session.stream.receive_into(memory.view if target is None else target)
            except OSError as error:
                if target is not None:
                    error.__traceback__ = None  # it would keep the message in work
                session.connection.connection_lost(error)
            else:
                if count is None:
                    if not session.stream.has_buffered_input:
                        self.found_nothing_at = now
                        return None
                    # Records of TLS without content: it is worth another call, soon.
                elif count:
                    self.bytes_read += count
                    if target is not None:
                        session.connection.received_directly(count, now)
                        memory.received(0)
                    else:
                        session.connection.receive_data(memory.buffer, count, now)
                        if count >= memory.watched_from:
                            memory.received(count)
                elif session.sender.error is not None:
                    # The kernel tells of a reset once, and it was a write that heard of it.
                    session.connection.connection_lost(session.sender.error)
                else:
                    session.connection.receive_eof()
            done = session.reactor.now()
            self.receive_seconds += done - now
            return done

    def _deliver(self, now: float) -> None:
        """Deliver what the connection has to tell, then write what is to be sent."""
        session, connection = self._session, self._session.connection
        self.turn.has_more = False
        if self.response is not None:
            response, self.response, self.turn.has_response = self.response, None, False
            with session.lock:
                session.sender.cork(1)
            self._dispatcher.opened(response)
        while True:
            while self.calls and not session.has_ended:
                self.calls.popleft()()
            # Not kept in a variable: a handler may fork, and in the child it is another one.
            with session.lock:
                if session.has_ended:
                    return
                if self._delivery.is_full and connection.is_listening:
                    # A few bytes may become a thousand times as many. What follows waits as it
                    # came, in memory of its own: what was read into is for all connections.
                    self.turn.has_more = True
                    connection.keep_unread()
                    session.sender.flush()
                    break
                event = connection.next_event(now)
                if event is None:
                    session.sender.flush()
                    if connection.close_info is None:
                        break
                    # A thread was told already, and Ctrl-C kept it from passing it on.
                    event = Closed(connection.close_info)
                if isinstance(event, list):
                    session.sender.cork(len(event))
            if isinstance(event, list):
                if not self.has_stopped:
                    self.hold_back()
                    self._delivery.messages(event)
            elif isinstance(event, MessageChunk):
                if not self.has_stopped:
                    if event.is_last:
                        self.hold_back()
                    self._delivery.chunk(event)
            elif isinstance(event, FrameReceived):
                self._on_frame(event.frame)
            elif isinstance(event, Closed):
                session.finish()
            else:
                self._dispatcher.pass_on(event)
        if not self.turn.has_more:
            session.lane.rest_is_taken()
        session.delivered()

    def hold_back(self) -> None:
        """Let what follows the next messages wait, if that may be their answers' last chance."""
        session = self._session
        if session.connection.is_broken and self._delivery.hold_back():
            session.reactor.call_soon(session, self._go_on_later)

    def _go_on_later(self) -> None:
        """Nobody may ever ask for more messages. The reactor's thread."""
        reactor = self._session.reactor
        reactor.call_at(reactor.now() + _HOLDING, self._session, self._go_on)

    def _go_on(self) -> None:
        self._delivery.go_on()
        self.read_buffered()

    def _on_frame(self, frame: Frame) -> None:
        self._teller.received(frame)
        if self.has_stopped:
            return  # only the peer's Close matters now, and that must be processed
        action = self._delivery.callbacks.frame(frame)
        if action is FrameAction.PROCESS:
            return
        with self._session.lock:
            self._session.connection.skip_frame()
        if action is FrameAction.STOP:
            self.has_stopped = True
            self._session.close(CloseCode.GOING_AWAY, "")
