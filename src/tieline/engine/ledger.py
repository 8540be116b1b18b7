"""Messages in one connection's buffer → when the kernel has each, and what certainly never left."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from tieline.engine import send_errors
from tieline.engine.unsent import NONE_YET, Queue, Unsent
from tieline.protocol.events import CloseInfo

#: The end of what is not encoded yet: after every byte that a stream will ever have.
NEVER = 1 << 62

#: The end of what is in the buffer, but nobody knows where.
VAGUE = NEVER - 1


class Entry:
    """One message, and where its last byte is in the stream; positions count from its start."""

    __slots__ = ("end", "low", "unsent")

    def __init__(self, unsent: Unsent, low: int, end: int) -> None:
        self.unsent = unsent
        # Its last byte is the one before `end`. When a signal handler sent something on top of it,
        # it is one of those before `low` to `end`.
        self.low = low
        self.end = end


class Ledger:
    """What was asked for: not every message is in here. Guarded by the session's lock."""

    __slots__ = ("_lost", "_rest", "_settled", "entries", "has_ended", "has_vague", "unknown_until")

    def __init__(self) -> None:
        #: In the order of the stream.
        self.entries: Queue[Entry] = NONE_YET
        #: Before this there may be messages that nobody asked for, and that nobody keeps.
        self.unknown_until = 0
        #: There may be entries with a vague end.
        self.has_vague = False
        # The kernel has all bytes before this.
        self._settled = 0
        # After the end of the stream: what certainly did not arrive and is kept; and what has
        # become of those whose receipts are still to be told, and whether it is certain.
        self.has_ended = False
        self._rest: Sequence[Unsent] = ()
        self._lost: Sequence[tuple[Unsent, bool]] = ()

    def opened(self) -> deque[Entry]:
        """`entries`, which can be added to from now on."""
        if isinstance(self.entries, tuple):
            fresh: deque[Entry] = deque()
            if not self.entries:  # a signal handler on top may have been first
                self.entries = fresh
        return self.entries

    def bound(self, end: int) -> None:
        """Those with a vague end are somewhere before this one."""
        self.has_vague = False
        for entry in tuple(self.entries):
            if entry.end == VAGUE:
                entry.end = end

    def settle(self, position: int) -> None:
        """The kernel has all bytes before `position`."""
        if position > self._settled:
            self._settled = position
        entries = self.entries
        while True:
            try:
                entry = entries[0]  # type: ignore[misc]  # none in NONE_YET either
            except IndexError:
                return  # none is left; asked first, a signal handler on top could tell the last one
            if entry.end > position:
                return
            entry.unsent.delivered()
            # Before Ctrl-C it would be told again, and a signal handler may have told the next one.
            if entries and entries[0] is entry:
                del entries[0]

    def forget_idle(self) -> None:
        """Drop the marks for which nobody waits any more."""
        entries = self.entries
        for entry in tuple(entries):
            if entries and entry.unsent.is_idle and entry in entries:
                entries.remove(entry)

    def end(self, reached: int, deferred: Iterable[Unsent]) -> None:
        """The stream is gone. No byte from `reached` on has left, and nothing of `deferred`.

        What lies before `reached`, and is not settled, may or may not have arrived: TLS or the
        event loop had it, or the write was interrupted.
        """
        if self.has_ended:
            return
        rest: list[Unsent] = []
        lost: list[tuple[Unsent, bool]] = []
        is_whole = self.unknown_until <= self._settled
        for entry in tuple(self.entries):  # a signal handler on top may settle some
            unsent = entry.unsent
            if entry.end <= self._settled:
                unsent.delivered()
                continue
            is_certain = unsent.is_mark or entry.low > reached
            # A mark is reached when all before it is: that can only be had with the next connection
            # if each of those goes there as well.
            if unsent.is_kept and is_certain and (is_whole or not unsent.is_mark):
                rest += [unsent]
            else:
                lost += [(unsent, is_certain)]
                is_whole = False
        for unsent in deferred:
            if unsent.is_kept and (is_whole or not unsent.is_mark):
                rest += [unsent]
            else:
                lost += [(unsent, True)]
                is_whole = False
        # Ctrl-C comes before or after all of this.
        self._rest = rest
        self._lost = lost
        self.has_ended = True
        self.entries = NONE_YET

    def tell(self, why: Exception | None, close_info: CloseInfo | None) -> None:
        """Those that wait for what will not be are told: the stream broke, the connection ended."""
        for unsent, is_certain in self._lost:
            if unsent.is_mark:
                unsent.failed(send_errors.not_flushed(why, close_info))
            elif is_certain:
                unsent.failed(send_errors.not_sent(why, close_info))
            else:
                unsent.failed(send_errors.maybe_arrived(why, close_info))
        self._lost = ()

    def take_rest(self) -> list[Unsent]:
        """What certainly did not arrive and is kept for the next connection, in order; once."""
        rest, self._rest = self._rest, ()
        return list(rest)

    def abandon_after_fork(self, error: Exception) -> None:
        """In a child process: what becomes of the parent's messages is not known here."""
        for entry in self.entries:
            entry.unsent.failed(error)
        self.entries = NONE_YET
        self.has_ended = True
