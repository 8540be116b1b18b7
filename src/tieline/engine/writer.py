# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""What is ready to be sent → one stream, as far as the kernel takes it; the rest waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tieline.engine.ledger import Ledger
from tieline.engine.outbox import Outbox
from tieline.engine.room import Room
from tieline.engine.unsent import Queue, Unsent
from tieline.errors import ConnectionClosed
from tieline.protocol.outgoing import Outgoing
from tieline.transport.stream import Stream

#: What a call of a handler sends first goes out at once, so many messages: few answers never wait.
#: (One while calls that send more follow each other.)
AT_ONCE = 4

#: Seconds for which what handlers send may be gathered: long enough for a run of quick handlers,
#: short enough that the answers of slow ones do not wait for each other.
_GATHERING = 0.001

#: Bytes that are gathered at most.
_TOGETHER = 64 * 1024

#: Fewer messages in that time are not worth it: what is sent until the run's end goes out at once.
_WORTHWHILE = 16


class Writer(Outbox):
    """Writes what `outgoing` holds, and keeps what the kernel does not take. With the lock held.

    Those who wait are told when less than `write_limit` bytes do, or none will ever be taken.
    `owner` gets `on_blocked()`, `on_broken()`, and when something begins to be gathered
    `watch_over(self)`: it has another thread call `write_overdue`, or says False when none can.
    """

    def _init_writer(
        self,
        outgoing: Outgoing,
        stream: Stream,
        owner: Any,
        write_limit: int,
        now: Callable[[], float],
    ) -> None:
        self._init_outbox()
        self._outgoing = outgoing
        self._stream = stream
        # Senders that wait for room in the buffer, or for the end of a fragmented message. Made
        # when the first one does, and so is the ledger: most connections need neither.
        self._room: Room | None = None
        self._write_limit = write_limit
        self._now = now
        self._owner = owner
        # What becomes of the messages that were noted.
        self._ledger: Ledger | None = None
        # False after Ctrl-C in a write.
        self._is_certain = True
        # While handlers are called, what they send is gathered, but for so many messages.
        self._corked = False
        self._left_at_once = 0
        # When what is gathered now is to be written; 0 when nothing is.
        self._gathering_until = 0.0
        # Somebody looks after it, and has to go on: more was gathered since the last look.
        self._is_watched = False
        self._has_gathered = False
        self._gathered = 0
        self._flushing = False
        #: When the peer last made the kernel take bytes that it had refused before.
        self.taken_at = 0.0
        #: What broke the stream for writing, or None. Reading may still tell why.
        self.error: Exception | None = None
        #: Bytes could not be written at once: call `flush` when the stream is writable.
        self.blocked = False
        #: Statistics: seconds spent in writing and in waiting for room.
        self.seconds = 0.0

    def cork(self, calls: int) -> None:
        """Until `flush`, handlers are called so many times: gather what they send, for a moment.

        What one call sends first goes out at once. Of a run of calls only what the first ones
        send, and the next run's none: answers are to be expected.
        """
        self._corked = True
        if calls == 1:
            if not self._is_watched:
                self._left_at_once = AT_ONCE
            else:
                self._left_at_once = 0 if self._gathered >= _WORTHWHILE else 1

    def flush(self) -> None:
        """Write what the connection wants written, as far as the kernel takes it."""
        self._corked = False
        self._gathering_until = 0.0
        if (
            self.unwritten
            or not self._outgoing.is_empty
            or self.blocked
            or self._stream.has_pending_output
        ):
            self._write()

    def drop(self) -> None:
        """The stream is gone: nothing will be written, and nobody needs to wait any more."""
        self._outgoing.take()  # after Ctrl-C it may hold memory that is the sender's again
        self.clear()
        self._gathering_until = 0.0
        self.blocked = False
        if self._room is not None:
            self._room.tell()

    @property
    def is_full(self) -> bool:
        """More waits than `write_limit` allows."""
        return self.unwritten >= self._write_limit

    def has_room(self) -> bool:
        """May what nobody waits for be sent as well?"""
        return self._outgoing.is_open and self.unwritten < self._write_limit

    @property
    def bytes_written(self) -> int:
        """Bytes that the stream has taken since the start."""
        return self.written

    def check_unbroken(self) -> None:
        """Raise ConnectionClosed if the stream broke, of which the session may not know yet.

        What is taken until it does would only pile up.
        """
        if self.error is not None and self._outgoing.is_open:
            raise ConnectionClosed(f"nothing can be sent, the stream broke: {self.error}")

    def _gathers(self, now: float) -> bool:
        """Corked: does what a handler has sent, and what is in the outbox by now, wait for more?"""
        if self._left_at_once > 0:
            self._left_at_once -= 1
            return False
        if self.unwritten >= min(_TOGETHER, self._write_limit):
            return False
        if self._gathering_until == 0.0:
            if not self._is_watched:
                # A handler that takes long would keep it from being written.
                if not self._owner.watch_over(self):
                    self._corked = False
                    return False
                self._is_watched = True
            self._has_gathered = True
            self._gathering_until = now + _GATHERING
            self._gathered = 0
            return True
        self._gathered += 1
        if now < self._gathering_until:
            return True
        if self._gathered < _WORTHWHILE:
            self._corked = False
        return False

    def _write(self) -> None:
        if self._flushing or self.error is not None:
            # A signal handler came on top of the write below, which will go on with its frames.
            return
        self._gathering_until = 0.0
        started, written = self._now(), self.written
        pending = self._stream.pending_size if self.blocked else 0
        self._flushing = True  # and nothing between it and `try`, where Ctrl-C could come
        try:
            done = self._write_out()
        except OSError as error:
            if not self._stream.has_pending_output:
                self.offered = 0  # the kernel has refused it, and TLS had no part in it
            self._break(error)
            return
        except BaseException:
            self._interrupted()
            raise
        finally:
            self._flushing = False
            self.seconds += self._now() - started
        if self.blocked and (self.written != written or self._stream.pending_size < pending):
            self.taken_at = self._now()
        if done == self.blocked:
            self.blocked = not done
            self._owner.on_blocked()
        room = self._room
        if room is not None and room.is_wanted and not (self.is_full and self._outgoing.is_open):
            room.tell()
        if self._has_noted():
            self._settle()

    def _write_out(self) -> bool:
        """Write until nothing is left (True) or the kernel takes no more."""
        while True:
            self.extend_from(self._outgoing.take)
            done = (
                (not self.blocked or self._push_pending())
                and self.write_to(self._stream)
                and (not self._stream.has_pending_output or self._stream.flush())
            )
            is_congested = self.unwritten >= self._write_limit
            if is_congested or self._outgoing.is_congested:
                # May release a Pong that was held back.
                self._outgoing.set_congested(is_congested)
            # A signal handler may have sent something and left it to us, last of all here.
            if not done or (self._outgoing.is_empty and not self.chunks):
                return done

    def _push_pending(self) -> bool:
        """False while the stream has bytes that the kernel has not: it would take no more.

        Not left to the stream: what it was not offered cannot have left, and what it had all left.
        """
        if self._stream.has_pending_output and not self._stream.flush():
            return False
        if self._has_noted():
            self._settle()
        return True

    def _interrupted(self) -> None:
        """Ctrl-C between a step and its bookkeeping: nobody knows what was written."""
        self._is_certain = False
        self._break(ConnectionAbortedError("a write was interrupted; the stream cannot go on"))

    def _made_ledger(self) -> Ledger:
        fresh = Ledger()
        if self._ledger is None:  # no signal handler comes in before the next line
            self._ledger = fresh
        return self._ledger

    def _has_noted(self) -> bool:
        """Is there a message in the buffer whose fate is to be told?"""
        return self._ledger is not None and len(self._ledger.entries) > 0

    def _settle(self) -> None:
        ledger = self._ledger
        if ledger is None:
            return
        if ledger.has_vague and not self.is_adding:
            ledger.bound(self.written + self.unwritten)
        # Looked at first: a signal handler may write more before the question is answered.
        position = self.written
        if not self._stream.has_pending_output:
            ledger.settle(position)

    def _end_ledger(self, deferred: Queue[Unsent]) -> None:
        if self._is_certain:
            self._settle()
        if deferred or self._ledger is not None:
            self._made_ledger().end(self.written + self.offered, deferred)

    def _break(self, error: Exception) -> None:
        self.error = error
        self.drop()
        self._owner.on_broken()
