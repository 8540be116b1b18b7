# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A line on threads: dial on the calling one, serve on the reactor, end with a bounded wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Set
from functools import partial
from itertools import count
from typing import Any

from tieline.engine import holding, quiet_close
from tieline.engine.connecting import Connected
from tieline.engine.dial import Dial
from tieline.engine.line import Line
from tieline.engine.outage import Outage
from tieline.engine.pause import Pause
from tieline.engine.process import GOODBYE, LAST_HANDLERS_AT_EXIT, is_ending
from tieline.engine.session import Session
from tieline.engine.subscriptions import Rendered
from tieline.engine.waiting import SLICE, wait_for_event
from tieline.errors import ConnectCancelled, ConnectError, ConnectionClosed
from tieline.protocol.closing import unanswered
from tieline.protocol.events import CloseInfo
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode
from tieline.reconnect import ReconnectAttempt
from tieline.request_checks import HeaderPairs

#: Seconds beyond `close_timeout` that `disconnect` waits for the last handlers to return.
_LAST_HANDLERS = 3.0

#: Seconds that a dial on another thread, which was cancelled, may take to end.
_CANCELLED_DIAL = 1.0

_numbers = count(1)


class Supervisor(Line):
    """One client's connections, one after the other. Every method is for any thread.

    The thread that calls `connect` dials. When a connection is lost that should be up, one thread
    waits and dials until it is up again; there is none while nothing is the matter.
    """

    __slots__ = ()

    def new_pause(self) -> Pause:
        return Pause()

    # --- connecting ---------------------------------------------------------------------------

    def connect(
        self, headers: HeaderPairs, timeout: float, info: dict[str, Any] | None
    ) -> HandshakeResponse:
        """Dial and serve; what is under way or up is ended first. Raises ConnectError."""
        policy = self.options.reconnect
        goes_on = policy is not None and policy.initial_connect
        others = self._own()
        try:
            with self.lock:
                session, before, dial = self.session, self.recovery.outage, self.cancel_dial()
                outage = self.recovery.begin(is_first=True, goes_on=goes_on)
            if session is not None or before is not None or dial is not None:
                self._end_before(session, before, dial)
            self._headers = headers
            return self._open(outage, timeout, info)
        except BaseException:
            self._settle(self._own() - others)
            raise

    def _end_before(self, last: Session | None, outage: Outage | None, dial: Dial | None) -> None:
        """What was up or under way."""
        if self.in_handler():
            self._drop_sessions(last)  # waiting is out of the question
        else:
            self._close(last, CloseCode.GOING_AWAY, "", None, _LAST_HANDLERS)
            self._await_drivers(outage, dial)

    def reconnect(self, overlap: bool = False) -> HandshakeResponse:
        """The same again, without waiting for the old peer's answer. Raises ConnectError.

        With `overlap` what is up stays so until there is a new connection. When it fails for now,
        and a connection that is lost would be replaced, that goes on in the background.
        """
        in_handler, others = self.in_handler(), self._own()
        try:
            with self.lock:
                session = self.session
                overlaps = overlap and session is not None and session.is_open
                before, dial = self.recovery.outage, self.cancel_dial()
                outage = self.recovery.begin_again(is_first=session is None, overlaps=overlaps)
            if not overlaps:
                self._drop_sessions(session)
            if not in_handler:
                if session is not None and not overlaps and not self._cannot_wait():
                    self._await_end(session, _LAST_HANDLERS)
                self._await_drivers(before, dial)
            return self._open(outage, self.options.connect_timeout, None, 1)
        except BaseException:
            self._settle(self._own() - others)
            raise

    def _own(self) -> Set[Outage]:
        """What this thread has begun and not settled. In a handler there is one already."""
        outage, drivers = self.recovery.outage, self.succession.drivers()
        if outage is None and not drivers:
            return frozenset()
        ident = threading.get_ident()
        own = {each for each in drivers if each.owner == ident}
        return own if outage is None or outage.owner != ident else own | {outage}

    def _settle(self, outages: Set[Outage]) -> None:
        """They are over, wherever Ctrl-C came."""
        for outage in outages:
            self.settle(outage, is_background=False)

    def recover(self, outage: Outage) -> None:
        thread = threading.Thread(
            target=self._recover, args=(outage,), name=f"tieline-reconnect-{next(_numbers)}"
        )
        thread.daemon = True
        owner, outage.owner = outage.owner, thread
        try:
            thread.start()
        except RuntimeError as error:  # no thread can be had
            outage.give_up("no thread to dial on", error)
            self.settle(outage, is_background=True)
        except BaseException:  # Ctrl-C
            if thread.ident is None:
                outage.owner = owner
            raise

    def _recover(self, outage: Outage) -> None:
        outage.owner = threading.get_ident()
        try:
            self._open(outage, self.options.connect_timeout, None, None, True)
        except BaseException:
            # It has given up, or somebody has put an end to it: both were told.
            assert outage.is_interrupted or outage.state is State.CLOSED

    def _open(
        self,
        outage: Outage,
        timeout: float,
        info: dict[str, Any] | None,
        rounds: int | None = None,
        is_background: bool = False,
    ) -> HandshakeResponse:
        """Wait and dial until a connection is open. Raises the error that it gave up with.

        After so many `rounds` it goes on in the background, and the last error is raised.
        """
        ident = threading.get_ident()
        self.succession.enter(outage)
        outage.thread = ident
        try:
            while True:
                try:
                    if isinstance(outage.plan, ReconnectAttempt):
                        self._await_turn(outage, outage.plan)
                    return self._dial(outage, timeout, info)
                except BaseException as error:
                    is_ours = is_background or isinstance(error, Exception)
                    if not is_ours or not self.recovery.is_under_way(outage):
                        raise
                    outage.failed(error)
                    goes_on = isinstance(outage.plan, ReconnectAttempt)
                    is_last = outage.rounds == rounds or not goes_on
                    if is_last and (self.keep_old(outage) or not goes_on):
                        raise
                    if is_last:
                        outage.thread = 0
                        self.recover(outage)
                        raise
        finally:
            if outage.owner == ident:
                self.settle(outage, is_background)

    def _await_turn(self, outage: Outage, plan: ReconnectAttempt) -> None:
        if not outage.is_interrupted:
            self.await_turn(outage, plan)
        assert isinstance(outage.pause, Pause)
        is_over = outage.pause.wait(plan.delay, partial(self.bring_news, outage))
        if is_ending.is_set():
            outage.interrupt()
        if not is_over or outage.is_interrupted:
            raise ConnectCancelled("reconnecting was cancelled")

    def _dial(
        self, outage: Outage, timeout: float, info: dict[str, Any] | None
    ) -> HandshakeResponse:
        emit = partial(self.post, outage, self.callbacks.event)
        handlers, url, now = self.callbacks.handlers, outage.dialling(), self.reactor.now
        dial = Dial(self.options, handlers, url, self._headers, timeout, info, now, emit)
        try:
            self.begin(dial, outage)
            connected = dial.connect()
            return self._serve(connected, dial, outage)
        except ConnectError as error:
            dial.log.info("connecting failed: %s", error)
            raise
        except Exception:
            # A fault in a function of the user's, and in the background nobody else may see it.
            if not outage.is_first:
                dial.log.exception("connecting failed: a function that was asked has raised")
            raise
        finally:
            try:
                dial.attempt.close()
            finally:  # Ctrl-C
                self.end(dial)

    def _serve(self, connected: Connected, dial: Dial, outage: Outage) -> HandshakeResponse:
        rendered: Rendered = {}
        try:
            for subscription in self.subscriptions():
                rendered[subscription] = subscription.render(self.reactor.now())
        except BaseException:
            connected.stream.close()
            raise
        return self.serve(connected, dial, outage, rendered)

    # --- ending -------------------------------------------------------------------------------

    def disconnect(
        self, code: int, reason: str, timeout: float | None, patience: float = _LAST_HANDLERS
    ) -> None:
        """Close what is up, cancel what is under way, and wait for the end unless in a handler.

        `timeout` seconds for the peer's answer, `patience` more for the last handlers.
        """
        with self.lock:
            # In one step: what another thread connects from now on is not to be closed.
            session, outage, dial = self.session, self.recovery.stop(), self.cancel_dial()
            if outage is not None:
                self.outage_stopped()
        self._close(session, code, reason, timeout, patience)
        self._await_drivers(outage, dial)

    def _close(
        self, last: Session | None, code: int, reason: str, timeout: float | None, patience: float
    ) -> None:
        if last is None:
            return
        waits = not self._cannot_wait()
        if waits and self.succession.served is last:
            limit = self.options.close_timeout if timeout is None else timeout
            if self._close_quietly(last, code, reason, limit):
                return
        up = not last.is_finished
        if up:
            last.close(code, reason)
            self.succession.hurry()
        if not waits:
            return
        if timeout is None or not up:  # when it is not, its thread may still be on its way out
            self._await_end(last, self.options.close_timeout + patience)
        elif not wait_for_event(last.finished, timeout):
            last.drop(unanswered(timeout))
            self._await_end(last, patience)

    def _close_quietly(self, session: Session, code: int, reason: str, limit: float) -> bool:
        """Without waking up a thread. False: it has not come to the end in `limit` seconds."""
        if not self.owns_reactor or not self.delivery.is_direct:
            return False
        return quiet_close.with_its_thread(session, code, reason, limit)

    def _drop_sessions(self, session: Session | None) -> None:
        if session is not None:
            session.drop()
            self.succession.hurry()

    def _await_drivers(self, outage: Outage | None, dial: Dial | None) -> None:
        """Wait until what was cancelled on other threads is over, if it soon is."""
        if (outage is not None or dial is not None) and not self._cannot_wait():
            self._await_cancelled(outage, dial)

    def _await_cancelled(self, outage: Outage | None, dial: Dial | None) -> None:
        ident = threading.get_ident()
        if outage is not None and outage.thread != ident:
            outage.wait_until_finished(_CANCELLED_DIAL)
        if dial is not None and dial.thread != ident:
            with self.lock:
                self.changed.wait_for(lambda: self.dial is not dial, _CANCELLED_DIAL)

    def _cannot_wait(self) -> bool:
        """Is the caller in a handler, or a signal handler on top of a call that holds a lock?"""
        session = self.session
        return (
            self.in_handler()
            or holding.is_held_by_caller(self.lock)
            or (session is not None and session.is_interrupted)
        )

    def leave(self) -> None:
        """After Ctrl-C: say goodbye, and wait for an answer only as long as a person does."""
        self.disconnect(CloseCode.GOING_AWAY, "", GOODBYE, LAST_HANDLERS_AT_EXIT)

    def wait(self, timeout: float | None) -> CloseInfo:
        """Block until nothing is up or under way and all handlers have returned."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._await_quiet(deadline, timeout)
            session = self.session
            if session is None:
                raise ConnectionClosed("there never was a connection: call connect() first")
            if not wait_for_event(session.finished, _left(deadline)):
                raise TimeoutError(f"connection still {self.state.value} after {timeout:g} s")
            with self.lock:
                if self.session is session and self._is_quiet():
                    assert session.connection.close_info is not None
                    return session.connection.close_info

    def _await_quiet(self, deadline: float | None, timeout: float | None) -> None:
        """Wait until nothing is under way."""
        while True:
            left = _left(deadline)
            # In slices: a signal just before the system call does not interrupt it.
            pause = SLICE if left is None else min(SLICE, left)
            with self.lock:
                if self.changed.wait_for(self._is_quiet, pause):
                    return
            if left == 0.0:
                raise TimeoutError(f"still {self.state.value} after {timeout:g} s")

    def _is_quiet(self) -> bool:
        return not self.is_dialling and self.recovery.outage is None

    def _await_end(self, session: Session, limit: float) -> None:
        if session.finished.is_set() and self.delivery.is_direct and not self.owns_reactor:
            return  # there is no thread to wait for
        deadline = time.monotonic() + limit
        if not session.is_finished and not wait_for_event(session.finished, limit):
            session.drop()
            session.log.warning("closed, although a handler does not return, or was not run yet")
        else:
            self.delivery.join(_left(deadline))
            if self.owns_reactor:
                self.reactor.join(_left(deadline))


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
