"""One open connection: joins its byte stream, its protocol and its handlers on a reactor."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tieline.engine.delivery import Delivery
from tieline.engine.dispatch import Dispatcher
from tieline.engine.handlers import FrameAction
from tieline.engine.log import AnyLogger
from tieline.engine.reactor import Reactor
from tieline.engine.sender import Sender
from tieline.engine.speaker import Speaker
from tieline.engine.stats import Traffic
from tieline.engine.telling import Teller
from tieline.engine.timers import Timer
from tieline.errors import ConnectionClosed
from tieline.options import Options
from tieline.protocol.connection import Connection
from tieline.protocol.events import Closed, CloseInfo, Frame, FrameReceived
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode
from tieline.transport.stream import Stream

#: After a broken write, this many buffers full are read at most: more than a kernel holds.
_LAST_READS = 64


class Session:
    """The life of one connection, from its first message to its one terminal event.

    `lock` guards stream, protocol and buffers; no handler ever runs under it. Every failure,
    wherever it is noticed, ends in `fail`, which tells the protocol; the protocol tells of the
    end once; and `_finish` is where every session ends.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        connection_id: int,
        stream: Stream,
        reactor: Reactor,
        delivery: Delivery,
        options: Options,
        log: AnyLogger,
        on_round_trip: Callable[[float], None],
        on_ended: Callable[[Session], None],
    ) -> None:
        # Reentrant: a signal handler that sends or disconnects may come on top of a send.
        self.lock = threading.RLock()
        self.connection = connection
        self.connection_id = connection_id
        self.stream = stream
        self.reactor = reactor
        self._delivery = delivery
        self._callbacks = delivery.callbacks
        self.log = log
        self._teller = Teller(
            delivery, connection_id, options, log=log, now=reactor.now, soon=self._soon
        )
        self._on_ended = on_ended
        self.sender = Sender(
            self.lock,
            connection.outgoing,
            stream,
            write_limit=options.write_limit,
            timeout=options.timeout,
            now=reactor.now,
            in_handler=self.in_handler,
            on_blocked=lambda: self._soon(self._watch),
            on_broken=lambda: self._soon(self._after_broken_write),
            on_waited=self._teller.waited,
        )
        self._dispatcher = Dispatcher(
            delivery,
            self._teller,
            log,
            connection_id,
            answers_pings=lambda: connection.outgoing.is_open and not self.sender.is_full,
            on_round_trip=on_round_trip,
        )
        #: Where users' messages, Pings and Pongs go.
        self.speaker = Speaker(self.sender, self._teller, self._dispatcher, self.in_handler)
        self._response: HandshakeResponse | None = None
        # The one timer, and when it fires. Deadlines that move later leave it where it is.
        self._timer: Timer[Any] | None = None
        # What TLS holds will be read soon.
        self._reads_on = False
        # `on_frame` said STOP: nothing more is delivered.
        self._stopped = False
        #: The socket is closed; the last handlers may still be running.
        self.has_ended = False
        #: Set when the last handler has returned.
        self.finished = threading.Event()
        #: Statistics: bytes read, and seconds spent in reading and decoding.
        self.bytes_read = 0
        self.receive_seconds = 0.0

    # --- from any thread ----------------------------------------------------------------------

    def start(self, response: HandshakeResponse) -> None:
        """Hand the connection over to the reactor, which delivers from now on."""
        self._response = response
        self.reactor.register(self)

    @property
    def is_open(self) -> bool:
        """True while messages can be sent."""
        return self.connection.outgoing.is_open and self.sender.error is None and not self.has_ended

    def in_handler(self) -> bool:
        """Is the caller where waiting would keep this connection from going on?"""
        return self.reactor.in_thread() or self._delivery.in_handler()

    @property
    def is_interrupted(self) -> bool:
        """Is the caller a signal handler that came on top of a send, and so holds the lock?"""
        return self.sender.is_locked_by_caller

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, without waiting for it."""
        if self.is_interrupted:
            # A message may be half encoded below: the Close must come behind it.
            self._soon(lambda: self.close(code, reason))
            return
        with self.lock:
            if self.has_ended:
                return
            self.connection.send_close(code, reason, self.reactor.now())
            self.sender.flush()
        self._soon(self._pump_now)

    def fail(self, error: Exception, code: int | None = None) -> None:
        """Give the connection up; with a code the peer is told why (RFC 6455 section 7.1.7)."""
        with self.lock:
            if code is None:
                self.connection.connection_lost(error)
            else:
                self.connection.fail(error, code, self.reactor.now())
        self._soon(self._pump_now)

    def drop(self) -> None:
        """End at once: a Close goes out if the kernel takes it, and no answer is awaited."""
        if self.is_interrupted:
            self._soon(self.drop)
            return
        with self.lock:
            if self.has_ended:
                return
            # Now, because a handler may hold up the reactor's thread for long.
            self.connection.send_close(CloseCode.GOING_AWAY, "", self.reactor.now())
            self.sender.flush()
            self.connection.connection_lost(None)
            self.stream.shutdown_write()
        self._soon(self._pump_now)

    def resume_reading(self) -> None:
        """The handlers have caught up."""
        self._soon(self._resume)

    def traffic(self) -> Traffic:
        """What went over the connection so far."""
        with self.lock:
            return Traffic.of(self.connection, self.sender, self.bytes_read, self.receive_seconds)

    # --- on the reactor's thread --------------------------------------------------------------

    def fileno(self) -> int:
        return self.stream.fileno()

    def on_registered(self) -> None:
        """First of all calls: the handlers learn that the connection is open."""
        self._watch()
        if self._response is not None:
            self._dispatcher.opened(self._response)
        self._pump_now()
        self._read_buffered()

    def on_readable(self, now: float) -> None:
        """Read once, and deliver."""
        if self._read(now):
            self._read_buffered()

    def _read_buffered(self) -> None:
        """Come back soon for what TLS holds, which the selector cannot see.

        Others have their turn between two reads, and handlers that are behind stop it.
        """
        if self.has_ended or self._reads_on or self._delivery.is_full:
            return
        if self.stream.has_buffered_input:
            self._reads_on = True
            self._soon(self._read_on)

    def _read_on(self) -> None:
        self._reads_on = False
        self.on_readable(self.reactor.now())

    def _resume(self) -> None:
        self._watch()
        self._read_buffered()

    def on_writable(self) -> None:
        """Write what waits."""
        with self.lock:
            if not self.has_ended:
                self.sender.flush()

    def _read(self, now: float) -> bool:
        """Read and deliver one buffer full. False: there was nothing to read."""
        reactor = self.reactor
        with self.lock:
            if self.has_ended:
                return False
            try:
                count = self.stream.receive_into(reactor.view)
            except OSError as error:
                self.connection.connection_lost(error)
            else:
                if count is None:
                    return False
                if count:
                    self.bytes_read += count
                    self.connection.receive_data(reactor.buffer, count, now)
                else:
                    self.connection.receive_eof()
            self.receive_seconds += reactor.now() - now
        self._pump(now)
        return True

    def _pump_now(self) -> None:
        self._pump(self.reactor.now())

    def _pump(self, now: float) -> None:
        """Deliver what the connection has to tell, then write what is to be sent."""
        connection, lock = self.connection, self.lock
        while True:
            with lock:
                if self.has_ended:
                    return
                event = connection.next_event(now)
                if event is None:
                    self.sender.flush()
                    break
                if isinstance(event, list) and len(event) > 1:
                    self.sender.cork()
            if isinstance(event, list):
                if not self._stopped:
                    self._delivery.messages(event)
            elif isinstance(event, FrameReceived):
                self._on_frame(event.frame)
            elif isinstance(event, Closed):
                self._finish(event.info)
            else:
                self._dispatcher.pass_on(event)
        if self._delivery.is_full:
            self._watch()
        self._arm_timer()

    def _on_frame(self, frame: Frame) -> None:
        self._teller.received(frame)
        if self._stopped:
            return  # only the peer's Close matters now, and that must be processed
        action = self._callbacks.frame(frame)
        if action is FrameAction.PROCESS:
            return
        with self.lock:
            self.connection.skip_frame()
        if action is FrameAction.STOP:
            self._stopped = True
            self.close(CloseCode.GOING_AWAY, "")

    def _after_broken_write(self) -> None:
        """The stream takes no more; what the peer had sent before, a Close maybe, is still read."""
        for _ in range(_LAST_READS):
            if self.has_ended or not self._read(self.reactor.now()):
                break
        if self.connection.state is not State.CLOSED and self.sender.error is not None:
            self.fail(self.sender.error)

    def _on_timer(self) -> None:
        self._timer = None
        now = self.reactor.now()
        with self.lock:
            if not self.has_ended:
                if self._delivery.is_full:
                    self.connection.not_reading(now)
                self.connection.on_time(now)
        self._pump(now)

    def _arm_timer(self) -> None:
        if self.has_ended:
            return
        deadline = self.connection.next_deadline()
        if deadline is None or (self._timer is not None and self._timer.when <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.reactor.call_at(deadline, self, self._on_timer)

    def _watch(self) -> None:
        """Tell the reactor what to wait for."""
        if not self.has_ended:
            self.reactor.watch(
                self, readable=not self._delivery.is_full, writable=self.sender.blocked
            )

    def _finish(self, info: CloseInfo) -> None:
        """The one end of every session."""
        try:
            with self.lock:
                self.sender.flush()
                self.has_ended = True
                self.sender.drop()
                self.reactor.unregister(self)
                if info.clean:
                    self.stream.shutdown_write()
                self.stream.close()
            if self._timer is not None:
                self._timer.cancel()
            self.log.info("closed: %s", info)
            self._on_ended(self)
            self._dispatcher.ended(info)
        finally:
            # Whatever a logger raised: those who wait for the end must not wait for ever.
            self._delivery.post(self.finished.set)

    def abandon_after_fork(self) -> None:
        """In a child process: forget the connection without a byte on the parent's line."""
        if self.has_ended:
            return
        self.lock = threading.RLock()
        self.sender.abandon_after_fork(self.lock)
        self.has_ended = True
        error = ConnectionAbortedError("the process was forked, and the parent has the connection")
        self.connection.connection_lost(error)
        self.stream.detach_after_fork()
        self._dispatcher.give_up(ConnectionClosed(str(error), self.connection.close_info))
        self._callbacks.give_up_watching(self.connection_id, error)
        self._on_ended(self)
        self.finished.set()

    def _soon(self, function: Callable[[], None]) -> None:
        self.reactor.call_soon(self, function)
