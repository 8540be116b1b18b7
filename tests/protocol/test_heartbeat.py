"""The application's heartbeat by hand: when it is due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.protocol.heartbeat import Heartbeat


def started(interval: float | None = 30.0) -> Heartbeat:
    heartbeat = Heartbeat(interval)
    heartbeat.start(100.0)
    return heartbeat


def test_off() -> None:
    heartbeat = started(None)
    assert heartbeat.due_at is None
    assert not heartbeat.is_due(1e9)


def test_not_before_the_connection_is_open() -> None:
    heartbeat = Heartbeat(30.0)
    assert heartbeat.due_at is None
    assert not heartbeat.is_due(1e9)


def test_the_first_is_due_one_interval_after_the_open() -> None:
    heartbeat = started()
    assert heartbeat.due_at == 130.0
    assert not heartbeat.is_due(129.999)
    assert heartbeat.is_due(130.0)
    assert not heartbeat.is_due(130.0)


def test_small_delays_do_not_add_up() -> None:
    heartbeat = started()
    for number in range(1, 1000):
        assert heartbeat.due_at == 100.0 + 30.0 * number
        assert heartbeat.is_due(heartbeat.due_at + 0.1)


@pytest.mark.parametrize("late", [30.0, 31.0, 1e6])
def test_missed_ones_are_not_made_up_for(late: float) -> None:
    heartbeat = started()
    assert heartbeat.is_due(130.0 + late)
    assert heartbeat.due_at == 160.0 + late


@given(st.floats(0.01, 1e3), st.lists(st.floats(0.0, 1e4), max_size=50))
def test_never_two_at_once(interval: float, pauses: list[float]) -> None:
    heartbeat = Heartbeat(interval)
    heartbeat.start(0.0)
    now = 0.0
    for pause in pauses:
        now += pause
        heartbeat.is_due(now)
        assert not heartbeat.is_due(now)
        assert heartbeat.due_at is not None
        assert now < heartbeat.due_at <= now + interval
