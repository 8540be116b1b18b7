"""One front's connections → what they have in common, whoever drives them."""

from __future__ import annotations

import threading
import time
from typing import Any

from tieline.engine.callbacks import Callbacks
from tieline.engine.chunks import closed_error
from tieline.engine.connecting import Connected
from tieline.engine.delivery import Delivery
from tieline.engine.dial import Dial
from tieline.engine.handlers import Handlers
from tieline.engine.log import ConnectionLog
from tieline.engine.process import forkables
from tieline.engine.reactor import Reactor
from tieline.engine.serial import Runner
from tieline.engine.session import Session
from tieline.engine.stats import Stats, StatsRecorder
from tieline.errors import ConnectCancelled, ConnectionClosed
from tieline.events import SlowCallbackEvent
from tieline.options import Options
from tieline.protocol.events import CloseInfo
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode


class Line:
    """Has at most one dial under way and one connection up.

    Its lock is never held while waiting for the network or while a handler runs.
    """

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
        self.handlers = handlers
        self.recorder = StatsRecorder()
        self.callbacks = Callbacks(
            handlers,
            ConnectionLog(options.logger, 0),
            options.slow_callback,
            on_slow=self._on_slow_callback,
            on_raised=self._on_handler_raised,
        )
        runner = None if options.executor is None else Runner(options.executor)
        self.delivery = delivery(self.callbacks, runner, options.max_queue, self._on_room)
        self.reactor = reactor
        #: Nobody else's connections are on it: its thread ends with ours.
        self.owns_reactor = owns_reactor
        self._drivable = drivable
        # Guards the fields below; `changed` tells when a dial is over. Reentrant for signal
        # handlers.
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        #: The dial that is under way.
        self.dial: Dial | None = None
        #: The connection that is up, or was the last one.
        self.session: Session | None = None
        #: What happened during the last set-up, secrets masked.
        self.info: dict[str, Any] = {}
        #: The server's answer that opened the last connection.
        self.response: HandshakeResponse | None = None
        #: How the last connection ended.
        self.close_info: CloseInfo | None = None
        forkables.add(self)

    # --- looking ------------------------------------------------------------------------------

    @property
    def present(self) -> Session | None:
        """The connection that has not ended."""
        session = self.session
        return None if session is None or session.has_ended else session

    @property
    def state(self) -> State:
        """Where the line is in its life."""
        if self.dial is not None:
            return State.CONNECTING
        session = self.present
        return State.CLOSED if session is None else session.connection.state

    def stats(self) -> Stats:
        """A snapshot over all connections."""
        session = self.present
        buffered = 0 if session is None else session.sender.buffered
        return self.recorder.snapshot(self.delivery.load, buffered)

    def in_handler(self) -> bool:
        """Is the caller inside a handler, where waiting for the connection would never end?"""
        return self.reactor.in_thread() or self.delivery.in_handler()

    # --- a dial -------------------------------------------------------------------------------

    def begin(self, dial: Dial) -> None:
        """This dial is under way from now on, and no other."""
        self.callbacks.begin(dial.log)
        with self.lock:
            self.cancel_dial()
            self.dial = dial

    def cancel_dial(self) -> Dial | None:
        """Make the dial that is under way raise ConnectCancelled."""
        with self.lock:
            if self.dial is not None:
                self.dial.attempt.cancel()
            return self.dial

    def serve(self, connected: Connected, dial: Dial) -> Session:
        """Start the connection: from here on the reactor serves it.

        Raises ConnectCancelled when the dial was given up meanwhile; the stream is closed then.
        """
        session = Session(
            connection=connected.connection,
            connection_id=dial.connection_id,
            stream=connected.stream,
            reactor=self.reactor,
            delivery=self.delivery,
            options=self.options,
            log=dial.log,
            on_round_trip=self.recorder.round_trip,
            on_ended=self._on_ended,
            drivable=self._drivable,
        )
        if self.options.streaming:
            connected.connection.stream_messages()
        try:
            # Before the lock: log handlers are the user's code.
            dial.log.info("open: %s", connected.response.url)
            self._start(session, connected.response, dial)
        except BaseException:
            if self.session is session:
                session.drop()  # Ctrl-C came when it was served already
            else:
                connected.stream.close()
            raise
        return session

    def _start(self, session: Session, response: HandshakeResponse, dial: Dial) -> None:
        with self.lock:
            if dial.attempt.cancelled:
                raise ConnectCancelled(f"connecting to {response.url} was cancelled")
            before = self.session, self.response
            if before[0] is not None:
                # Two threads connect at once: its end is told before the new beginning.
                before[0].drop()
            # All that handlers may look at, and send through, is there before the start: the
            # first of them may run before `start` has returned.
            self.session, self.response = session, response
            self.info = dict(dial.info)
            self.dial = None
            self.recorder.connected(session.traffic)
            try:
                session.start(response)
            except BaseException:
                if session not in self.reactor.registrants():
                    self.session, self.response = before
                    self.recorder.ended(session.traffic)
                raise

    def end(self, dial: Dial) -> None:
        """The dial is over, well or not."""
        with self.lock:
            if self.dial is dial:
                self.dial = None
                self.info = dict(dial.info)
            self.changed.notify_all()

    def drop(self) -> Session | None:
        """End what is up without waiting for its peer; it is told before anything that follows."""
        self.cancel_dial()
        session = self.session
        if session is not None:
            session.drop()
        return session

    def abandon(self) -> None:
        """Nobody holds the connection any more: end it, from wherever the collector runs."""
        session = self.present
        if session is not None:
            self.reactor.call_soon(session, session.drop)

    def closed_error(self) -> ConnectionClosed:
        """What to raise where a message was asked for and none will come."""
        return closed_error(self.close_info)

    # --- what sessions and callbacks tell -----------------------------------------------------

    def _on_ended(self, session: Session) -> None:
        self.recorder.ended(session.traffic)
        self.close_info = session.connection.close_info
        self.delivery.end(self.close_info)

    def _on_room(self) -> None:
        session = self.present
        if session is not None:
            session.resume_reading()

    def dropped(self, count: int) -> None:
        """Messages came during the close that nobody will get."""
        self.recorder.dropped(count)
        if self.session is not None:
            self.session.log.info(
                "%d messages that came after close() were not kept: %d wait to be received",
                count,
                self.delivery.load,
            )

    def _on_handler_raised(self, error: BaseException) -> None:
        session = self.present
        if self.options.close_on_callback_error and session is not None:
            # The text goes to the peer as well, and what the error says is not for it.
            cause = RuntimeError(f"a handler raised {type(error).__name__}")
            cause.__cause__ = error
            session.fail(cause, CloseCode.INTERNAL_ERROR)

    def _on_slow_callback(self, handler: str, seconds: float) -> None:
        session = self.session
        if session is not None:
            session.log.warning("handler %s took %.3f s", handler, seconds)
            self.callbacks.event(
                SlowCallbackEvent(
                    time=time.monotonic(),
                    connection_id=session.connection_id,
                    handler=handler,
                    seconds=seconds,
                )
            )

    def abandon_after_fork(self) -> None:
        """In a child process: the connection is the parent's."""
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.dial = None
        self.recorder.abandon_after_fork()
        self.delivery.abandon_after_fork()
        if self.session is not None:
            self.session.abandon_after_fork()
