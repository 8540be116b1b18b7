# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Connections of one line → served one after the other, and so do their handlers run."""

from __future__ import annotations

from collections import deque
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING

from tieline.engine.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tieline.engine.line import Line
    from tieline.engine.session import Session
    from tieline.protocol.handshake import HandshakeResponse


class Succession:
    """Who calls the handlers of one line now, and who is next. Guarded by the line's lock.

    A connection calls them from its start until the last handler of its end has returned, the
    driver of an outage until it is done. A new connection can be sent on at once, but while anybody
    else is busy it is not read: it waits for its turn.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        # Tuples, put in place without a call, where a signal handler on top could come in.
        self._busy: tuple[Session | Outage, ...] = ()
        self._waiting: tuple[tuple[Session, HandshakeResponse], ...] = ()
        #: The connection that is read, or was the last one.
        self.served: Session | None = None
        # What drivers have to tell; who calls the handlers of it now, and on which thread.
        self._told: deque[Callable[[], None]] | None = None
        self._teller: Session | Outage | None = None
        self._telling = 0

    def enter(self, outage: Outage) -> None:
        """Its driver begins."""
        with self._line.lock:
            self._add(outage)

    def start(self, session: Session, response: HandshakeResponse, driver: Outage) -> None:
        """Serve it, now or as soon as the others are done; `driver` calls no handlers any more."""
        if self._waiting or self._are_others(driver):
            self._waiting = (*self._waiting, (session, response))
        else:
            self._start(session, response)

    def leave(self, who: Session | Outage) -> None:
        """The last handler that it has called has returned.

        May be called again, which makes up for what Ctrl-C kept the first call from.
        """
        failed = None
        has_left = False
        try:
            while not has_left:
                with self._line.lock:
                    call = self._next_told(who)
                    if call is None:
                        # In one step: what is told from now on is not for this one to call.
                        failed = self._step_aside(who)
                        has_left = True
                if call is not None:
                    self._call(call)
        finally:
            if not has_left:  # Ctrl-C; who tells next calls what is left
                with self._line.lock:
                    failed = self._step_aside(who)
        if failed is not None:
            session, error = failed
            session.fail_unserved(error)

    def _step_aside(self, who: Session | Outage) -> tuple[Session, Exception] | None:
        """Returns who could not be served in its place, and why."""
        failed = self._start_next(who) if self._waiting else None
        self._remove(who)
        return failed

    def _start_next(self, leaving: Session | Outage) -> tuple[Session, Exception] | None:
        """Whoever waits, if nobody else is busy."""
        session, response = self._waiting[0]
        failed = None
        if all([each is session or each is leaving for each in self._busy]):
            try:
                if not session.has_ended and session not in self._line.reactor.registrants():
                    self._start(session, response)
            except Exception as error:  # no thread can be had
                failed = session, error
            self._waiting = self._waiting[1:]
        return failed

    def _start(self, session: Session, response: HandshakeResponse) -> None:
        line = self._line
        self.served = session
        line.delivery.begin()
        # Who was here before is done, with all that was in a queue.
        line.callbacks.serves = session.connection_id
        if not session.connection.outgoing.is_open:
            line.delivery.discard_rest()  # its Close is out already
        self._add(session)
        session.start(response)
        if line.is_abandoned:
            session.drop()

    def not_started(self, session: Session) -> None:
        """Its start has failed, or was interrupted. With the line's lock held."""
        self._remove(session)
        self._waiting = tuple([each for each in self._waiting if each[0] is not session])
        if self.served is session:
            self.served = None

    def _add(self, who: Session | Outage) -> None:
        if who not in self._busy:
            self._busy = self._busy + (who,)  # which needs no list

    def _remove(self, who: Session | Outage) -> None:
        if self._teller is who:
            self._teller = None
        while True:
            busy = self._busy
            if who not in busy:
                return
            # Mostly nobody else is.
            others = () if len(busy) == 1 else tuple([each for each in busy if each is not who])
            if self._busy is busy:  # no signal handler has come on top
                self._busy = others

    def _are_others(self, who: Session | Outage) -> bool:
        """Is anybody else busy?"""
        for each in self._busy:
            if each is not who:
                return True
        return False

    def hurry(self) -> None:
        """Somebody waits for the end of the last connection: end those before it at once."""
        before: list[Session | None] = []
        with self._line.lock:
            if self._waiting:
                before = [self.served, *[each for each, _ in self._waiting]]
                before = [each for each in before if each is not self._line.session]
        # Without the lock: somebody may send on one, and a signal handler on top want the line's.
        for session in before:
            if session is not None:
                session.drop()

    def is_driven_by_caller(self) -> bool:
        """Is the caller the driver of an outage, hence a handler? Without the lock."""
        if self._telling == get_ident():
            return True  # maybe at its end, in what another one has to tell
        for each in self._busy:  # mostly one connection
            if isinstance(each, Outage):
                driver = each
                if driver.thread == get_ident():
                    return True
        return False

    def drivers(self) -> Sequence[Outage]:
        """The outages whose drivers are not done. Without the lock."""
        busy = self._busy
        return [each for each in busy if isinstance(each, Outage)] if busy else ()

    def tell(self, function: Callable[..., None], what: object, driver: Outage) -> None:
        """Have the driver of an outage call a handler, behind what others may just call."""
        if not self._line.delivery.is_direct:
            self._line.delivery.post_always(function, what)  # behind what is in its queue
            return
        call = partial(function, what)
        with self._line.lock:
            session = self.served if self._are_others(driver) else None
            is_served = session is not None and not session.has_ended
            if not is_served:
                self._made_told().append(call)
        if session is not None and is_served:
            session.pump.call_soon(call)
        else:
            self._tell(driver)

    def _tell(self, who: Session | Outage) -> None:
        """Call the handlers of what drivers have told, unless somebody else calls any.

        A connection that has ended does it when its own have returned, before the next one begins.
        """
        while True:
            with self._line.lock:
                call = self._next_told(who)
            if call is None:
                return
            self._call(call)

    def _made_told(self) -> deque[Callable[[], None]]:
        fresh: deque[Callable[[], None]] = deque()
        if self._told is None:  # no signal handler comes in before the next line
            self._told = fresh
        return self._told

    def _next_told(self, who: Session | Outage) -> Callable[[], None] | None:
        """What is next, if it is for `who` to call, who does so at once. With the lock held."""
        served = self.served
        are_others = served is not who and served in self._busy
        if not self._told or are_others or (self._teller or who) is not who:
            return None
        self._teller = who  # until it leaves, should Ctrl-C come before it is called
        try:
            return self._told.popleft()
        except IndexError:  # a signal handler on top has taken it
            self._teller = None
            return None

    def _call(self, call: Callable[[], None]) -> None:
        try:
            self._telling = get_ident()
            call()
        finally:
            self._telling = 0
            self._teller = None

    def abandon_after_fork(self) -> None:
        """In a child process: all of them are the parent's."""
        waiting, self._waiting = self._waiting, ()
        self._busy = ()
        self._told = None
        self._telling = 0
        self._teller = None
        for session, _ in waiting:
            session.abandon_after_fork()
