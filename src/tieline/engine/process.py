"""The end of the interpreter, and fork → an orderly end for every connection."""

from __future__ import annotations

import atexit
import os
import threading
import time

from tieline.engine.forkables import Forkables
from tieline.engine.prompting import PROMPTER
from tieline.engine.reactor import all_reactors
from tieline.engine.session import Session
from tieline.protocol.wire import CloseCode

#: Seconds that all peers together have to answer our Close when the interpreter ends.
GOODBYE = 0.8

#: Seconds for the last handlers after that.
LAST_HANDLERS_AT_EXIT = 0.4


#: Clients: in a child process they are closed without a byte on the wire. And what has a lock that
#: a thread of the parent may hold just now.
forkables = Forkables()
forkables.add(PROMPTER)


#: Set when the interpreter ends. Only daemon threads are left then, besides the main one.
is_ending = threading.Event()


def _at_exit() -> None:
    """Close all connections with 1001, and wait a moment for their handlers."""
    is_ending.set()
    sessions = [
        registrant
        for reactor in list(all_reactors)
        for registrant in reactor.registrants()
        if isinstance(registrant, Session)
    ]
    for session in sessions:
        session.close(CloseCode.GOING_AWAY, "")
    _wait_for(sessions, time.monotonic() + GOODBYE)
    for session in sessions:
        session.drop()
    _wait_for(sessions, time.monotonic() + LAST_HANDLERS_AT_EXIT)


def _wait_for(sessions: list[Session], deadline: float) -> None:
    for session in sessions:
        session.finished.wait(max(0.0, deadline - time.monotonic()))


def _after_fork_in_child() -> None:
    forkables.abandon_after_fork()
    for reactor in list(all_reactors):
        reactor.abandon_after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
