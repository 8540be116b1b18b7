"""Messages of any thread → one stream, through a bounded buffer: the write side of a session."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tieline.engine import send_errors
from tieline.engine.holding import is_held_by_caller
from tieline.engine.outbox import Outbox
from tieline.engine.room import Room
from tieline.errors import ConnectionClosed, SendBufferFull, SendTimeout, WebSocketError
from tieline.protocol.outgoing import Outgoing
from tieline.protocol.wire import Opcode
from tieline.transport.stream import Stream

Data = bytes | bytearray | memoryview

#: Seconds for which what handlers send may be gathered: long enough for a run of quick handlers,
#: short enough that the answers of slow ones do not wait for each other.
_GATHERING = 0.001


class Sender:
    """Encodes, writes what the kernel takes, and keeps the rest until the stream is writable.

    `lock` is the session's; every public method takes it. Above `write_limit` bytes in the buffer a
    send waits, `timeout` seconds at most, unless `in_handler()`: a handler that waited would keep
    its thread from reading, and with two full pipes nobody would ever go on.
    """

    def __init__(
        self,
        lock: Any,
        outgoing: Outgoing,
        stream: Stream,
        *,
        write_limit: int,
        timeout: float | None,
        now: Callable[[], float],
        in_handler: Callable[[], bool],
        caller: Callable[[], object],
        on_blocked: Callable[[], None],
        on_broken: Callable[[], None],
        on_waited: Callable[[int, float, int], None],
    ) -> None:
        self._lock = lock
        self._outgoing = outgoing
        self._stream = stream
        self._write_limit = write_limit
        self._timeout = timeout
        self._now = now
        self._in_handler = in_handler
        self._caller = caller
        self._on_blocked = on_blocked
        self._on_broken = on_broken
        self._on_waited = on_waited
        self._outbox = Outbox()
        # Senders that wait for room in the buffer, or for the end of a fragmented message.
        self._room = Room(lock)
        # The thread or task whose fragmented message is half sent.
        self._fragmenter: object = None
        # Whole messages that handlers sent meanwhile: they must not wait, so these do.
        self._deferred: deque[tuple[Opcode, bytes]] = deque()
        self._deferred_size = 0
        # While a run of messages is delivered, what its handlers send is gathered.
        self._corked = False
        self._corked_until = 0.0
        self._flushing = False
        #: What broke the stream for writing, or None. Reading may still tell why.
        self.error: Exception | None = None
        #: Bytes could not be written at once: call `flush` when the stream is writable.
        self.blocked = False
        #: Statistics: seconds spent in writing and in waiting for room.
        self.seconds = 0.0

    # --- what users send ----------------------------------------------------------------------

    def message(self, opcode: Opcode, payload: Data) -> None:
        """Send a whole message. Raises ConnectionClosed, SendTimeout, SendBufferFull."""
        with self._lock:
            deadline: float | None = None
            if self.must_wait():
                deadline = self._deadline()
                if not self._wait_for_turn((opcode, payload), len(payload), deadline):
                    return
            self._check_unbroken()
            self._outgoing.message(opcode, payload)
            self._push(len(payload), deadline)

    def frames(self, frames: Sequence[tuple[Opcode, bytes, bool]]) -> None:
        """Send data frames of a hand-made message; the thread owns the message until its end."""
        with self._lock:
            size = sum(len(payload) for _, payload, _ in frames)
            deadline: float | None = None
            if self.must_wait():
                deadline = self._deadline()
                self._wait_for_turn(None, size, deadline)
            self._check_unbroken()
            self._fragmenter = self._caller()
            try:
                for opcode, payload, fin in frames:
                    self._outgoing.fragment(opcode, payload, fin)
                if fin:
                    self._end_of_fragments()
            except WebSocketError:
                raise  # refused, and nothing is different
            except BaseException:
                self._interrupted()
                raise
            self._push(size, deadline)

    def ping(self, data: bytes, token: object) -> None:
        """Send a Ping, between the fragments of a message if need be."""
        with self._lock:
            if self._outbox.size >= self._write_limit:
                self._wait_for_room(len(data), self._deadline())
            self._check_unbroken()
            self._outgoing.ping(data, self._now(), token)
            self._push(len(data))

    def pong(self, data: bytes) -> None:
        """Send an unasked Pong."""
        with self._lock:
            if self._outbox.size >= self._write_limit:
                self._wait_for_room(len(data), self._deadline())
            self._check_unbroken()
            self._outgoing.pong(data)
            self._push(len(data))

    # --- what the session does, with the lock held --------------------------------------------

    def cork(self) -> None:
        """Gather what handlers send until `flush`, but not for longer than a moment."""
        self._corked = True
        self._corked_until = self._now() + _GATHERING

    def flush(self) -> None:
        """Write what the connection wants written, as far as the kernel takes it."""
        self._corked = False
        if self._outbox.size or not self._outgoing.is_empty or self._stream.has_pending_output:
            self._write()

    def drop(self) -> None:
        """The stream is gone: nothing will be written, and nobody needs to wait any more."""
        self._outbox.clear()
        self._deferred.clear()
        self._deferred_size = 0
        self.blocked = False
        self._room.tell()

    def abandon_after_fork(self, lock: Any) -> None:
        """In a child process: another thread may have held the lock, and none of them is here."""
        self._lock = lock
        self._room.abandon_after_fork(lock)
        self._flushing = False

    @property
    def is_full(self) -> bool:
        """More waits than `write_limit` allows."""
        return self._outbox.size >= self._write_limit

    @property
    def is_locked_by_caller(self) -> bool:
        """Does the calling thread hold the lock already?"""
        return is_held_by_caller(self._lock)

    @property
    def buffered(self) -> int:
        """Bytes that wait for the kernel."""
        return self._outbox.size + self._deferred_size

    @property
    def bytes_written(self) -> int:
        """Bytes that the stream has taken since the start."""
        return self._outbox.written

    # --- waiting ------------------------------------------------------------------------------

    def must_wait(self) -> bool:
        """Would a data frame of the caller have to wait?"""
        return self._outbox.size >= self._write_limit or (
            self._outgoing.is_fragmenting and not self.is_mid_message
        )

    @property
    def is_mid_message(self) -> bool:
        """Is a fragmented message of the caller half sent?"""
        return self._outgoing.is_fragmenting and self._fragmenter == self._caller()

    def call_when_ready(self, function: Callable[[], None]) -> None:
        """Have `function`, which must not raise, called once when there may be room, or never."""
        with self._lock:
            self._room.call(function)

    @contextmanager
    def waiting(self, size: int) -> Iterator[float | None]:
        """The body waits for room for a message of `size` bytes; until then at most."""
        started, written = self._now(), self._outbox.written
        try:
            yield self._deadline()
        finally:
            seconds = self._now() - started
            self.seconds += seconds
            self._on_waited(size, seconds, self._outbox.written - written)

    def _deadline(self) -> float | None:
        return None if self._timeout is None else self._now() + self._timeout

    def _wait_for_turn(
        self, message: tuple[Opcode, Data] | None, size: int, deadline: float | None
    ) -> bool:
        """Wait until a data frame may be sent. False: the whole message was deferred instead."""
        if not self._in_handler():
            self._wait(self.must_wait, size, deadline, accepted=False)
            return True
        self._wait_for_room(size, deadline)
        if not self.must_wait():
            return True
        self._outgoing.check_open()
        if message is None:
            raise SendBufferFull(send_errors.FRAGMENT_IN_HANDLER)
        self._deferred.append((message[0], bytes(message[1])))
        self._deferred_size += size
        return False

    def _wait_for_room(self, size: int, deadline: float | None) -> None:
        if not self._in_handler():
            self._wait(
                lambda: self._outbox.size >= self._write_limit, size, deadline, accepted=False
            )
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
                remaining = None if deadline is None else deadline - self._now()
                if remaining is not None and remaining <= 0:
                    assert self._timeout is not None
                    if accepted:
                        raise send_errors.not_taken(size, self._outbox.size, self._timeout)
                    raise self.no_room()
                self._room.wait(remaining)

    def no_room(self) -> SendTimeout:
        """What to raise when `waiting` has lasted too long: nothing was sent."""
        assert self._timeout is not None
        return send_errors.no_room(self._outbox.size, self._write_limit, self._timeout)

    # --- writing ------------------------------------------------------------------------------

    def _check_unbroken(self) -> None:
        """The session may not know yet, and what is taken until then would only pile up."""
        if self.error is not None and self._outgoing.is_open:
            raise ConnectionClosed(f"nothing can be sent, the stream broke: {self.error}")

    def _push(self, size: int, deadline: float | None = None) -> None:
        """A frame of this thread was encoded: write it, or leave it to the end of the run.

        `deadline`: the one of a wait before, since one send has one timeout.
        """
        try:
            self._outbox.extend_from(self._outgoing.take)
        except BaseException:
            self._interrupted()
            raise
        if (
            self._corked
            and self._outbox.size < self._write_limit
            and self._in_handler()
            and self._now() < self._corked_until
        ):
            return
        self._write()
        if self._outbox.size > self._write_limit and not self._in_handler():
            self._wait(
                lambda: self._outbox.size > self._write_limit,
                size,
                deadline or self._deadline(),
                accepted=True,
            )

    def _write(self) -> None:
        if self._flushing or self.error is not None:
            # A signal handler came on top of the write below, which will go on with its frames.
            return
        started = self._now()
        self._flushing = True  # and nothing between it and `try`, where Ctrl-C could come
        try:
            done = self._write_out()
        except OSError as error:
            self._break(error)
            return
        except BaseException:
            self._interrupted()
            raise
        finally:
            self._flushing = False
            self.seconds += self._now() - started
        if done == self.blocked:
            self.blocked = not done
            self._on_blocked()
        has_room = self._outbox.size < self._write_limit
        if self._room.is_wanted and (has_room or not self._outgoing.is_open):
            self._room.tell()

    def _write_out(self) -> bool:
        """Write until nothing is left (True) or the kernel takes no more."""
        while True:
            self._outbox.extend_from(self._outgoing.take)
            done = self._outbox.write_to(self._stream) and (
                not self._stream.has_pending_output or self._stream.flush()
            )
            # May release a Pong that was held back.
            self._outgoing.set_congested(self._outbox.size >= self._write_limit)
            if not done or self._outgoing.is_empty:
                return done

    def _interrupted(self) -> None:
        """Ctrl-C between a step and its bookkeeping: nobody knows what was written."""
        self._break(ConnectionAbortedError("a write was interrupted; the stream cannot go on"))

    def _break(self, error: Exception) -> None:
        self.error = error
        self.drop()
        self._on_broken()

    def _end_of_fragments(self) -> None:
        self._fragmenter = None
        while self._deferred:
            opcode, payload = self._deferred.popleft()
            self._outgoing.message(opcode, payload)
        self._deferred_size = 0
        self._room.tell()
