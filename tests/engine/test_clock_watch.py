"""ClockWatch: a machine that slept is noticed, and a clock that is wrong kills nobody."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from tieline.engine.clock_watch import TICK, TOLERANCE, ClockWatch, sleepless_clock
from tieline.testing import ManualClock


class Line:
    """Somebody with a line, and timers by hand."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.is_over = False
        self.told: list[float] = []

    def slept(self, seconds: float) -> None:
        self.told.append(seconds)

    def look_later(self, seconds: float, look: Callable[[], None]) -> Callable[[], None]:
        timer = (self._bench.clock.now() + seconds, self, look)
        self._bench.timers.append(timer)

        def take_back() -> None:
            if timer in self._bench.timers:
                self._bench.timers.remove(timer)

        return take_back

    def soon(self, function: Callable[[], None]) -> None:
        self._bench.calls.append((self, function))


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock(100.0)
        self.timers: list[tuple[float, Line, Callable[[], None]]] = []
        self.calls: list[tuple[Line, Callable[[], None]]] = []
        self.watch = ClockWatch(self.clock.now, self.clock.sleepless)

    def line(self) -> Line:
        one = Line(self)
        self.watch.join(one)
        return one

    def advance(self, seconds: float) -> None:
        """Let awake time pass, and make the calls that are due; not for those who are over."""
        end = self.clock.now() + seconds
        while True:
            while self.calls:
                line, function = self.calls.pop(0)
                if not line.is_over:
                    function()
            due = min((timer for timer in self.timers), key=lambda timer: timer[0], default=None)
            if due is None or due[0] > end:
                break
            self.timers.remove(due)
            self.clock.advance_to(due[0])
            if not due[1].is_over:
                due[2]()
        self.clock.advance_to(end)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_sleep_is_told_within_a_tick(bench: Bench) -> None:
    lines = [bench.line() for _ in range(3)]
    bench.advance(100.0)
    assert [line.told for line in lines] == [[], [], []]
    bench.clock.suspend(3600.0)
    bench.advance(TICK)
    assert [line.told for line in lines] == [[3600.0]] * 3
    bench.advance(100.0)
    assert [len(line.told) for line in lines] == [1, 1, 1]


def test_one_wake_up_for_all(bench: Bench) -> None:
    for _ in range(100):
        bench.line()
    assert len(bench.timers) == 1
    bench.advance(3 * TICK)
    assert len(bench.timers) == 1


def test_a_look_by_hand_is_told_at_once_and_once(bench: Bench) -> None:
    line = bench.line()
    bench.clock.suspend(60.0)
    bench.watch.look()
    bench.watch.look()
    assert line.told == [60.0]


def test_a_clock_that_is_set_back_is_told_too(bench: Bench) -> None:
    """A wrong clock after a sleep may be set any way; a Ping too many does no harm."""
    line = bench.line()
    bench.clock.suspend(-60.0)
    bench.advance(TICK)
    assert line.told == [-60.0]


def test_a_clock_that_is_slewed_is_not(bench: Bench) -> None:
    line = bench.line()
    for _ in range(1000):
        bench.clock.suspend(TOLERANCE)
        bench.advance(TICK)
    assert line.told == []


def test_what_was_before_the_first_line_is_nobodys_business(bench: Bench) -> None:
    bench.line().is_over = True
    bench.clock.suspend(3600.0)
    line = bench.line()
    bench.advance(TICK)
    assert line.told == []


def test_looks_end_with_the_last_line(bench: Bench) -> None:
    line = bench.line()
    bench.watch.leave(line)
    bench.watch.leave(line)
    assert bench.timers == []
    bench.clock.suspend(3600.0)
    bench.watch.look()
    assert line.told == []


def test_the_looks_go_on_when_their_bearer_leaves(bench: Bench) -> None:
    first, second, third = (bench.line() for _ in range(3))
    for gone in (first, third):
        gone.is_over = True
        bench.watch.leave(gone)
    bench.clock.suspend(60.0)
    bench.advance(TICK)
    assert len(bench.timers) == 1
    assert second.told == [60.0] and first.told == third.told == []


def test_a_bearer_that_is_over_without_leaving(bench: Bench) -> None:
    """In a child process after a fork nobody leaves; and an end may be half made."""
    first, second = bench.line(), bench.line()
    first.is_over = True
    third = bench.line()
    bench.clock.suspend(60.0)
    bench.advance(TICK)
    assert second.told == third.told == [60.0] and first.told == []
    bench.watch.leave(first)
    bench.clock.suspend(60.0)
    bench.advance(TICK)
    assert third.told == [60.0, 60.0]


def test_a_thread_that_is_held_up_between_the_clocks(bench: Bench) -> None:
    """Two readings with a pause in between cannot be compared."""
    readings = iter([0.0, 0.0, 0.0, 1000.0, 1000.0, 1000.0])
    watch = ClockWatch(lambda: next(readings), lambda: 0.0, tick=None)
    line = Line(bench)
    watch.join(line)
    watch.look()
    assert line.told == []


def test_without_a_tick_nothing_is_timed(bench: Bench) -> None:
    watch = ClockWatch(bench.clock.now, bench.clock.sleepless, tick=None)
    line = Line(bench)
    watch.join(line)
    assert bench.timers == []
    bench.clock.suspend(60.0)
    watch.look()
    assert line.told == [60.0]


def test_the_real_clocks_agree_while_the_machine_is_awake(bench: Bench) -> None:
    clock = sleepless_clock()
    watch = ClockWatch(time.monotonic, clock, tick=None)
    line = Line(bench)
    watch.join(line)
    watch.look()
    assert line.told == []
    assert clock() <= clock()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux names this clock so")
def test_a_sandbox_that_refuses_a_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock is there always."""

    def refuse(clock: int) -> float:
        raise OSError(22, "Invalid argument")

    with monkeypatch.context() as patch:
        patch.setattr(time, "clock_gettime", refuse)
        assert sleepless_clock() is time.time
    with monkeypatch.context() as patch:
        patch.delattr(time, "CLOCK_BOOTTIME")
        assert sleepless_clock() is time.time
    assert sleepless_clock() is not time.time
