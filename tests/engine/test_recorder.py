"""StatsRecorder: exact sums over connections that come and go."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

from tieline.engine.recorder import StatsRecorder
from tieline.engine.stats import Stats, Traffic


class Counting:
    """A connection's counters."""

    def __init__(self, messages: int) -> None:
        self.messages = messages

    def traffic(self) -> Traffic:
        return Traffic(messages_sent=self.messages, send_seconds=self.messages / 2)


def sent(recorder: StatsRecorder) -> int:
    return recorder.snapshot(0, 0, 0).messages_sent


def test_a_connection_counts_while_it_is_up_and_after() -> None:
    recorder = StatsRecorder()
    one = Counting(3)
    recorder.connected(one)
    assert sent(recorder) == 3
    one.messages = 5
    assert sent(recorder) == 5
    recorder.ended(one)
    assert sent(recorder) == 5
    stats = recorder.snapshot(7, 8, 9)
    assert (stats.connects, stats.queue_depth, stats.buffered_bytes) == (1, 7, 8)
    assert stats.send_seconds == 2.5


def test_one_after_the_other() -> None:
    recorder = StatsRecorder()
    for number in (1, 10, 100):
        one = Counting(number)
        recorder.connected(one)
        recorder.ended(one)
        recorder.ended(one)
        assert sent(recorder) == int("111"[: len(str(number))])
    recorder.reset()
    assert sent(recorder) == 0
    recorder.connected(Counting(1000))
    assert sent(recorder) == 1000


def test_connections_may_overlap() -> None:
    recorder = StatsRecorder()
    old, new = Counting(1), Counting(10)
    recorder.connected(old)
    recorder.connected(new)
    assert sent(recorder) == 11
    recorder.ended(old)
    assert sent(recorder) == 11
    recorder.ended(new)
    assert sent(recorder) == 11
    assert recorder.snapshot(0, 0, 0).connects == 2


def test_reset() -> None:
    recorder = StatsRecorder()
    one = Counting(3)
    recorder.connected(one)
    recorder.round_trip(0.1)
    recorder.reset()
    stats = recorder.snapshot(0, 0, 0)
    assert stats == Stats()
    one.messages = 4
    assert sent(recorder) == 1
    recorder.ended(one)
    assert sent(recorder) == 1
    recorder.reset()
    assert sent(recorder) == 0


def test_latency() -> None:
    recorder = StatsRecorder()
    assert recorder.last_round_trip is None
    assert recorder.snapshot(0, 0, 0).latency.p50 is None
    for number in range(1, 101):
        recorder.round_trip(float(number))
    latency = recorder.snapshot(0, 0, 0).latency
    assert (latency.count, latency.last, latency.min, latency.max) == (100, 100.0, 1.0, 100.0)
    assert round(latency.mean or 0, 9) == 50.5
    assert (latency.p50, latency.p90, latency.p99) == (51.0, 91.0, 100.0)
    assert recorder.last_round_trip == 100.0


def test_percentiles_are_of_the_last_thousand() -> None:
    recorder = StatsRecorder()
    for _ in range(1000):
        recorder.round_trip(100.0)
    for _ in range(1000):
        recorder.round_trip(1.0)
    latency = recorder.snapshot(0, 0, 0).latency
    assert (latency.p99, latency.max, latency.count) == (1.0, 100.0, 2000)


def test_after_a_fork_a_lock_of_another_thread_is_no_matter() -> None:
    recorder = StatsRecorder()
    thread = threading.Thread(target=recorder._lock.acquire)
    thread.start()
    thread.join()
    recorder.abandon_after_fork()
    recorder.round_trip(1.0)
    assert recorder.last_round_trip == 1.0


class Locked(Counting):
    """A connection that is asked while others can have the recorder's lock.

    Whoever holds the connection's may want it: a signal handler on top of a send, for example.
    """

    def __init__(self, lock: Any) -> None:
        super().__init__(1)
        self._lock = lock
        self.looks = 0

    def traffic(self) -> Traffic:
        free: list[bool] = []

        def look() -> None:
            free.append(self._lock.acquire(blocking=False))
            if free[0]:
                self._lock.release()

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert free == [True]
        self.looks += 1
        return super().traffic()


def test_no_connection_is_asked_under_the_lock() -> None:
    asks: tuple[Callable[[StatsRecorder], object], ...] = (sent, StatsRecorder.reset)
    for ask in asks:
        recorder = StatsRecorder()
        lock = recorder._lock
        one = Locked(lock)
        recorder.connected(one)
        ask(recorder)
        recorder.ended(one)
        with lock:  # as the line does
            recorder.connected(Counting(1))
        recorder.settle()
        assert one.looks == 2


def test_what_has_ended_is_let_go_of_when_there_is_another_one() -> None:
    recorder, one = StatsRecorder(), Counting(1)
    gone = weakref.ref(one)
    recorder.settle()
    recorder.connected(one)
    recorder.ended(one)
    recorder.settle()
    recorder.connected(Counting(10))
    assert sent(recorder) == 11
    recorder.settle()
    recorder.settle()
    del one
    gc.collect()
    assert gone() is None
    assert sent(recorder) == 11


def test_connections_that_come_and_go_meanwhile() -> None:
    recorder, first = StatsRecorder(), Counting(1)
    others = [Counting(10), Counting(100)]

    class Changing(Counting):
        def traffic(self) -> Traffic:
            if others:
                other = others.pop()
                recorder.connected(other)
                recorder.ended(other)
            return super().traffic()

    recorder.connected(first)
    changing = Changing(1000)
    recorder.connected(changing)
    assert sent(recorder) == 1111
    others.append(Counting(10000))
    recorder.ended(changing)
    assert sent(recorder) == 11111
    recorder.ended(first)
    recorder.ended(first)
    assert sent(recorder) == 11111
