"""A line on threads: dial on the calling one, serve on the reactor, end with a bounded wait."""

from __future__ import annotations

import threading
import time
from typing import Any

from tieline.engine.dial import Dial
from tieline.engine.line import Line
from tieline.engine.process import GOODBYE, LAST_HANDLERS_AT_EXIT
from tieline.engine.session import Session
from tieline.engine.waiting import wait_for_event
from tieline.errors import ConnectError, ConnectionClosed
from tieline.protocol.events import CloseInfo
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.wire import CloseCode
from tieline.request_checks import HeaderPairs

#: Seconds beyond `close_timeout` that `disconnect` waits for the last handlers to return.
_LAST_HANDLERS = 3.0

#: Seconds that a dial on another thread, which was cancelled, may take to end.
_CANCELLED_DIAL = 1.0


class Supervisor(Line):
    """One client's connections, one after the other. Every method is for any thread."""

    #: The extra headers of the last dial.
    _headers: HeaderPairs = ()

    # --- connecting ---------------------------------------------------------------------------

    def connect(
        self, headers: HeaderPairs, timeout: float, info: dict[str, Any]
    ) -> HandshakeResponse:
        """Dial and serve; what is under way or up is ended first. Raises ConnectError."""
        if self.in_handler():
            # Its end has to be told before the new beginning, and waiting is out of the question.
            self.drop()
        else:
            self.disconnect(CloseCode.GOING_AWAY, "", None)
        return self._connect(headers, timeout, info)

    def reconnect(self) -> HandshakeResponse:
        """The same again, without waiting for the old peer's answer. Raises ConnectError."""
        session = self.drop()
        if session is not None and not self.in_handler():
            self._await_end(session, _LAST_HANDLERS)
        return self._connect(self._headers, self.options.connect_timeout, {})

    def _connect(
        self, headers: HeaderPairs, timeout: float, info: dict[str, Any]
    ) -> HandshakeResponse:
        self._headers = headers
        dial = Dial(
            self.options,
            self.handlers,
            headers=headers,
            timeout=timeout,
            info=info,
            clock=self.reactor.now,
            emit=self.callbacks.event,
        )
        try:
            self.begin(dial)
            connected = dial.connect()
            self.serve(connected, dial)
        except ConnectError as error:
            dial.log.info("connecting failed: %s", error)
            raise
        finally:
            try:
                dial.attempt.close()
            finally:  # Ctrl-C
                self.end(dial)
        return connected.response

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
        dial = self.cancel_dial()
        session = self.session
        up = session is not None and not session.finished.is_set()
        if session is not None and up:
            session.close(code, reason)
        if self.in_handler() or (session is not None and session.is_interrupted):
            return
        if dial is not None and dial.thread != threading.get_ident():
            with self.lock:
                self.changed.wait_for(lambda: self.dial is not dial, _CANCELLED_DIAL)
        if session is None:
            return
        if timeout is None or not up:  # when it is not, its thread may still be on its way out
            self._await_end(session, self.options.close_timeout + patience)
        elif not wait_for_event(session.finished, timeout):
            session.drop()
            self._await_end(session, patience)

    def leave(self) -> None:
        """After Ctrl-C: say goodbye, and wait for an answer only as long as a person does."""
        self.disconnect(CloseCode.GOING_AWAY, "", GOODBYE, LAST_HANDLERS_AT_EXIT)

    def wait(self, timeout: float | None) -> CloseInfo:
        """Block until nothing is up or under way and all handlers have returned."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self.changed:
                if not self.changed.wait_for(lambda: self.dial is None, _left(deadline)):
                    raise TimeoutError(f"still connecting after {timeout:g} s")
                session = self.session
            if session is None:
                raise ConnectionClosed("there never was a connection: call connect() first")
            if not wait_for_event(session.finished, _left(deadline)):
                raise TimeoutError(f"connection still {self.state.value} after {timeout:g} s")
            with self.lock:
                if self.session is session and self.dial is None:
                    assert session.connection.close_info is not None
                    return session.connection.close_info

    def _await_end(self, session: Session, limit: float) -> None:
        deadline = time.monotonic() + limit
        if not wait_for_event(session.finished, limit):
            session.drop()
            session.log.warning("closed, although a handler does not return, or was not run yet")
        else:
            self.delivery.join(_left(deadline))
            if self.owns_reactor:
                self.reactor.join(_left(deadline))


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
