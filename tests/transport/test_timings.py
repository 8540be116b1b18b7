"""Seconds of one phase add up, and a phase that nobody was in is not there."""

from __future__ import annotations

import pytest

from tieline.transport.timings import Timings


def test_nothing_is_known_at_first():
    assert Timings().known() == {}


@pytest.mark.parametrize("phase", ["dns", "tcp", "proxy", "tls", "upgrade"])
def test_what_a_phase_takes_adds_up(phase):
    timings = Timings()
    timings.add(phase, 0.0)
    assert timings.known() == {phase: 0.0}
    timings.add(phase, 1.5)
    timings.add(phase, 0.25)
    assert timings.known() == {phase: 1.75}


def test_they_come_in_the_order_of_a_dial():
    timings = Timings()
    timings.end(9.0)
    for phase in ("upgrade", "tls", "proxy", "tcp", "dns"):
        timings.add(phase, 1.0)
    assert list(timings.known()) == ["dns", "tcp", "proxy", "tls", "upgrade", "total"]
    assert timings.known()["total"] == 9.0


def test_no_time_is_charged_to_what_is_no_phase():
    timings = Timings()
    with pytest.raises(ValueError, match="no phase 'lunch'"):
        timings.add("lunch", 1.0)
    assert timings.known() == {}


def test_what_was_given_out_is_its_owners():
    timings = Timings()
    timings.add("tcp", 1.0)
    timings.known().clear()
    assert timings.known() == {"tcp": 1.0}
