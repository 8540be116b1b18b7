# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Connections that come and go → one picture of what a client has done."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from tieline.engine.locks import ReentrantLock
from tieline.engine.stats import COUNTERS, NO_LATENCY, NO_TRAFFIC, Latency, Stats

if TYPE_CHECKING:
    from tieline.engine.stats import Traffic

#: Round trips that the percentiles are taken from: the last so many.
_WINDOW = 1000


class Counting(Protocol):
    """A connection."""

    def traffic(self) -> Traffic:
        """What it has counted so far."""


class _Further:
    """What most lines never count."""

    __slots__ = (
        "dropped", "ended", "latency", "offline_dropped", "reconnects", "round_trips", "zero",
    )  # fmt: skip

    def __init__(self) -> None:
        #: Of the connections that were put down, and what is taken off since a `reset`.
        self.ended = self.zero = NO_TRAFFIC
        self.reconnects = self.dropped = self.offline_dropped = 0
        #: None before the first.
        self.round_trips: deque[float] | None = None
        self.latency = NO_LATENCY


# Only read, where there is none yet.
_NOTHING = _Further()


class StatsRecorder:
    """Adds up a client's connections. Any thread.

    Its lock is held for moments, and no other one is waited for under it: a signal handler may ask
    for statistics on top of whatever holds the reactor's or a connection's lock, which the line's
    waits for. So that cannot be this one, and a connection is asked for its counters before.
    """

    def __init__(self) -> None:
        self._lock = ReentrantLock()
        # Each connection that is up, or is `_last`. Another one may come up before one has ended.
        self._present: tuple[Counting, ...] = ()
        # It has ended with no other one up, and counts no more: what it has counted is put down
        # when there is another one. Mostly there never is, and nobody ever asks for the sum.
        self._last: Counting | None = None
        self._connects = 0
        self._further: _Further | None = None

    def connected(self, connection: Counting, replaces: bool = False) -> None:
        """A connection came about; it tells its counters at any time. The caller may hold locks.

        `replaces`: it is not the first one. Afterwards, without any lock: `settle`.
        """
        with self._lock:
            self._connects += 1
            if replaces:
                self._made().reconnects += 1
            self._present = self._present + (connection,)  # which needs no list

    def settle(self) -> None:
        """Put down what `_last` has counted, if another connection came about since it ended."""
        last = self._last
        present = self._present
        if last is not None and (len(present) != 1 or present[0] is not last):
            self._put_down(last)
            if self._last is last:  # no call before the next line
                self._last = None

    def ended(self, connection: Counting) -> None:
        """That connection has ended, and counts no more. A second call for it does nothing."""
        with self._lock:
            present = self._present
            if len(present) == 1 and present[0] is connection:
                self._last = connection
                return
        self._put_down(connection)

    def _put_down(self, connection: Counting) -> None:
        while connection in self._present:
            counted = connection.traffic()
            with self._lock:
                further, present = self._made(), self._present
                ended = further.ended
                total = counted if ended is NO_TRAFFIC else ended.plus(counted)
                others = tuple([each for each in present if each is not connection])
                # No other thread was faster, and no signal handler has come on top.
                is_same = self._further is further and further.ended is ended
                if len(others) < len(present) and is_same and self._present is present:
                    further.ended, self._present = total, others

    def _made(self) -> _Further:
        """With the lock held."""
        fresh = _Further() if self._further is None else self._further
        if self._further is None:  # no signal handler comes in before the next line
            self._further = fresh
        return self._further

    def dropped(self, count: int) -> None:
        """Messages came that nobody will get."""
        with self._lock:
            self._made().dropped += count

    def offline_dropped(self, count: int) -> None:
        """Messages for the next connection will not be sent."""
        with self._lock:
            self._made().offline_dropped += count

    def round_trip(self, seconds: float) -> None:
        """A Ping was answered."""
        with self._lock:
            further = self._made()
            old = further.latency
            count = old.count + 1
            if further.round_trips is None:
                further.round_trips = deque(maxlen=_WINDOW)
            further.round_trips.append(seconds)
            further.latency = Latency(
                count=count,
                last=seconds,
                min=seconds if old.min is None else min(old.min, seconds),
                mean=seconds if old.mean is None else old.mean + (seconds - old.mean) / count,
                max=seconds if old.max is None else max(old.max, seconds),
            )

    @property
    def last_round_trip(self) -> float | None:
        """Seconds, or None before the first answered Ping."""
        return (self._further or _NOTHING).latency.last

    def snapshot(self, queue_depth: int, buffered_bytes: int, offline_queued: int) -> Stats:
        """The picture now."""
        while True:
            present = self._present
            counted = _counters_of(present)
            with self._lock:
                if self._present is present:  # nobody has come or gone meanwhile
                    further = self._further or _NOTHING
                    traffic = further.ended.plus(counted).plus(further.zero, -1)
                    latency = _with_percentiles(further)
                    numbers = {
                        "connects": self._connects,
                        "reconnects": further.reconnects,
                        "dropped": further.dropped,
                        "offline_dropped": further.offline_dropped,
                    }
                    break
        return Stats(
            **{name: getattr(traffic, name) for name in COUNTERS},
            **numbers,
            offline_queued=offline_queued,
            queue_depth=queue_depth,
            buffered_bytes=buffered_bytes,
            latency=latency,
        )

    def reset(self) -> None:
        """Count from zero; what the present connections have counted so far is taken off."""
        while True:
            present = self._present
            counted = _counters_of(present)
            with self._lock:
                fresh = _Further()
                fresh.zero = counted
                if self._present is present:  # as above
                    self._connects = 0
                    self._further = fresh
                    return

    def abandon_after_fork(self) -> None:
        """In a child process: another thread may have held the lock."""
        self._lock = ReentrantLock()


def _with_percentiles(further: _Further) -> Latency:
    latency = further.latency
    if further.round_trips is None:
        return latency
    ordered = sorted(further.round_trips)

    def percentile(part: float) -> float:
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    return Latency(
        count=latency.count,
        last=latency.last,
        min=latency.min,
        mean=latency.mean,
        max=latency.max,
        p50=percentile(0.50),
        p90=percentile(0.90),
        p99=percentile(0.99),
    )


def _counters_of(connections: tuple[Counting, ...]) -> Traffic:
    total = NO_TRAFFIC
    for connection in connections:
        total = total.plus(connection.traffic())
    return total
