"""Messages that are sent while there is no connection → a bounded queue for the next one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

from tieline.engine import send_errors
from tieline.engine.holding import is_held_by_caller
from tieline.engine.unsent import Unsent


class OfflineOptions(Protocol):
    """The options that shape it."""

    @property
    def offline_limit(self) -> tuple[int, int]: ...
    @property
    def offline_max_age(self) -> float | None: ...
    @property
    def offline_overflow(self) -> str: ...


class OfflineQueue:
    """First in, first out; any thread, and signal handlers on top of any line.

    Nothing leaves it silently: `on_dropped(reason, size)` is called for each message that is
    dropped, with no lock of the queue held, and its receipt fails with an error that says why.
    """

    def __init__(
        self,
        options: OfflineOptions,
        now: Callable[[], float],
        on_dropped: Callable[[str, int], object],
    ) -> None:
        self._max_size, self._max_messages = options.offline_limit
        self._max_age = options.offline_max_age
        self._overflow = options.offline_overflow
        self._now = now
        self._on_dropped = on_dropped
        self._lock = threading.RLock()
        self._entries: deque[Unsent] = deque()
        #: Bytes that wait.
        self.size = 0
        # How many of the entries are marks, which are no messages.
        self._marks = 0
        # Dropped, and nobody was told yet: why, with which error, which message.
        self._untold: deque[tuple[str, Exception, Unsent]] = deque()
        # Counts the changes. The lock keeps out other threads, but not signal handlers on top of
        # any call: each change is prepared, made if there was no other meanwhile, and made without
        # a call, so that Ctrl-C finds it made or not made.
        self._changes = 0

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._entries) - self._marks

    def put(self, unsent: Unsent) -> None:
        """Add it at the end. Raises SendBufferFull when there is no room and nothing may give way.

        A message that gives way itself ("drop_newest", or one that is larger than all the room) is
        told of like any other that is dropped.
        """
        try:
            with self._lock:
                while not self._put(unsent):
                    pass
        finally:
            self._tell()

    def put_back(self, unsent: Sequence[Unsent]) -> None:
        """Add at the front, in order, what an earlier connection did not take.

        Each has kept its age. When there is not enough room for these and those that were queued
        meanwhile, the latter give way, or with "drop_oldest" the oldest of all.
        """
        for each in unsent:
            each.own()
            each.is_kept = True
        size, marks = (
            sum(len(each.payload) for each in unsent),
            sum(each.is_mark for each in unsent),
        )
        try:
            with self._lock:
                front = deque(unsent)
                self._entries = front + self._entries
                self.size += size
                self._marks += marks
                self._changes += 1
                at_least = 0 if self._overflow == "drop_oldest" else len(unsent) - marks
                while self._is_above_limit() and len(self) > at_least:
                    self._drop(self._overflowing(), "overflow", self._full())
        finally:
            self._tell()

    def take_all(self) -> list[Unsent]:
        """Everything that is not too old, in order; the queue is empty then."""
        fresh: deque[Unsent] = deque()
        try:
            with self._lock:
                taken, self._entries = self._entries, fresh
                self.size = self._marks = 0
                self._changes += 1
                oldest = self._oldest()
                for each in taken:
                    if self._is_aged(each, oldest):
                        self._untold += [("age", send_errors.too_old(self._max_age), each)]
                return [each for each in taken if not self._is_aged(each, oldest)]
        finally:
            self._tell()

    def drop_aged(self) -> None:
        """Drop what is older than ``offline_max_age``, as `put` and `take_all` do."""
        try:
            with self._lock:
                while self._entries and self._is_aged(self._entries[0], self._oldest()):
                    self._drop(0, "age", send_errors.too_old(self._max_age))
        finally:
            self._tell()

    def refuse(self, unsent: Unsent) -> None:
        """Drop one that was not to be queued: ``when_offline="drop"``."""
        self._untold += [("drop", send_errors.not_wanted_offline(), unsent)]
        self._tell()

    def clear(self, reason: str, error: Exception) -> None:
        """Drop everything: nothing will be open any more."""
        try:
            with self._lock:
                while self._entries:
                    self._drop(0, reason, error)
        finally:
            self._tell()

    def abandon_after_fork(self, error: Exception) -> None:
        """In a child process: another thread may have held the lock, and the parent sends these."""
        self._lock = threading.RLock()
        self._untold.clear()
        entries, self._entries = self._entries, deque()
        self.size = self._marks = 0
        for unsent in entries:
            unsent.failed(error)

    # --- with the lock held -------------------------------------------------------------------

    def _put(self, unsent: Unsent) -> bool:
        """One step: True when it is in, or dropped, False when something was dropped for it."""
        changes = self._changes
        oldest = self._oldest()
        if self._entries and self._is_aged(self._entries[0], oldest):
            self._drop(0, "age", send_errors.too_old(self._max_age))
            return False
        if unsent.is_mark:
            self._forget_idle()
        size, marks = len(unsent.payload), unsent.is_mark
        if not marks and self._is_above_limit(size, 1):
            if self._overflow == "raise":
                raise self._full()
            if self._overflow == "drop_oldest" and size <= self._max_size:
                self._drop(self._overflowing(), "overflow", self._full())
                return False
            self._untold += [("overflow", self._full(), unsent)]
            return True
        unsent.own()
        unsent.is_kept = True
        if self._changes != changes:
            return False
        self._entries += [unsent]
        self.size += size
        self._marks += marks
        self._changes += 1
        return True

    def _drop(self, index: int, reason: str, error: Exception) -> None:
        """Drop one, unless a signal handler has changed something: then look again."""
        changes = self._changes
        if not index < len(self._entries):
            return
        unsent = self._entries[index]
        size, marks, untold = len(unsent.payload), unsent.is_mark, [(reason, error, unsent)]
        if self._changes != changes:
            return
        del self._entries[index]
        self.size -= size
        self._marks -= marks
        self._untold += untold
        self._changes += 1

    def _forget_idle(self) -> None:
        """Drop the marks for which nobody waits any more."""
        index = 0
        while index < len(self._entries):
            changes = self._changes
            if not self._entries[index].is_idle:
                index += 1
            elif self._changes == changes:
                del self._entries[index]
                self._marks -= 1
                self._changes += 1

    def _overflowing(self) -> int:
        """Which one gives way."""
        count = len(self._entries)
        indices = range(count) if self._overflow == "drop_oldest" else range(count - 1, -1, -1)
        for index in indices:
            if not self._entries[index].is_mark:
                return index
        return count

    def _oldest(self) -> float:
        """What was sent before is too old."""
        return -inf if self._max_age is None else self._now() - self._max_age

    def _is_aged(self, unsent: Unsent, oldest: float) -> bool:
        return unsent.since < oldest and not unsent.is_mark

    def _is_above_limit(self, size: int = 0, messages: int = 0) -> bool:
        return self.size + size > self._max_size or len(self) + messages > self._max_messages

    def _full(self) -> Exception:
        return send_errors.offline_full(self._max_size, self._max_messages)

    # --- without it ---------------------------------------------------------------------------

    def _tell(self) -> None:
        """What Ctrl-C kept from being told is told by the next call."""
        if self._untold and is_held_by_caller(self._lock):
            return  # a signal handler is on top of a call that will tell
        while self._untold:
            is_ours = False
            with self._lock:
                if not self._untold:
                    return  # another thread did
                entry = self._untold[0]
                reason, error, unsent = entry
                unsent.failed(error)
                if self._untold and self._untold[0] is entry:  # no signal handler did
                    del self._untold[0]
                    is_ours = not unsent.is_mark
            if is_ours:
                self._on_dropped(reason, len(unsent.payload))
