"""Time moves when it is told to, and only on."""

from __future__ import annotations

import pytest

from tieline.testing import ManualClock


def test_it_stands_still():
    clock = ManualClock()
    assert clock.now() == clock.now() == clock()


def test_advance():
    clock = ManualClock(5)
    assert clock.advance(1.5) == 6.5
    assert clock.now() == 6.5
    assert "6.5" in repr(clock)


def test_advance_to_never_goes_back():
    clock = ManualClock(5)
    assert clock.advance_to(7) == 7
    assert clock.advance_to(6) == 7


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_it_never_goes_back(seconds):
    with pytest.raises(ValueError, match="only moves on"):
        ManualClock().advance(seconds)


def test_a_machine_that_sleeps():
    clock = ManualClock(5)
    clock.suspend(3600)
    clock.advance(1)
    assert clock.now() == 6
    assert clock.sleepless() == 3606
    clock.suspend(-3600)
    assert clock.sleepless() == 6
