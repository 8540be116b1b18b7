# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Timers and clocks → what is due on one connection: Pings, heartbeats, its end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tieline.engine.deadline import Deadline

if TYPE_CHECKING:
    from tieline.engine.session import Session


class Liveness(Deadline):
    """The one timer of a session, and what a machine that slept means to it.

    It judges on the reactor's thread, and never before it has looked for what the peer has sent:
    the connection is told of every sign of life there is, and until when there was none.
    """

    if TYPE_CHECKING:
        _session: Session

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        # Of the stream, at the last look: ciphertext that came, and output it had not passed on.
        self._hidden_input = 0
        self._pending = 0

    def arm(self) -> None:
        """Set the timer for what is due next."""
        if not self._session.has_ended:
            self.set(self._session.connection.next_deadline())

    # --- the timer ----------------------------------------------------------------------------

    def on_due(self) -> None:
        session = self._session
        session.reactor.look_at_clocks()
        now = session.reactor.now()
        is_read = not session.delivery.is_full and self._look(now)
        with session.lock:
            if not session.has_ended:
                keepalive = session.connection.keepalive
                if not is_read:
                    keepalive.not_reading()
                keepalive.peer_took_bytes(session.sender.taken_at)
                self._look_below(now)
                # What came before the moment that the timer was set for was read, whoever reads.
                session.connection.on_time(now, self.reached, session.sender.buffered)
        session.pump.deliver(now)
        self.arm()

    def _look(self, now: float) -> bool:
        """Before the peer is given up, see if anything has come. False: nobody could look."""
        session = self._session
        keepalive = session.connection.keepalive
        if not keepalive.may_give_up(now):
            return True
        session.pump.read(now, session.reactor.memory)
        return session.pump.found_nothing_at >= now or not keepalive.may_give_up(now)

    def _look_below(self, now: float) -> None:
        """Signs of life that nobody tells of: half of a TLS record, output under way below us."""
        stream, keepalive = self._session.stream, self._session.connection.keepalive
        before, pending = self._hidden_input, self._pending
        self._hidden_input, self._pending = stream.hidden_input, stream.pending_size
        if self._hidden_input != before:
            keepalive.heard(now)
        if self._pending < pending:
            keepalive.peer_took_bytes(now)

    # --- the clocks ---------------------------------------------------------------------------

    def slept(self, seconds: float) -> None:
        """The machine slept for `seconds`: the peer is asked if it is still there."""
        session = self._session
        with session.lock:
            if session.has_ended or not session.connection.keepalive.is_on:
                return
            now = session.reactor.now()
            self._look_below(now)
            session.connection.slept(now, seconds)
        session.reactor.call_soon(session, partial(self._tell_sleep, seconds))

    def _tell_sleep(self, seconds: float) -> None:
        session = self._session
        session.pump.deliver_now()
        session.log.info(
            "the machine was asleep for %.0f s, or its clock was set: the peer is asked", seconds
        )
