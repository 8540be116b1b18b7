# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""One open connection: joins its byte stream, its protocol and its handlers on a reactor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tieline.engine import lane, quiet_close
from tieline.engine.driving import Driver
from tieline.engine.liveness import Liveness
from tieline.engine.locks import ReentrantLock
from tieline.engine.pump import BUSY_PAUSE
from tieline.engine.sender import Sender
from tieline.engine.session_calls import Owner, SessionCalls
from tieline.engine.stats import Traffic
from tieline.engine.telling import teller_of
from tieline.engine.waiting import Once
from tieline.errors import ConnectionClosed
from tieline.protocol.wire import CloseCode

if TYPE_CHECKING:
    from tieline.engine.delivery import Delivery
    from tieline.engine.log import AnyLogger
    from tieline.engine.reactor import Reactor
    from tieline.options import Options
    from tieline.protocol.connection import Connection
    from tieline.protocol.events import CloseInfo
    from tieline.protocol.handshake import HandshakeResponse
    from tieline.transport.stream import Stream


class Session(SessionCalls):
    """The life of one connection, from its first message to its one terminal event.

    One object, which has the classes below as its parts: thousands of connections may be idle.
    `lock` guards stream, protocol and buffers; no handler ever runs under it. Whoever has the turn
    reads and delivers: the reactor's thread, or one that drives. Every failure, wherever it is
    noticed, ends in `fail`, which tells the protocol; the protocol tells of the end once; and
    `finish` is where every session ends.
    """

    def __init__(
        self,
        connection: Connection,
        connection_id: int,
        stream: Stream,
        reactor: Reactor,
        delivery: Delivery,
        options: Options,
        log: AnyLogger,
        owner: Owner,
        drivable: bool = False,
    ) -> None:
        # Reentrant: a signal handler that sends or disconnects may come on top of a send.
        lock = ReentrantLock()
        sender = Sender(
            lock,
            connection.outgoing,
            stream,
            self,
            options.write_limit,
            options.timeout,
            reactor.now,
            reactor.caller,
        )
        teller = teller_of(delivery, connection_id, options, log, reactor.now, self)
        self._init_pump(
            lock, sender, connection, stream, reactor, delivery, teller, log, connection_id
        )
        self._owner = owner
        self._heartbeat_message = options.heartbeat_message
        self._heartbeat = None
        #: What follows the end is decided.
        self.end_is_told = False
        #: The short way for small messages.
        self.lane = lane.lane_of(self, options, teller)
        #: When it is asked if the peer is there.
        self.liveness = Liveness(self)
        #: For threads that serve the connection while they wait for a message.
        self.driver = Driver(self) if drivable else None
        # The reactor's own.
        self.is_served = False
        self.served_as = self.watched_for = 0
        #: It is served; before, messages can be sent, but nothing is read.
        self.is_started = False
        #: The last handler has returned.
        self.is_finished = False
        # The same for who waits for it. Made for the first one.
        self._finished_once: Once | None = None

    # --- from any thread ----------------------------------------------------------------------

    def start(self, response: HandshakeResponse) -> None:
        """Hand the connection over to the reactor, which delivers from now on."""
        self.response = response
        self.is_started = True
        lane.begin(self, self.delivery)
        if self.may_end_anywhere() and self.connection.outgoing.is_open:
            self.reactor.register(self, lazily=True)
        else:
            self.reactor.register(self, quietly=self.begins_quietly())

    @property
    def is_open(self) -> bool:
        """True while messages can be sent."""
        return self.connection.outgoing.is_open and self.sender.error is None and not self.has_ended

    def close(self, code: int, reason: str, *, reads_on: bool = False) -> None:
        """Begin the closing handshake. `reads_on`: what comes before its end is kept, as ever."""
        if self.is_interrupted:
            # A message may be half encoded below: the Close must come behind it.
            self._soon(partial(self.close, code, reason, reads_on=reads_on))
            return
        try:
            with self.lock:
                if self.has_ended:
                    return
                self.connection.send_close(code, reason, self.reactor.now())
                self.sender.flush()
            if not reads_on:
                self.discard_rest()
            self.serve_soon()
            self.resume_reading()
        finally:  # after Ctrl-C too: what was begun has a deadline, and that needs a timer
            self._soon(self.deliver_now)

    def fail(self, error: Exception, code: int | None = None) -> None:
        """Give the connection up; with a code the peer is told why (RFC 6455 section 7.1.7)."""
        with self.lock:
            if code is None:
                self.connection.connection_lost(error)
            else:
                self.connection.fail(error, code, self.reactor.now())
        self._soon(self.deliver_now)

    def drop(self, error: Exception | None = None) -> None:
        """End at once: a Close goes out if the kernel takes it, and no answer is awaited.

        `error`: why, unless the peer has said all that it has to say.
        """
        if self.is_interrupted:
            self._soon(partial(self.drop, error))
            return
        try:
            with self.lock:
                if self.has_ended:
                    return
                # Now, because a handler may hold up the reactor's thread for long.
                self.connection.send_close(CloseCode.GOING_AWAY, "", self.reactor.now())
                self.sender.flush()
                self.connection.connection_lost(error)
                self.stream.shutdown_write()
        finally:  # as above
            self._soon(self.deliver_now)

    def fail_unserved(self, error: Exception) -> None:
        """It could not be registered: its end is told here."""
        self.connection.connection_lost(error)
        self.finish()
        self.stream.close()
        self._finished()

    def discard_rest(self) -> None:
        """The peer's Close is behind whatever has filled the inbox."""
        self.delivery.discard_rest()

    def traffic(self) -> Traffic:
        """What went over the connection so far."""
        with self.lock:
            short = self.lane
            return Traffic.of(
                self.connection,
                self.sender,
                self.bytes_read + short.bytes_read,
                self.receive_seconds + short.receive_seconds,
            )

    # --- on the reactor's thread --------------------------------------------------------------

    def fileno(self) -> int:
        return self.stream.fileno()

    def on_registered(self) -> None:
        """First of all calls: the handlers learn that the connection is open."""
        if self.driver is not None:
            self.driver.look_again_later()
        self.deliver_now()
        self.resume()

    def on_readable(self, now: float) -> None:
        """Read once, and deliver."""
        if self.lane.may_serve:
            self.serve(now)
        elif self.read(now, self.reactor.memory):
            self.read_buffered()

    def resume(self) -> None:
        """Read again, if that is wanted."""
        if self.sender.error is not None:
            self.after_broken_write()
        self.watch()
        self.read_buffered()

    def on_writable(self) -> None:
        """Write what waits."""
        with self.lock:
            if not self.has_ended:
                self.sender.flush()

    def slept(self, seconds: float) -> None:
        """The machine slept for `seconds`, or its clock was set (back: they are negative)."""
        self.liveness.slept(seconds)

    def delivered(self) -> None:
        """All that came was delivered: what to wait for next? On the thread that delivered."""
        if self.delivery.is_full and (self.driver is None or not self.driver.is_driven):
            self._on_reactor(self.watch)
        if self.driver is not None:
            self.driver.wake()
            if self.driver.closes:
                return
        if not self.liveness.is_covered(self.connection.next_deadline()):
            self._on_reactor(self.liveness.arm)

    def after_broken_write(self) -> None:
        """The stream takes no more; what the peer had sent before, a Close maybe, is still read."""
        if self.is_busy:
            self._later(BUSY_PAUSE, self.after_broken_write)
            return
        self.read_rest()
        # With more, there was no room for it: `resume` comes back here.
        if self.sender.error is not None and not self.has_more:
            self.fail(self.sender.error)

    def watch(self) -> None:
        """Tell the reactor what to wait for."""
        if not self.has_ended:
            driven = self.driver is not None and self.driver.is_driven
            self.reactor.watch(
                self,
                readable=not driven and not self.delivery.is_full,
                writable=self.sender.blocked,
            )

    def finish(self) -> None:
        """The one end of every session.

        On another thread it ends with the same call on the reactor's, which makes up for what
        Ctrl-C may have kept that thread from.
        """
        info, here = self.connection.close_info, self.reactor.in_thread()
        assert info is not None
        is_told = False
        try:
            with self.lock:
                is_first = not self.has_ended
                if is_first:
                    self.sender.flush()
                self.has_ended = True
                self.lane.close()
                self.sender.drop()
                if is_first and info.clean:
                    self.stream.shutdown_write()
            if here:
                self._release()
            self._tell_end(info)
            is_told = True
        finally:
            # Whatever a logger raised: those who wait for the end must not wait for ever.
            if here:
                self.tell_finished()
            elif self.driver is None:
                self._soon(self.finish)
            else:
                quiet_close.finish(self, self.driver, is_told=is_told)

    def _tell_end(self, info: CloseInfo) -> None:
        try:
            if not self.end_is_told:
                self._owner.on_ended(self)
                self.end_is_told = True
                self.log.info("closed: %s", info)
        finally:
            self.ended(info)

    def tell_finished(self) -> None:
        """Once the last handler has returned."""
        self.delivery.finish(self._finished)

    def _finished(self) -> None:
        try:
            self._owner.on_finished(self)
        finally:
            self._set_finished()

    def _set_finished(self) -> None:
        self.is_finished = True
        if self._finished_once is not None:
            self._finished_once.set()

    @property
    def finished(self) -> Once:
        """Set when the last handler has returned."""
        with self.lock:
            fresh = Once(self.lock)
            if self._finished_once is None:  # no signal handler comes in before the next line
                self._finished_once = fresh
        if self.is_finished:  # looked at when whoever sets it would have found the other
            self._finished_once.set()
        return self._finished_once

    def _release(self) -> None:
        self.reactor.unregister(self)
        self.let_go()

    def let_go(self) -> None:
        """Nothing is served any more. On the reactor's thread, unless that never looked at it."""
        self.liveness.cancel()
        if self.driver is not None:
            self.driver.close()
        self.lane.close_descriptor(self.stream.close)

    def abandon_after_fork(self) -> None:
        """In a child process: forget the connection without a byte on the parent's line."""
        self.lock = ReentrantLock()
        self._news = None
        self.sender.abandon_after_fork(self.lock)
        error = ConnectionAbortedError("the process was forked, and the parent has the connection")
        self.lane.abandon_after_fork(self.lock)
        if self._finished_once is not None:
            self._finished_once.abandon_after_fork(self.lock)
        if not self.has_ended:
            self.has_ended = True
            # Another thread may have been in the middle of decoding.
            self.connection.assembler.is_deaf = True
            self.connection.connection_lost(error)
            self.stream.detach_after_fork()
            if self.driver is not None:
                self.driver.abandon_after_fork()
            self.give_up(ConnectionClosed(str(error), self.connection.close_info))
            self.delivery.callbacks.give_up_watching(self.connection_id, error)
        if not self.end_is_told:  # the thread that was about to is the parent's
            self._owner.on_ended(self)
            self.end_is_told = True
        self._set_finished()
