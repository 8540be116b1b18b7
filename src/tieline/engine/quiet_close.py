# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A close whose answer comes soon → the end of a session, for which no thread was woken up.

A hand-over between threads costs as much as a round trip. In each of these ways the ordinary one
follows when the end has not come by itself, or Ctrl-C has kept it from coming.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tieline.engine.served import LAZINESS

if TYPE_CHECKING:
    from tieline.engine.driving import Driver
    from tieline.engine.session import Session

#: Seconds for the peer's answer, before a thread is told that it is due.
PATIENCE = 0.1


#: Seconds in which the peer's answer is mostly here.
BRIEFLY = 0.02


def begin(session: Session, code: int, reason: str) -> None:
    """Send the Close, and tell nobody: the caller does, or stays until the end."""
    with session.lock:
        if not session.has_ended:
            session.connection.send_close(code, reason, session.reactor.now())
            session.sender.flush()
    session.discard_rest()


def with_its_thread(session: Session, code: int, reason: str, limit: float) -> bool:
    """Close the only connection of a reactor: its peer's answer wakes the thread up, which ends.

    One wait, for the thread's end: it comes after the session's. True: both have come.
    """
    if session.is_finished:
        return False
    try:
        begin(session, code, reason)
        return session.reactor.join(min(PATIENCE, limit), serves=True) and session.is_finished
    finally:
        if not session.is_finished:
            session.close(code, reason)  # which has the deadline watched


def alone(session: Session, driver: Driver, code: int, reason: str, limit: float) -> None:
    """Close what the reactor's thread has not looked at yet, if no other thread drives it.

    Wherever Ctrl-C comes, the reactor's thread will look at it. Call `driver.leave` afterwards.
    """
    reactor = session.reactor
    if not session.may_end_anywhere() or not reactor.is_unseen(session):
        return
    if not driver.enter(opens=False):
        return
    started = time.monotonic()
    driver.closes = True
    begin(session, code, reason)
    while not session.is_finished and reactor.is_unseen(session):
        passed = time.monotonic() - started
        left = min(LAZINESS, limit) - passed
        if left <= 0:
            return
        if passed < BRIEFLY:
            driver.step_briefly(min(BRIEFLY - passed, left))
        else:
            driver.step(left)


def finish(session: Session, driver: Driver, *, is_told: bool) -> None:
    """Come to the end here if this is `alone` and nobody has looked at the session, else there.

    Not where something may follow: Ctrl-C in between would keep it from that, and the reactor's
    thread knows no Ctrl-C. `is_told`: the end was told as far as it can be here.
    """
    is_done = False
    try:
        if is_told and driver.closes and driver.is_mine and session.reactor.withdraw(session):
            session.let_go()
            session.tell_finished()
            is_done = True
    finally:  # Ctrl-C
        if not is_done:
            session.reactor.take_back(session, session.finish)
