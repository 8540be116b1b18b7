"""One client's connections, one after the other: dial, serve, end."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from tieline.engine.callbacks import Callbacks
from tieline.engine.connecting import Connected, connect, connection_settings
from tieline.engine.delivery import Delivery
from tieline.engine.handlers import Handlers
from tieline.engine.log import ConnectionLog
from tieline.engine.process import GOODBYE, LAST_HANDLERS_AT_EXIT, forkables
from tieline.engine.reactor import Reactor
from tieline.engine.route import Target, parse_options_url
from tieline.engine.serial import submitter
from tieline.engine.session import Session
from tieline.engine.stats import Stats, StatsRecorder
from tieline.engine.waiting import wait_for_event
from tieline.errors import ConnectCancelled, ConnectError, ConnectionClosed
from tieline.events import DIAL_EVENTS, ConnectionEvent, SlowCallbackEvent
from tieline.options import Options
from tieline.protocol.events import CloseInfo
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode
from tieline.redact import safe_url
from tieline.request_checks import HeaderPairs
from tieline.transport.attempt import Attempt

_connection_ids = count(1)

#: Seconds beyond `close_timeout` that `disconnect` waits for the last handlers to return.
_LAST_HANDLERS = 3.0

#: Seconds that a dial on another thread, which was cancelled, may take to end.
_CANCELLED_DIAL = 1.0


class Supervisor:
    """Has at most one dial under way and one connection up. Every method is for any thread.

    Its lock is never held while waiting for the network or while a handler runs.
    """

    def __init__(self, options: Options, handlers: Handlers) -> None:
        self._options = options
        self._handlers = handlers
        self._recorder = StatsRecorder()
        log = ConnectionLog(options.logger, 0)
        self.callbacks = Callbacks(
            handlers,
            log,
            options.slow_callback,
            on_slow=self._on_slow_callback,
            on_raised=self._on_handler_raised,
        )
        submit = None if options.executor is None else submitter(options.executor)
        self._delivery = Delivery(self.callbacks, submit, options.max_queue, self._on_room)
        self._reactor: Reactor = options.reactor or Reactor()
        # Guards the fields below; `_changed` tells when a dial is over. Reentrant for signal
        # handlers.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._attempt: Attempt | None = None
        # The thread that dials.
        self._dialler: int | None = None
        self._headers: HeaderPairs = ()
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
        """Where the client is in its life."""
        if self._attempt is not None:
            return State.CONNECTING
        session = self.present
        return State.CLOSED if session is None else session.connection.state

    def in_handler(self) -> bool:
        """Is the caller inside a handler, where waiting for the connection would never end?"""
        return self._reactor.in_thread() or self._delivery.in_handler()

    @property
    def last_round_trip(self) -> float | None:
        """Seconds, or None."""
        return self._recorder.last_round_trip

    def stats(self) -> Stats:
        """A snapshot over all connections."""
        session = self.present
        buffered = 0 if session is None else session.sender.buffered
        return self._recorder.snapshot(self._delivery.load, buffered)

    def reset_stats(self) -> None:
        """Count from zero."""
        self._recorder.reset()

    # --- connecting ---------------------------------------------------------------------------

    def connect(
        self, headers: HeaderPairs, timeout: float, info: dict[str, Any]
    ) -> HandshakeResponse:
        """Dial and serve; what is under way or up is ended first. Raises ConnectError."""
        if self.in_handler():
            # Its end has to be told before the new beginning, and waiting is out of the question.
            self._drop()
        else:
            self.disconnect(CloseCode.GOING_AWAY, "", None)
        return self._dial(headers, timeout, info)

    def reconnect(self) -> HandshakeResponse:
        """The same again, without waiting for the old peer's answer. Raises ConnectError."""
        session = self._drop()
        if session is not None and not self.in_handler():
            self._await_end(session, _LAST_HANDLERS)
        return self._dial(self._headers, self._options.connect_timeout, {})

    def _dial(
        self, headers: HeaderPairs, timeout: float, info: dict[str, Any]
    ) -> HandshakeResponse:
        number = next(_connection_ids)
        log = ConnectionLog(self._options.logger, number)
        self.callbacks.begin(log)

        def tell(kind: type[ConnectionEvent], **data: Any) -> None:
            log.debug("%s %s", kind.__name__, data)
            self._emit(kind, number, data)

        with Attempt(
            timeout,
            clock=self._reactor.now,
            on_event=lambda kind, data: tell(DIAL_EVENTS[kind], **data),
        ) as attempt:
            try:
                with self._lock:
                    self._cancel_dial()
                    self._attempt = attempt
                    self._dialler = threading.get_ident()
                    self._headers = headers
                target = self._target(headers, info)
                inspect = self._handlers.on_frame is not None or self._options.frame_events
                settings = connection_settings(self._options, inspect)
                connected = connect(target, settings, attempt, info, tell)
                self._serve(connected, attempt, number, log, info)
            except ConnectError as error:
                log.info("connecting failed: %s", error)
                raise
            finally:
                attempt.close()
                with self._lock:
                    if self._attempt is attempt:
                        self._attempt = None
                        self.info = dict(info)
                    self._changed.notify_all()
        return connected.response

    def _target(self, headers: HeaderPairs, info: dict[str, Any]) -> Target:
        options = self._options
        text = options.attempt_url()
        info["url"] = safe_url(text)
        return Target(
            options, parse_options_url(options, text), (*options.attempt_headers(), *headers)
        )

    def _serve(
        self,
        connected: Connected,
        attempt: Attempt,
        number: int,
        log: ConnectionLog,
        info: dict[str, Any],
    ) -> None:
        """From here on the reactor's thread serves the connection."""
        response = connected.response
        session = Session(
            connection=connected.connection,
            connection_id=number,
            stream=connected.stream,
            reactor=self._reactor,
            delivery=self._delivery,
            options=self._options,
            log=log,
            on_round_trip=self._recorder.round_trip,
            on_ended=self._on_ended,
        )
        try:
            log.info("open: %s", response.url)  # before the lock: log handlers are the user's code
            with self._lock:
                if attempt.cancelled:
                    raise ConnectCancelled(f"connecting to {response.url} was cancelled")
                before = self.session, self.response
                if before[0] is not None:
                    # Two threads connect at once: its end is told before the new beginning.
                    before[0].drop()
                # All that handlers may look at, and send through, is there before the start: the
                # first of them may run before `start` has returned.
                self.session, self.response = session, response
                self.info = dict(info)
                self._attempt = None
                self._recorder.connected(session.traffic)
                try:
                    session.start(response)
                except BaseException:
                    self.session, self.response = before
                    self._recorder.ended(session.traffic)
                    raise
        except BaseException:
            connected.stream.close()
            raise

    # --- ending -------------------------------------------------------------------------------

    def disconnect(
        self,
        code: int,
        reason: str,
        timeout: float | None,
        patience: float = _LAST_HANDLERS,
    ) -> None:
        """Close what is up, cancel what is under way, and wait for the end unless in a handler.

        `timeout` seconds for the peer's answer, `patience` more for the last handlers.
        """
        attempt = self._cancel_dial()
        session = self.session
        up = session is not None and not session.finished.is_set()
        if session is not None and up:
            session.close(code, reason)
        if self.in_handler() or (session is not None and session.is_interrupted):
            return
        if attempt is not None and self._dialler != threading.get_ident():
            with self._lock:
                self._changed.wait_for(lambda: self._attempt is not attempt, _CANCELLED_DIAL)
        if session is None:
            return
        if timeout is None or not up:  # when it is not, its thread may still be on its way out
            self._await_end(session, self._options.close_timeout + patience)
        elif not session.finished.wait(timeout):
            session.drop()
            self._await_end(session, patience)

    def leave(self) -> None:
        """After Ctrl-C: say goodbye, and wait for an answer only as long as a person does."""
        self.disconnect(CloseCode.GOING_AWAY, "", GOODBYE, LAST_HANDLERS_AT_EXIT)

    def wait(self, timeout: float | None) -> CloseInfo:
        """Block until nothing is up or under way and all handlers have returned."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._attempt is None, _left(deadline)):
                    raise TimeoutError(f"still connecting after {timeout:g} s")
                session = self.session
            if session is None:
                raise ConnectionClosed("there never was a connection: call connect() first")
            if not wait_for_event(session.finished, _left(deadline)):
                raise TimeoutError(f"connection still {self.state.value} after {timeout:g} s")
            with self._lock:
                if self.session is session and self._attempt is None:
                    assert session.connection.close_info is not None
                    return session.connection.close_info

    def _drop(self) -> Session | None:
        """End what is up without waiting for its peer; it is told before anything that follows."""
        self._cancel_dial()
        session = self.session
        if session is not None:
            session.drop()
        return session

    def _cancel_dial(self) -> Attempt | None:
        with self._lock:
            if self._attempt is not None:
                self._attempt.cancel()
            return self._attempt

    def _await_end(self, session: Session, limit: float) -> None:
        deadline = time.monotonic() + limit
        if not session.finished.wait(limit):
            session.drop()
            session.log.warning("a handler does not return; its connection is closed all the same")
        elif self._options.reactor is None:
            self._reactor.join(_left(deadline))

    def _on_ended(self, session: Session) -> None:
        self._recorder.ended(session.traffic)
        self.close_info = session.connection.close_info

    def abandon_after_fork(self) -> None:
        """In a child process: the connection is the parent's."""
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._attempt = None
        self._recorder.abandon_after_fork()
        self._delivery.abandon_after_fork()
        if self.session is not None:
            self.session.abandon_after_fork()

    # --- what sessions and callbacks tell -----------------------------------------------------

    def _on_room(self) -> None:
        session = self.present
        if session is not None:
            session.resume_reading()

    def _on_handler_raised(self, error: BaseException) -> None:
        session = self.present
        if self._options.close_on_callback_error and session is not None:
            # The text goes to the peer as well, and what the error says is not for it.
            cause = RuntimeError(f"a handler raised {type(error).__name__}")
            cause.__cause__ = error
            session.fail(cause, CloseCode.INTERNAL_ERROR)

    def _on_slow_callback(self, handler: str, seconds: float) -> None:
        session = self.session
        if session is not None:
            session.log.warning("handler %s took %.3f s", handler, seconds)
            data = {"handler": handler, "seconds": seconds}
            self._emit(SlowCallbackEvent, session.connection_id, data)

    def _emit(
        self, kind: type[ConnectionEvent], connection_id: int, data: Mapping[str, Any]
    ) -> None:
        if self._handlers.on_event is not None:
            event = kind(time=time.monotonic(), connection_id=connection_id, **data)
            self.callbacks.event(event)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
