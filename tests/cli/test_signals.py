"""Signals raise where they come, or where a hold ends, whichever way that is."""

from __future__ import annotations

import signal

import pytest

from tieline.cli import signals
from tieline.cli.signals import Signalled, signals_held, signals_let_through, signals_taken

pytestmark = pytest.mark.usefixtures("hang_ups_are_heard")

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_raises_with_its_number(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Signalled) as caught, signals_taken():
        signal.raise_signal(number)

    assert caught.value.number == number
    assert signal.getsignal(number) is before


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_taken():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_first_of_those_held_raises_at_the_end() -> None:
    told: list[str] = []
    with pytest.raises(Signalled) as caught, signals_taken(), signals_held(lambda: told.append("")):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        told.append("end")

    assert told == ["", "", "end"]
    assert caught.value.number == signal.SIGTERM


def test_a_held_one_prevails_over_an_error_of_the_block() -> None:
    with pytest.raises(Signalled), signals_taken(), signals_held(lambda: None):
        signal.raise_signal(signal.SIGTERM)
        raise EOFError


def test_after_a_hold_they_raise_again() -> None:
    with signals_taken():
        with signals_held(lambda: None):
            pass
        with pytest.raises(Signalled):
            signal.raise_signal(signal.SIGTERM)


def test_a_second_one_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first one waits for may be a terminal that takes no more output."""
    monkeypatch.setattr(signals, "_PATIENCE", -1.0)  # it is over
    reached = False
    with pytest.raises(Signalled), signals_taken(), signals_held(lambda: None):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        reached = True

    assert not reached


def test_let_through_they_raise_at_once_and_are_held_again_after() -> None:
    steps: list[str] = []
    with pytest.raises(Signalled) as caught, signals_taken(), signals_held(lambda: None):
        with pytest.raises(Signalled), signals_let_through():
            signal.raise_signal(signal.SIGINT)
            steps.append("not reached")
        signal.raise_signal(signal.SIGTERM)
        steps.append("held")

    assert steps == ["held"]
    assert caught.value.number == signal.SIGTERM


def test_one_that_is_held_is_let_through_first_of_all() -> None:
    reached = False
    with pytest.raises(Signalled), signals_taken(), signals_held(lambda: None):
        signal.raise_signal(signal.SIGTERM)
        with signals_let_through():
            reached = True

    assert not reached
