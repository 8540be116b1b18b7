"""Deadline: one timer for a deadline that keeps moving."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.engine.deadline import Deadline
from tieline.testing import ManualClock, StepReactor
from tieline.testing.memory import memory_streams


class Idle:
    """A connection on which nothing happens but time."""

    def __init__(self, reactor: StepReactor) -> None:
        self.reactor = reactor
        self.stream = memory_streams()[0]

    def on_registered(self) -> None:
        pass


class Noting(Deadline):
    """Notes when it is due."""

    bench: Bench

    def on_due(self) -> None:
        self.bench.fired.append(self.bench.clock.now())


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock(0.0)
        self.reactor = StepReactor(self.clock)
        self.fired: list[float] = []
        session: Any = Idle(self.reactor)
        self.reactor.register(session)
        self.deadline = Noting(session)
        self.deadline.bench = self


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_fires_once(bench: Bench) -> None:
    bench.deadline.set(5.0)
    bench.reactor.advance(20)
    assert bench.fired == [5.0]


def test_it_says_until_when_all_was_read(bench: Bench) -> None:
    """What had come before the moment that it was set for, not before the one when it fires."""
    bench.deadline.set(5.0)
    bench.clock.advance_to(7.0)
    bench.reactor.run_until_idle()
    assert bench.fired == [7.0]
    assert bench.deadline.reached == 5.0


def test_a_later_deadline_leaves_the_timer_where_it_is(bench: Bench) -> None:
    """Received bytes move the keepalive all the time, and that must cost nothing."""
    bench.deadline.set(5.0)
    for later in (6.0, 7.0, 100.0):
        assert bench.deadline.is_covered(later)
        bench.deadline.set(later)
    assert bench.reactor.next_deadline() == 5.0
    bench.reactor.advance(4)
    assert bench.fired == []


def test_an_earlier_deadline_moves_it(bench: Bench) -> None:
    bench.deadline.set(5.0)
    assert not bench.deadline.is_covered(3.0)
    bench.deadline.set(3.0)
    bench.reactor.advance(20)
    assert bench.fired == [3.0]


def test_no_deadline_needs_no_timer(bench: Bench) -> None:
    assert bench.deadline.is_covered(None)
    bench.deadline.set(None)
    assert bench.reactor.next_deadline() is None


def test_after_it_has_fired_or_was_cancelled_it_can_be_set_again(bench: Bench) -> None:
    bench.deadline.set(1.0)
    bench.reactor.advance(2)
    assert not bench.deadline.is_covered(9.0)
    bench.deadline.set(9.0)
    bench.deadline.cancel()
    bench.deadline.cancel()
    assert bench.reactor.next_deadline() is None
    bench.deadline.set(4.0)
    bench.reactor.advance(20)
    assert bench.fired == [1.0, 4.0]
