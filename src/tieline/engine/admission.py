# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Who wants to send → who may now, who waits for room or for another's turn, who is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tieline.engine import send_errors
from tieline.engine.holding import is_held_by_caller
from tieline.engine.room import Room
from tieline.engine.unsent import NONE_YET, Deferred
from tieline.engine.writer import Writer
from tieline.errors import SendBufferFull, SendTimeout
from tieline.protocol.outgoing import Outgoing
from tieline.transport.stream import Stream

#: How often in each `timeout` a sender that waits looks for room by itself: a kernel tells of room
#: only when there is plenty, and what a slow peer has taken is to count from when it was taken.
_LOOKS = 10


class Admission(Writer):
    """A writer whose buffer is bounded. `lock` is the session's.

    Above `write_limit` bytes in the buffer a sender waits, `timeout` seconds at most, unless the
    owner is `in_handler()`: a handler that waited would keep its thread from reading, and with two
    full pipes nobody would ever go on. While a thread or task (`caller()`) has half a fragmented
    message sent, the others wait for its end. The owner is told: `on_waited(size, seconds, taken)`.
    """

    def __init__(
        self,
        lock: Any,
        outgoing: Outgoing,
        stream: Stream,
        owner: Any,
        write_limit: int,
        timeout: float | None,
        now: Callable[[], float],
        caller: Callable[[], object],
    ) -> None:
        self._init_writer(outgoing, stream, owner, write_limit, now)
        self._lock = lock
        self._timeout = timeout
        self._caller = caller
        # The thread or task whose fragmented message is half sent.
        self._fragmenter: object = None
        # Whole messages that must not wait, so these do, for its end: what handlers sent meanwhile,
        # and what a connection begins with.
        self._deferred: Deferred | tuple[()] = NONE_YET

    # --- asking -------------------------------------------------------------------------------

    @property
    def is_locked_by_caller(self) -> bool:
        """Does the calling thread hold the lock already?"""
        return is_held_by_caller(self._lock)

    @property
    def buffered(self) -> int:
        """Bytes that wait for the kernel."""
        return self.unwritten + (self._deferred.size if self._deferred else 0)

    @property
    def is_mid_message(self) -> bool:
        """Is a fragmented message of the caller half sent?"""
        return self._outgoing.is_fragmenting and self._fragmenter == self._caller()

    def must_wait(self) -> bool:
        """Would a data frame of the caller have to wait?"""
        return self.unwritten >= self._write_limit or (
            self._outgoing.is_fragmenting and not self.is_mid_message
        )

    def call_when_ready(self, function: Callable[[], None]) -> None:
        """Have `function`, which must not raise, called once when there may be room, or never."""
        with self._lock:
            self._made_room().call(function)

    def _made_room(self) -> Room:
        fresh = Room(self._lock)
        if self._room is None:  # as with `_made_ledger`
            self._room = fresh
        return self._room

    def write_overdue(self) -> bool:
        """Write what was gathered too long ago: the handler is still busy. Any thread.

        False: nothing was gathered lately, and `watch_over` is called before that is different.
        """
        with self._lock:
            if self._gathering_until == 0.0 and not self._has_gathered:
                self._is_watched = False
                return False
            self._has_gathered = False
            if self._gathering_until and self._now() >= self._gathering_until:
                self._is_watched = False  # should it raise, it is not looked at any more
                self._write()
                self._is_watched = True
            return True

    # --- waiting ------------------------------------------------------------------------------

    @contextmanager
    def waiting(self, size: int) -> Iterator[float | None]:
        """The body waits for room for a message of `size` bytes; until then at most."""
        started, written = self._now(), self.written
        try:
            yield self._deadline()
        finally:
            seconds = self._now() - started
            self.seconds += seconds
            self._owner.on_waited(size, seconds, self.written - written)

    def _deadline(self) -> float | None:
        return None if self._timeout is None else self._now() + self._timeout

    def _wait_for_turn(self, size: int, deadline: float | None) -> bool:
        """Wait until a data frame may be sent. False in a handler that may not and must not."""
        if not self._owner.in_handler():
            self._wait(self.must_wait, size, deadline, accepted=False)
            return True
        self._wait_for_room(size, deadline)
        if not self.must_wait():
            return True
        self._outgoing.check_open()
        return False

    def _wait_for_room(self, size: int, deadline: float | None) -> None:
        if not self._owner.in_handler():
            self._wait(lambda: self.unwritten >= self._write_limit, size, deadline, accepted=False)
        elif self.buffered >= self._write_limit:
            # The kernel may have room by now, even if the reactor had no time to notice.
            self._write()
            if self.buffered >= self._write_limit:
                raise send_errors.buffer_full(self.buffered, self._write_limit)

    def _wait(
        self, blocked: Callable[[], bool], size: int, deadline: float | None, *, accepted: bool
    ) -> None:
        """Wait while `blocked()`; returns at once when the connection is not open any more."""
        if self._flushing:
            # A signal handler sends on top of this very thread's write: there is no going on
            # before it returns.
            if accepted:
                return
            raise SendBufferFull(send_errors.SIGNAL_HANDLER)
        self._write()
        with self.waiting(size):
            while blocked() and self.error is None and self._outgoing.is_open:
                remaining = self.patience(deadline)
                if remaining is not None and remaining <= 0:
                    raise self.not_taken(size) if accepted else self.no_room()
                self._made_room().wait(self.pause(remaining))
                self.look_for_room()

    def patience(self, deadline: float | None) -> float | None:
        """Seconds until a wait has failed that began with this deadline.

        A peer that takes bytes puts it off, however slowly it does. Not when there is room: then
        it is another message's end that is waited for.
        """
        if deadline is None or self._timeout is None:
            return None
        if self.unwritten >= self._write_limit:
            deadline = max(deadline, self.taken_at + self._timeout)
        return deadline - self._now()

    def pause(self, remaining: float | None) -> float | None:
        """Seconds to wait to be told of room, then to look: so many `remaining` of the patience."""
        if remaining is None or self._timeout is None:
            return None
        return min(remaining, self._timeout / _LOOKS)

    def look_for_room(self) -> None:
        """Write what the kernel takes without having said so."""
        if self._outgoing.is_open:  # else the stream may be closed
            self._write()

    def not_taken(self, size: int) -> SendTimeout:
        """What to raise when `waiting` has lasted too long, and the message is in the buffer."""
        assert self._timeout is not None
        return send_errors.not_taken(size, self.unwritten, self._timeout)

    def no_room(self) -> SendTimeout:
        """What to raise when `waiting` has lasted too long: nothing was sent."""
        assert self._timeout is not None
        return send_errors.no_room(self.unwritten, self._write_limit, self._timeout)
