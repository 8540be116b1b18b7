"""The parts of one message, as they arrive → parts that are asked for."""

from __future__ import annotations

import threading
from _thread import start_new_thread  # threading's own takes a lock
from collections import deque
from contextlib import suppress
from io import BytesIO, StringIO
from typing import Protocol

from tieline.engine.waiting import SLICE
from tieline.errors import ConnectionClosed
from tieline.protocol.events import CloseInfo
from tieline.reconnect import GaveUp

#: Bytes (of text: characters) of one message that may wait to be read; with more of them nothing
#: more is read from the peer until half of them are taken.
MAX_WAITING = 1024 * 1024


class ChunksOwner(Protocol):
    """Who receives the message. Called with no lock held."""

    def on_chunks_room(self) -> None:
        """Half of what had filled the chunks was taken."""

    def on_chunks_finished(self, chunks: Chunks) -> None:
        """Nobody will take any more of them."""


class Chunks:
    """What came of a message and was not taken yet. Any thread.

    Whoever receives calls `feed`, and `break_off` when the connection ends before the message does.
    Whoever reads calls `take`, or `gather` for all of it at once.
    """

    def __init__(self, owner: ChunksOwner) -> None:
        self._owner = owner
        # Reentrant for signal handlers. It is entered, and not the condition, whose way in is
        # written in Python: Ctrl-C in there would leave it taken.
        self._lock = threading.RLock()
        self._news = threading.Condition(self._lock)
        self._parts: deque[str | bytes] = deque()
        # Parts that were taken to be joined.
        self._gathered: BytesIO | StringIO | None = None
        #: How much waits in the parts.
        self.waiting = 0
        self._was_full = False
        #: The last part has come.
        self.is_complete = False
        # Nothing, in the type of the message; None until its first part has come.
        self._empty: str | bytes | None = None
        # The connection ended before the message did.
        self._is_broken = False
        self._close_info: CloseInfo | None = None
        # It was read to its end, or nobody wants the rest.
        self.is_finished = False
        #: What a waiting reader is told when somebody else has finished it.
        self.refusal = ""
        #: Who took the last part: a thread or a task.
        self.reader: object = None
        # The thread that receives.
        self._feeder: int | None = None

    # --- what comes in ------------------------------------------------------------------------

    def feed(self, data: str | bytes, is_last: bool) -> None:
        """The next part has come."""
        with self._lock:
            self._feeder = threading.get_ident()
            # An empty part says nothing, unless it is all that there is.
            if not self.is_finished and (data or (is_last and self._empty is None)):
                self._parts.append(data)
                self.waiting += len(data)
                self._empty = data[:0]
                if self.waiting > MAX_WAITING:
                    self._was_full = True
            if is_last:
                self.is_complete = True
            self._news.notify_all()
        if is_last:
            self._look_for_end()

    def break_off(self, info: CloseInfo | None) -> None:
        """The connection has ended, and the rest will never come."""
        with self._lock:
            self._is_broken = True
            self._close_info = info
            self._news.notify_all()

    @property
    def is_full(self) -> bool:
        """Is it enough for now?"""
        return self._was_full and self.waiting > MAX_WAITING

    # --- what is taken ------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Would `take` return, or raise anything but IndexError?"""
        return bool(self._parts) or self.is_complete or self._is_broken or self.is_finished

    def check_ready(self) -> None:
        """Raise IndexError where `take` would."""
        if not self.is_ready:
            raise IndexError

    def take(self) -> str | bytes | None:
        """The next part, None after the last. Raises IndexError when it has not come yet.

        Raises ConnectionClosed where the rest will never come, and RuntimeError with `refusal`.
        """
        try:
            with self._lock:
                part = self._next_part()
                self.waiting -= 0 if part is None else len(part)
                has_room = self._was_full and self.waiting <= MAX_WAITING // 2
                if has_room:
                    self._was_full = False
        except ConnectionClosed:
            self._finish()
            raise
        if has_room:
            self._owner.on_chunks_room()
        self._look_for_end()
        return part

    def _next_part(self) -> str | bytes | None:
        if self._gathered is not None:
            gathered, self._gathered = self._gathered.getvalue(), None
            self.waiting += len(gathered)
            return gathered
        if self._parts:
            return self._parts.popleft()
        self._check()
        if self.is_complete or self.is_finished:
            return None
        raise IndexError

    def _check(self) -> None:
        """Raise what keeps the rest from coming."""
        if self.refusal:
            raise RuntimeError(self.refusal)
        if self._is_broken:
            raise closed_error(self._close_info, "in the middle of a message")

    def gather(self) -> str | bytes | None:
        """All of what was not taken, joined. None: not all of it has come; nothing is lost.

        Raises as `take` does.
        """
        try:
            whole, has_room = self.gather_quietly()
        except ConnectionClosed:
            self._finish()
            raise
        if has_room:
            self._owner.on_chunks_room()
        self._look_for_end()
        return whole

    def gather_quietly(self) -> tuple[str | bytes | None, bool]:
        """`gather` for the owner, which is not told: is there room now?"""
        with self._lock:
            while self._parts:
                part = self._parts[0]
                if self._gathered is None:
                    self._gathered = StringIO() if isinstance(part, str) else BytesIO()
                self._gathered.write(part)  # type: ignore[arg-type]
                self._parts.popleft()
            has_room, self._was_full = self._was_full, False
            self.waiting = 0
            self._check()
            if not self.is_complete:
                return None, has_room
            whole = self._empty if self._gathered is None else self._gathered.getvalue()
            self._gathered = None
            return whole, has_room

    def discard(self, refusal: str = "") -> None:
        """Nobody will take the rest. `refusal`: what to tell those who try."""
        with self._lock:
            if self.is_finished:
                return
            self._parts.clear()
            self._gathered = None
            self.waiting = 0
            self.refusal = refusal
            has_room, self._was_full = self._was_full, False
            self._news.notify_all()
        self._finish()
        if has_room:
            self._owner.on_chunks_room()

    def abandon(self) -> None:
        """`discard`, from a finalizer: it may come on any line of any thread, under any lock."""
        self.reader = None
        with suppress(RuntimeError):  # the interpreter ends, or has no thread to give
            start_new_thread(self.discard, ())

    def _look_for_end(self) -> None:
        if self.is_complete and not self._parts and self._gathered is None:
            self._finish()

    def _finish(self) -> None:
        if not self.is_finished:
            self.is_finished = True
            self._owner.on_chunks_finished(self)

    # --- waiting ------------------------------------------------------------------------------

    def wait(self) -> None:
        """Block until `is_ready`. Raises RuntimeError on the thread that receives."""
        if self._feeder == threading.get_ident():
            raise RuntimeError(
                "the thread that receives the message cannot wait for the rest of it: the executor "
                "runs handlers on it, so give one with threads of its own, or none"
            )
        with self._lock:
            while not self.is_ready:
                self._news.wait(SLICE)  # a slice: a signal just before it would not interrupt it

    def abandon_after_fork(self) -> None:
        """In a child process: another thread may have held the lock."""
        self._lock = threading.RLock()
        self._news = threading.Condition(self._lock)


def closed_error(
    info: CloseInfo | None, when: str = "", gave_up: GaveUp | None = None
) -> ConnectionClosed:
    """What to raise where something was asked for that will never come."""
    text = f"the connection has ended{when and ' ' + when}: {info}"
    if info is None:
        text = "there is no connection"
    cause = None if info is None else info.error
    if gave_up is not None and isinstance(gave_up.cause, Exception):
        text += f"; reconnecting was given up after {gave_up.attempts} attempts: {gave_up.reason}"
        cause = gave_up.cause
    error = ConnectionClosed(text, info)
    error.__cause__ = cause
    return error
