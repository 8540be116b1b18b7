# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""One front's connections → what they have in common, whoever drives them."""

from __future__ import annotations

from typing import Any

from tieline.engine.aftermath import Aftermath
from tieline.engine.callbacks import callbacks_of
from tieline.engine.connecting import Connected
from tieline.engine.delivery import Delivery
from tieline.engine.dial import Dial
from tieline.engine.handlers import Handlers
from tieline.engine.locks import ReentrantLock
from tieline.engine.outage import Interruptible, Outage
from tieline.engine.process import forkables, is_ending
from tieline.engine.reactor import Reactor
from tieline.engine.record import Record
from tieline.engine.recorder import StatsRecorder
from tieline.engine.recovery import Recovery
from tieline.engine.resumption import Resumption
from tieline.engine.serial import Runner
from tieline.engine.session import Session
from tieline.engine.stats import Stats
from tieline.engine.subscriptions import Rendered, Subscription
from tieline.engine.succession import Succession
from tieline.errors import ConnectCancelled
from tieline.options import Options
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode
from tieline.request_checks import HeaderPairs


class Line(Aftermath):
    """Has at most one outage and one dial under way, and one connection up.

    Its lock is never held while waiting for the network or while a handler runs.
    """

    __slots__ = (
        "__weakref__", "_drivable", "_headers", "_record", "_streams", "callbacks",
        "carried_over", "delivery", "dial",
        "is_abandoned", "lock", "options", "owns_reactor", "reactor", "recorder", "recovery",
        "response", "session", "succession",
    )  # fmt: skip

    def __init__(
        self,
        options: Options,
        handlers: Handlers,
        reactor: Reactor,
        delivery: type[Delivery] = Delivery,
        owns_reactor: bool = False,
        drivable: bool = False,
    ) -> None:
        self.options = options
        # Guards the fields below. Reentrant for signal handlers.
        self.lock = ReentrantLock()
        self.recorder = StatsRecorder()
        self.callbacks = callbacks_of(handlers, options, self)
        runner = None if options.executor is None else Runner(options.executor)
        self.delivery = delivery(self.callbacks, runner, options.max_queue, self)
        self.reactor = reactor
        #: Nobody else's connections are on it: its thread ends with ours.
        self.owns_reactor = owns_reactor
        self._drivable = drivable
        self.recovery = Recovery(self)
        self.succession = Succession(self)
        #: What is carried over from one connection to the next, once there is anything.
        self.carried_over: Resumption | None = None
        # The extra headers of the last dial.
        self._headers: HeaderPairs = ()
        #: The dial that is under way.
        self.dial: Dial | None = None
        #: The connection that is up, or was the last one.
        self.session: Session | None = None
        # Somebody asked for messages in chunks: all that follow come so.
        self._streams = options.streaming
        # What happened during the last set-up.
        self._record: Record | None = None
        #: The server's answer that opened the last connection.
        self.response: HandshakeResponse | None = None
        #: Nobody will use it any more.
        self.is_abandoned = False
        # As the classes before this one say.
        self._dropped = self._changed = self._decided = None
        self.close_info = self.gave_up = None
        forkables.add(self)

    # --- looking ------------------------------------------------------------------------------

    @property
    def handlers(self) -> Handlers:
        """The user's functions."""
        return self.callbacks.handlers

    @property
    def present(self) -> Session | None:
        """The connection that has not ended."""
        session = self.session
        return None if session is None or session.has_ended else session

    @property
    def info(self) -> dict[str, Any]:
        """What happened during the last set-up, secrets masked."""
        info: dict[str, Any] = {}
        if self._record is not None:
            self._record.fill(info)
        return info

    @property
    def state(self) -> State:
        """Where the line is in its life: one of the states of `protocol.state.LINE_TRANSITIONS`."""
        # Without the lock, which is held while a connection starts: handlers ask as well.
        while True:
            session, outage = self.session, self.recovery.outage
            if session is not None and not session.end_is_told:
                state = session.connection.state
                # It has ended, and what follows is not decided yet.
                return State.CLOSING if state is State.CLOSED else state
            if outage is not None:
                return outage.state
            if self.session is session and self.recovery.outage is None:
                return State.CONNECTING if self.is_dialling else State.CLOSED

    @property
    def is_dialling(self) -> bool:
        """Is a dial under way, even if nobody wants it any more?"""
        dial = self.dial
        return dial is not None and not dial.attempt.is_closed

    @property
    def is_coming_back(self) -> bool:
        """Is it not open, but will be unless nothing helps? With the lock held."""
        outage, session = self.recovery.outage, self.session
        if outage is not None:
            return outage.state is not State.CLOSED
        undecided = session is not None and not session.end_is_told
        return undecided and self.recovery.is_wanted and self.recovery.policy is not None

    def stats(self) -> Stats:
        """A snapshot over all connections."""
        session = self.present
        buffered = 0 if session is None else session.sender.buffered
        waiting = 0 if self.carried_over is None else self.carried_over.waiting
        return self.recorder.snapshot(self.delivery.load, buffered, waiting)

    def in_handler(self) -> bool:
        """Is the caller inside a handler, where waiting for the connection would never end?"""
        return self.reactor.in_thread() or self.delivery.in_handler()

    def is_driven_by_caller(self) -> bool:
        """Is the caller the driver of an outage, hence a handler?"""
        return self.succession.is_driven_by_caller()

    def subscriptions(self) -> tuple[Subscription, ...]:
        """What every connection begins with."""
        return () if self.carried_over is None else self.carried_over.subscriptions

    @property
    def resumption(self) -> Resumption:
        """What is carried over; made when somebody first needs it. Any thread."""
        if self.carried_over is None:
            fresh = Resumption(self)
            with self.lock:
                if self.carried_over is None:  # a signal handler on top may have been first
                    self.carried_over = fresh
        assert self.carried_over is not None
        return self.carried_over

    def new_pause(self) -> Interruptible:
        """How the driver of an outage waits."""
        raise NotImplementedError

    def recover(self, outage: Outage) -> None:
        """Drive it in the background until it is over. Must not raise; any thread may call it."""
        raise NotImplementedError

    @property
    def is_leaving(self) -> bool:
        """Is whatever serves its connections about to end?"""
        return is_ending.is_set()

    # --- a dial -------------------------------------------------------------------------------

    def begin(self, dial: Dial, outage: Outage) -> None:
        """This dial is under way from now on, and no other. Raises ConnectCancelled."""
        with self.lock:
            if not self.recovery.is_under_way(outage):
                raise ConnectCancelled("connecting was cancelled")
            self.cancel_dial()
            self.dial = dial
        self.callbacks.begin(dial.log)

    def cancel_dial(self) -> Dial | None:
        """Make the dial that is under way raise ConnectCancelled."""
        if self.dial is None:
            return None
        with self.lock:
            if self.dial is not None:
                self.dial.attempt.cancel()
            return self.dial

    def serve(
        self, connected: Connected, dial: Dial, outage: Outage, rendered: Rendered
    ) -> HandshakeResponse:
        """Start the connection: from here on the reactor serves it.

        `rendered`: what the subscriptions say. Raises ConnectCancelled when the dial was given up
        meanwhile; the stream is closed then.
        """
        session: Session | None = None
        try:
            response = outage.describe(connected.response)
            session = Session(
                connected.connection,
                dial.connection_id,
                connected.stream,
                self.reactor,
                self.delivery,
                self.options,
                dial.log,
                self,
                self._drivable,
            )
            # Before the lock: log handlers are the user's code.
            dial.log.info("open: %s", response.url)
            self._start(session, response, dial, outage, rendered)
        except BaseException:
            if session is None:
                connected.stream.close()
            elif self.session is session:
                self.drop()  # Ctrl-C came when it was served already
            else:
                self._take_back(session)
            raise
        return response

    def _take_back(self, session: Session) -> None:
        """It was not served: what it was to begin with waits for the next one."""
        with session.lock:
            session.sender.drop()
        self.put_back(session.sender.take_rest())
        session.stream.close()

    def _start(
        self,
        session: Session,
        response: HandshakeResponse,
        dial: Dial,
        outage: Outage,
        rendered: Rendered,
    ) -> None:
        with self.lock:
            if dial.attempt.cancelled or outage.is_interrupted:
                raise ConnectCancelled(f"connecting to {response.url} was cancelled")
            before, answer = self.session, self.response
            if self._streams:
                session.connection.stream_messages()
            # Before anybody else can say anything.
            if self.carried_over is not None:
                self.carried_over.greet(session, rendered)
            was_wanted = self.recovery.is_wanted
            try:
                # All that handlers look at is there before the start: they may run before it
                # returns.
                self.session, self.response = session, response
                self._record = dial.record
                self.dial = None
                self.gave_up = None
                self.recovery.opened(outage)
                self.recorder.connected(session, response.reconnected)
                # Its handlers are called when those of the one before have returned.
                self.succession.start(session, response, outage)
            except BaseException:
                if session not in self.reactor.registrants():
                    self.session, self.response = before, answer
                    self.succession.not_started(session)
                    self.recovery.not_opened(outage, was_wanted)
                    self.recorder.ended(session)
                raise
        # Without the lock: somebody may send on it, and a signal handler on top want the line's.
        self.recorder.settle()
        if before is not None and outage.overlaps:
            before.close(CloseCode.GOING_AWAY, "", reads_on=True)
        elif before is not None:
            before.drop()  # two threads connect at once

    def end(self, dial: Dial) -> None:
        """The dial is over, well or not."""
        if self.dial is not dial and self._changed is None:
            return  # it has led to a connection, and nobody has waited since
        with self.lock:
            if self.dial is dial:
                self.dial = None
                self._record = dial.record
            self.tell_change()

    def drop(self) -> Session | None:
        """End what is up without waiting for its peer; it is told before anything that follows."""
        with self.lock:
            session = self.session
            self.recovery.stop()
            self.cancel_dial()
        if session is not None:
            self.succession.hurry()
            session.drop()
        return session

    def abandon(self) -> None:
        """Nobody holds the connection any more: end it, from wherever the collector runs."""
        self.is_abandoned = True
        self.recovery.abandon()
        dial, session = self.dial, self.present
        if dial is not None:
            dial.attempt.cancel()
        if session is not None:
            self.reactor.call_soon(session, session.drop)

    def stream_messages(self) -> None:
        """From now on messages come in chunks, if they do not come whole."""
        with self.lock:
            self._streams = True
            sessions = {self.session, self.succession.served}
        for session in sessions:
            if session is not None:
                session.pump.stream_messages()

    def on_room(self) -> None:
        """Those for whom the messages are have caught up: read on."""
        session = self.succession.served
        if session is not None and not session.has_ended:
            session.resume_reading()

    def abandon_after_fork(self) -> None:
        """In a child process: the connection is the parent's."""
        self.lock = ReentrantLock()
        self._changed = None  # which is the old lock's
        self.dial = None
        self.recovery.abandon_after_fork()
        if self.carried_over is not None:
            self.carried_over.abandon_after_fork()
        self.recorder.abandon_after_fork()
        self.delivery.abandon_after_fork()
        if self.session is not None:
            self.session.abandon_after_fork()
        self.succession.abandon_after_fork()
        super().abandon_after_fork()
