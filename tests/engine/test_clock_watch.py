"""ClockWatch: a machine that slept is noticed, and a clock that is wrong kills nobody."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from math import inf

import pytest

from tieline.engine import clock_watch
from tieline.engine.clock_watch import TICK, TOLERANCE, ClockWatch
from tieline.testing import ManualClock

sleepless_clock = clock_watch.sleepless_clock.__wrapped__


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100.0)


@pytest.fixture
def watch(clock: ManualClock) -> Iterator[ClockWatch]:
    watch = ClockWatch(clock.now, clock.sleepless)
    assert watch.looks_at == inf
    watch.begin()
    return watch


def test_it_looks_every_tick(watch: ClockWatch, clock: ManualClock) -> None:
    assert watch.looks_at == clock.now() + TICK
    clock.advance_to(103.0)
    assert watch.look() == 0
    assert watch.looks_at == 103.0 + TICK


def test_a_sleep_is_told_once(watch: ClockWatch, clock: ManualClock) -> None:
    clock.suspend(3600.0)
    assert watch.look() == 3600.0
    clock.advance_to(200.0)
    assert watch.look() == 0


def test_a_clock_that_is_set_back_is_told_too(watch: ClockWatch, clock: ManualClock) -> None:
    """A wrong clock after a sleep may be set any way; a Ping too many does no harm."""
    clock.suspend(-60.0)
    assert watch.look() == -60.0


def test_a_clock_that_is_slewed_is_not(watch: ClockWatch, clock: ManualClock) -> None:
    for _ in range(1000):
        clock.suspend(TOLERANCE)
        assert watch.look() == 0


def test_what_was_before_is_nobodys_business(watch: ClockWatch, clock: ManualClock) -> None:
    clock.suspend(3600.0)
    watch.begin()
    assert watch.look() == 0


def test_a_thread_that_is_held_up_between_the_clocks() -> None:
    """Readings with a long time in between cannot be compared; the next ones can."""
    readings = iter([0.0, 0.0, 1000.0, 1001.0, 1001.0])
    apart = iter([0.0, 500.0, 1007.0])
    watch = ClockWatch(lambda: next(readings), lambda: next(apart))
    watch.begin()
    assert watch.look() == 0
    assert watch.looks_at == 1000.0 + TICK
    assert watch.look() == 6.0


def test_the_real_clocks_agree_while_the_machine_is_awake() -> None:
    clock = sleepless_clock()
    watch = ClockWatch(time.monotonic, clock)
    watch.begin()
    assert watch.look() == 0
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
