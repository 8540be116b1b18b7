"""ClockTicks: the clocks are looked at as long as the loop serves somebody.

`LoopTimer` is tested where it is made, in test_loop_reactor.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tieline.aio.loop_timers import ClockTicks
from tieline.engine.clock_watch import ClockWatch
from tieline.testing import ManualClock


class One:
    def __init__(self) -> None:
        self.told: list[float] = []
        self.on_told: Callable[[], None] = lambda: None

    def slept(self, seconds: float) -> None:
        self.told.append(seconds)
        self.on_told()


class Loop:
    """Timers by hand."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, Callable[[], None], One]] = []

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Any:
        timer = asyncio.TimerHandle(seconds, callback, (), self)  # type: ignore[arg-type]
        self.timers.append(timer)  # type: ignore[arg-type]
        return timer

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        raise context["exception"]

    def _timer_handle_cancelled(self, timer: Any) -> None:
        if timer in self.timers:
            self.timers.remove(timer)


class Reactor:
    def __init__(self) -> None:
        self.clock = ManualClock(100.0)
        self.now = self.clock.now
        self.clocks = ClockWatch(self.clock.now, self.clock.sleepless)
        self.loop = Loop()
        self.served = [One(), One()]

    def registrants(self) -> list[One]:
        return list(self.served)

    def call(self, registrant: One, callback: Callable[[], None]) -> None:
        callback()

    def fire(self) -> None:
        [timer] = self.loop.timers
        self.loop.timers.clear()
        self.clock.advance_to(self.clock.now() + timer.when())  # type: ignore[attr-defined]
        timer._run()  # type: ignore[attr-defined]


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def ticks(reactor: Any) -> ClockTicks:
    return ClockTicks(reactor)


def test_a_sleep_is_told_at_the_next_tick(reactor: Reactor, ticks: ClockTicks) -> None:
    for _ in range(3):
        ticks.begin()  # one timer for all
    reactor.fire()
    assert [one.told for one in reactor.served] == [[], []]
    reactor.clock.suspend(3600.0)
    reactor.fire()
    assert [one.told for one in reactor.served] == [[3600.0], [3600.0]]
    ticks.end()
    assert reactor.loop.timers == []
    ticks.end()


def test_a_look_in_between_is_told_once(reactor: Reactor, ticks: ClockTicks) -> None:
    ticks.begin()
    reactor.clock.suspend(60.0)
    ticks.look()
    reactor.fire()
    assert [one.told for one in reactor.served] == [[60.0], [60.0]]


def test_who_was_told_has_ended(reactor: Reactor, ticks: ClockTicks) -> None:
    """And was the last one."""
    ticks.begin()
    reactor.served[1].on_told = ticks.end
    reactor.clock.suspend(60.0)
    reactor.fire()
    assert reactor.loop.timers == []


def test_it_goes_on_after_ctrl_c(reactor: Reactor, ticks: ClockTicks) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    ticks.begin()
    reactor.served[0].on_told = interrupted
    reactor.clock.suspend(60.0)
    with pytest.raises(KeyboardInterrupt):
        reactor.fire()
    assert len(reactor.loop.timers) == 1
