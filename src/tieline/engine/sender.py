# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Messages of any thread → one bounded buffer, in order; what became of those that were noted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tieline.engine import send_errors
from tieline.engine.admission import Admission
from tieline.engine.ledger import NEVER, VAGUE, Entry
from tieline.engine.unsent import NONE_YET, Deferred, Unsent
from tieline.errors import ConnectionClosed, OptionError, SendBufferFull, WebSocketError
from tieline.protocol.big_frame import BIG, BigFrame, is_borrowed
from tieline.protocol.wire import Opcode

Data = bytes | bytearray | memoryview

#: A data frame: opcode, payload, fin.
Fragment = tuple[Opcode, Data, bool]


class Sender(Admission):
    """The write side of a session: encodes what users send. Every public method takes the lock.

    A message that comes with an `Unsent` is noted in the ledger: its receipt is told, and if it is
    kept and did not leave, `take_rest` returns it after the end.
    """

    # --- what users send ----------------------------------------------------------------------

    def message(
        self,
        opcode: Opcode,
        payload: Data,
        compress: bool | None = None,
        unsent: Unsent | None = None,
    ) -> None:
        """Send a whole message. Raises ConnectionClosed, SendTimeout, SendBufferFull."""
        with self._lock:
            deadline: float | None = None
            # Asked first without a call: this is the way of every message.
            if (self.unwritten >= self._write_limit or self._outgoing.is_fragmenting) and (
                self.must_wait()
            ):
                deadline = self._deadline()
                if not self._wait_for_turn(len(payload), deadline):
                    self._defer([unsent or Unsent(opcode, payload, compress, self._now())])
                    return
            if self.error is not None:
                self.check_unbroken()
            if unsent is None and (len(payload) < BIG or not is_borrowed(payload)):
                self._outgoing.message(opcode, payload, compress)
                self._push(len(payload), deadline)
            else:
                self._lend(
                    partial(self._encode, opcode, payload, compress, unsent),
                    len(payload),
                    deadline,
                    unsent,
                )

    def messages(self, run: Sequence[tuple[Opcode, Data]], compress: bool | None = None) -> None:
        """Send small whole messages as `message` does, but write them together."""
        with self._lock:
            size = sum(len(payload) for _, payload in run)
            deadline: float | None = None
            if self.must_wait():
                deadline = self._deadline()
                if not self._wait_for_turn(size, deadline):
                    self._defer([Unsent(*each, compress, self._now()) for each in run])
                    return
            self.check_unbroken()
            for opcode, payload in run:
                self._outgoing.message(opcode, payload, compress)
            self._push(size, deadline)

    def frames(
        self,
        frames: Sequence[Fragment],
        compress: bool = False,
        *,
        waits: bool = True,
        unsent: Unsent | None = None,
    ) -> None:
        """Send data frames of a hand-made message; the thread owns the message until its end.

        `waits=False`: the caller has begun the message, and waits for room no more. `unsent` is
        noted when the last frame is the message's last one.
        """
        with self._lock:
            size = sum(len(payload) for _, payload, _ in frames)
            deadline: float | None = None
            if waits and self.must_wait():
                deadline = self._deadline()
                if not self._wait_for_turn(size, deadline):
                    raise SendBufferFull(send_errors.FRAGMENT_IN_HANDLER)
            self.check_unbroken()
            self._fragmenter = self._caller()
            self._lend(
                partial(self._encode_fragments, frames, compress, unsent),
                size,
                deadline,
                unsent,
                waits=waits,
            )

    def ping(self, data: bytes, token: object) -> None:
        """Send a Ping, between the fragments of a message if need be."""
        with self._lock:
            if self.unwritten >= self._write_limit:
                self._wait_for_room(len(data), self._deadline())
            self.check_unbroken()
            self._outgoing.ping(data, self._now(), token)
            self._push(len(data))

    def pong(self, data: bytes) -> None:
        """Send an unasked Pong."""
        with self._lock:
            if self.unwritten >= self._write_limit:
                self._wait_for_room(len(data), self._deadline())
            self.check_unbroken()
            self._outgoing.pong(data)
            self._push(len(data))

    def check_compression(self, compress: bool | None) -> None:
        """Raise OptionError for `compress=True` where it cannot be had."""
        if compress and self._outgoing.deflater is None:
            self._outgoing.check_open()
            raise OptionError("compress=True: no compression was negotiated on this connection")

    def compresses(self, size: int, compress: bool | None) -> bool:
        """Will a message of so many bytes be compressed?"""
        return self._outgoing.compresses(size, compress)

    # --- what a connection begins with, and what is left at its end ---------------------------

    def greet(self, entries: Sequence[Unsent]) -> None:
        """Send all of them, in order: never waits, whatever `write_limit`.

        Raises ConnectionClosed, and has taken none of them, after the end. What cannot be sent
        because of a Close is left to `take_rest`.
        """
        with self._lock:
            if self.error is not None or self._outgoing.close_info is not None:
                raise ConnectionClosed(
                    "nothing can be sent, the connection has ended", self._outgoing.close_info
                )
            if not entries:
                return
            self._defer(entries)
            try:
                self._send_deferred()
            except BaseException:
                self._interrupted()
                raise
            self._write()

    def mark(self, unsent: Unsent) -> None:
        """Its receipt is told when everything that was sent before is with the kernel.

        Also after this side's Close. Raises ConnectionClosed after the end.
        """
        with self._lock:
            if self._ledger is not None:
                self._ledger.forget_idle()
            self.greet([unsent])

    def drop(self) -> None:
        """The stream is gone: nothing will be written, and nobody needs to wait any more."""
        self._end_ledger(self._deferred)
        self._deferred = NONE_YET
        if self._ledger is not None and self._outgoing.close_info is not None:
            self._ledger.tell(self.error, self._outgoing.close_info)
        Admission.drop(self)

    def take_rest(self) -> list[Unsent]:
        """After `drop`: what is kept and certainly did not arrive, in order; once.

        All other receipts are told by then.
        """
        with self._lock:
            if self._ledger is None:
                return []
            self._ledger.tell(self.error, self._outgoing.close_info)
            return self._ledger.take_rest()

    def abandon_after_fork(self, lock: Any) -> None:
        """In a child process: another thread may have held the lock, and none of them is here."""
        self._lock = lock
        if self._room is not None:
            self._room.abandon_after_fork(lock)
        self._flushing = False
        if self._ledger is not None:
            self._ledger.abandon_after_fork(ConnectionClosed(send_errors.FORKED))
        for unsent in self._deferred:
            unsent.failed(ConnectionClosed(send_errors.FORKED))

    # --- encoding -----------------------------------------------------------------------------

    def _noting(self) -> deque[Entry]:
        """Where to note what is sent."""
        return self._made_ledger().opened()

    def _encode(
        self, opcode: Opcode, payload: Data, compress: bool | None, unsent: Unsent | None
    ) -> BigFrame | None:
        if unsent is None:
            return self._outgoing.message(opcode, payload, compress)
        start = self.written + self.unwritten
        entry = Entry(unsent, start + 1, NEVER)
        big = self._outgoing.message(opcode, payload, compress)
        self._noting().append(entry)
        self._note(entry, start)
        return big

    def _encode_fragments(
        self, frames: Sequence[Fragment], compress: bool, unsent: Unsent | None
    ) -> BigFrame | None:
        start = self.written + self.unwritten
        big: BigFrame | None = None
        try:
            for opcode, payload, fin in frames:
                if big is not None:
                    big.own()
                big = self._outgoing.fragment(opcode, payload, fin, compress)
            if fin and unsent is not None:
                entry = Entry(unsent, start + 1, NEVER)
                self._noting().append(entry)
                self._note(entry, start)
            else:
                self.extend_from(self._outgoing.take)
                self._made_ledger().unknown_until = self.written + self.unwritten
            if fin:
                self._fragmenter = None
                self._send_deferred()
                if self._room is not None:
                    self._room.tell()
        except WebSocketError:
            raise  # refused, and nothing is different
        except BaseException:
            self._interrupted()
            raise
        return big

    def _note(self, entry: Entry, start: int) -> None:
        """What was encoded last, behind `start` bytes of the stream, was the end of it."""
        added = self.extend_from(self._outgoing.take)
        end = self.written + self.unwritten
        if self.is_adding:
            end = VAGUE  # a signal handler, on top of what is not counted yet
            self._made_ledger().has_vague = True
        elif start + added == end:
            entry.low = end
        # Otherwise a signal handler has sent on top of it, before or behind it.
        entry.end = end
        entry.unsent.release()

    def _defer(self, entries: Sequence[Unsent]) -> None:
        for unsent in entries:
            unsent.own()
        size = sum(len(unsent.payload) for unsent in entries)
        if isinstance(self._deferred, tuple):
            fresh = Deferred()
            if not self._deferred:  # a signal handler on top may have been first
                self._deferred = fresh
        self._deferred += entries
        self._deferred.size += size

    def _send_deferred(self) -> None:
        """Encode what had to wait, unless it still has to, or cannot be sent any more."""
        while (deferred := self._deferred) and not self._outgoing.is_fragmenting:
            unsent = deferred[0]
            noted = self._noting()
            if not (unsent.is_mark or self._outgoing.is_open):
                return
            start = self.written + self.unwritten
            # Noted before, as far as is known: Ctrl-C may come at any point of what follows.
            entry = Entry(unsent, start + 1, NEVER)
            size = len(unsent.payload)
            noted += [entry]
            del deferred[0]
            deferred.size -= size
            if unsent.opcode is not None:
                self._outgoing.message(unsent.opcode, unsent.payload, unsent.compress)
            self._note(entry, start)

    def _lend(
        self,
        encode: Callable[[], BigFrame | None],
        size: int,
        deadline: float | None,
        unsent: Unsent | None,
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
            if unsent is not None and unsent.is_kept and not unsent.is_sent:
                unsent.own()

    def _push(self, size: int, deadline: float | None = None, *, waits: bool = True) -> None:
        """A frame of this thread was encoded: write it, or leave it to the end of the run.

        `deadline`: the one of a wait before, since one send has one timeout.
        """
        try:
            self.extend_from(self._outgoing.take)
        except BaseException:
            self._interrupted()
            raise
        if self._corked and self._owner.in_handler() and self._gathers(self._now()):
            return
        self._write()
        if self.unwritten > self._write_limit and waits and not self._owner.in_handler():
            self._wait(self._is_above, size, deadline or self._deadline(), accepted=True)

    def _is_above(self) -> bool:
        return self.unwritten > self._write_limit
