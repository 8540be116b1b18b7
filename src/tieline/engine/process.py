"""The end of the interpreter, and fork → an orderly end for every connection."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterator
from typing import Protocol
from weakref import ref

from tieline.engine.locks import ReentrantLock
from tieline.engine.prompting import PROMPTER
from tieline.engine.reactor import all_reactors
from tieline.engine.session import Session
from tieline.protocol.wire import CloseCode

#: Seconds that all peers together have to answer our Close when the interpreter ends.
GOODBYE = 0.8

#: Seconds for the last handlers after that.
LAST_HANDLERS_AT_EXIT = 0.4


class Forkable(Protocol):
    """Something whose threads and sockets stay with the parent."""

    def abandon_after_fork(self) -> None: ...


#: So many that are gone are not worth a look.
_FEW = 64


class Forkables:
    """What has to know of a fork, for as long as somebody else keeps it. Any thread.

    Half of what a `WeakSet` takes for each, which has a set beside the references.
    """

    def __init__(self) -> None:
        self._references: list[ref[Forkable]] = []
        # With more of them those that are gone are taken out, as often as they have doubled.
        self._enough = _FEW
        self._clearings = 0
        self._lock = ReentrantLock()

    def add(self, forkable: Forkable) -> None:
        """Once for each."""
        self._references.append(ref(forkable))
        if len(self._references) > self._enough:
            self._clear()

    def _clear(self) -> None:
        with self._lock:
            references, clearings = self._references, self._clearings
            count = len(references)
            present = [each for each in references[:count] if each() is not None]
            # What has come meanwhile is behind them, and a signal handler on top may have done it.
            if self._clearings == clearings:
                references[:count] = present
                self._clearings = clearings + 1
                self._enough = 2 * len(present) + _FEW

    def __iter__(self) -> Iterator[Forkable]:
        for reference in self._references.copy():
            forkable = reference()
            if forkable is not None:
                yield forkable

    def abandon_after_fork(self) -> None:
        """In a child process: another thread may have held the lock."""
        self._lock = ReentrantLock()
        for forkable in self:
            forkable.abandon_after_fork()


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
