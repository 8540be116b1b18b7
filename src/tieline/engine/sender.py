"""Messages of any thread → one bounded buffer: who may add to it, who waits, who is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from tieline.engine import send_errors
from tieline.engine.holding import is_held_by_caller
from tieline.engine.room import Room
from tieline.engine.writer import Writer
from tieline.errors import OptionError, SendBufferFull, SendTimeout, WebSocketError
from tieline.protocol.big_frame import BIG, BigFrame, is_borrowed
from tieline.protocol.outgoing import Outgoing
from tieline.protocol.wire import Opcode
from tieline.transport.stream import Stream

Data = bytes | bytearray | memoryview

#: A data frame: opcode, payload, fin.
Fragment = tuple[Opcode, Data, bool]


class Sender(Writer):
    """The write side of a session: encodes what users send, and waits for room where it must.

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
        super().__init__(
            outgoing,
            stream,
            Room(lock),
            write_limit=write_limit,
            now=now,
            on_blocked=on_blocked,
            on_broken=on_broken,
        )
        self._lock = lock
        self._timeout = timeout
        self._in_handler = in_handler
        self._caller = caller
        self._on_waited = on_waited
        # The thread or task whose fragmented message is half sent.
        self._fragmenter: object = None
        # Whole messages that handlers sent meanwhile: they must not wait, so these do.
        self._deferred: deque[tuple[Opcode, bytes, bool | None]] = deque()
        self._deferred_size = 0

    # --- what users send ----------------------------------------------------------------------

    def message(self, opcode: Opcode, payload: Data, compress: bool | None = None) -> None:
        """Send a whole message. Raises ConnectionClosed, SendTimeout, SendBufferFull."""
        with self._lock:
            deadline: float | None = None
            # Asked first without a call: this is the way of every message.
            if (self._outbox.size >= self._write_limit or self._outgoing.is_fragmenting) and (
                self.must_wait()
            ):
                deadline = self._deadline()
                if not self._wait_for_turn((opcode, payload, compress), len(payload), deadline):
                    return
            if self.error is not None:
                self._check_unbroken()
            if len(payload) < BIG or not is_borrowed(payload):
                self._outgoing.message(opcode, payload, compress)
                self._push(len(payload), deadline)
            else:
                self._lend(
                    partial(self._outgoing.message, opcode, payload, compress),
                    len(payload),
                    deadline,
                )

    def frames(
        self, frames: Sequence[Fragment], compress: bool = False, *, waits: bool = True
    ) -> None:
        """Send data frames of a hand-made message; the thread owns the message until its end.

        `waits=False`: the caller has begun the message, and waits for room no more.
        """
        with self._lock:
            size = sum(len(payload) for _, payload, _ in frames)
            deadline: float | None = None
            if waits and self.must_wait():
                deadline = self._deadline()
                self._wait_for_turn(None, size, deadline)
            self._check_unbroken()
            self._fragmenter = self._caller()
            self._lend(lambda: self._encode(frames, compress), size, deadline, waits=waits)

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

    def drop(self) -> None:
        """The stream is gone: nothing will be written, and nobody needs to wait any more."""
        self._deferred.clear()
        self._deferred_size = 0
        super().drop()

    def abandon_after_fork(self, lock: Any) -> None:
        """In a child process: another thread may have held the lock, and none of them is here."""
        self._lock = lock
        self._room.abandon_after_fork(lock)
        self._flushing = False

    @property
    def is_locked_by_caller(self) -> bool:
        """Does the calling thread hold the lock already?"""
        return is_held_by_caller(self._lock)

    @property
    def buffered(self) -> int:
        """Bytes that wait for the kernel."""
        return self._outbox.size + self._deferred_size

    # --- waiting ------------------------------------------------------------------------------

    def must_wait(self) -> bool:
        """Would a data frame of the caller have to wait?"""
        return self._outbox.size >= self._write_limit or (
            self._outgoing.is_fragmenting and not self.is_mid_message
        )

    def check_compression(self, compress: bool | None) -> None:
        """Raise OptionError for `compress=True` where it cannot be had."""
        if compress and self._outgoing.deflater is None:
            self._outgoing.check_open()
            raise OptionError("compress=True: no compression was negotiated on this connection")

    def compresses(self, size: int, compress: bool | None) -> bool:
        """Will a message of so many bytes be compressed?"""
        return self._outgoing.compresses(size, compress)

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
        self, message: tuple[Opcode, Data, bool | None] | None, size: int, deadline: float | None
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
        opcode, payload, compress = message
        self._deferred.append((opcode, bytes(payload), compress))
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
                remaining = self.patience(deadline)
                if remaining is None or remaining > 0:
                    self._room.wait(remaining)
                    continue
                # A kernel reports room only when there is plenty: a slow peer may have made some.
                written = self._outbox.written
                self._write()
                if self._outbox.written == written and self.error is None:
                    raise self.not_taken(size) if accepted else self.no_room()

    def patience(self, deadline: float | None) -> float | None:
        """Seconds until a wait has failed that began with this deadline.

        A peer that takes bytes puts it off, however slowly it does. Not when there is room: then
        it is another message's end that is waited for.
        """
        if deadline is None or self._timeout is None:
            return None
        if self._outbox.size >= self._write_limit:
            deadline = max(deadline, self.taken_at + self._timeout)
        return deadline - self._now()

    def not_taken(self, size: int) -> SendTimeout:
        """What to raise when `waiting` has lasted too long, and the message is in the buffer."""
        assert self._timeout is not None
        return send_errors.not_taken(size, self._outbox.size, self._timeout)

    def no_room(self) -> SendTimeout:
        """What to raise when `waiting` has lasted too long: nothing was sent."""
        assert self._timeout is not None
        return send_errors.no_room(self._outbox.size, self._write_limit, self._timeout)

    # --- encoding -----------------------------------------------------------------------------

    def _encode(self, frames: Sequence[Fragment], compress: bool) -> BigFrame | None:
        big: BigFrame | None = None
        try:
            for opcode, payload, fin in frames:
                if big is not None:
                    big.own()
                big = self._outgoing.fragment(opcode, payload, fin, compress)
            if fin:
                self._end_of_fragments()
        except WebSocketError:
            raise  # refused, and nothing is different
        except BaseException:
            self._interrupted()
            raise
        return big

    def _lend(
        self,
        encode: Callable[[], BigFrame | None],
        size: int,
        deadline: float | None,
        *,
        waits: bool = True,
    ) -> None:
        """`encode` and `_push` a frame that may refer to memory of the caller's until it returns.

        A sender that waits until there is room has next to nothing to copy then.
        """
        big: BigFrame | None = None
        encoded = False
        try:
            big = encode()
            encoded = True
            self._push(size, deadline, waits=waits)
        except WebSocketError:
            raise
        except BaseException:
            if not encoded:
                self._interrupted()  # there may be one that nobody knows of
            raise
        finally:
            if big is not None:
                try:
                    big.own()
                except BaseException:
                    self._interrupted()
                    raise

    def _push(self, size: int, deadline: float | None = None, *, waits: bool = True) -> None:
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
        if self._outbox.size > self._write_limit and waits and not self._in_handler():
            self._wait(self._is_above, size, deadline or self._deadline(), accepted=True)

    def _is_above(self) -> bool:
        return self._outbox.size > self._write_limit

    def _end_of_fragments(self) -> None:
        self._fragmenter = None
        while self._deferred:
            opcode, payload, compress = self._deferred.popleft()
            self._outgoing.message(opcode, payload, compress)
        self._deferred_size = 0
        self._room.tell()
