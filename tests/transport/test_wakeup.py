"""A flag that a selector sees, with and without eventfd."""

from __future__ import annotations

import os
import select

import pytest

from tests.moments import at_every_moment
from tieline.transport.wakeup import Wakeup


@pytest.fixture(params=["eventfd", "socketpair"])
def wakeup(request, monkeypatch):
    if request.param == "socketpair":
        monkeypatch.delattr("os.eventfd", raising=False)
    wakeup = Wakeup()
    yield wakeup
    wakeup.close()


def is_set(wakeup):
    return bool(select.select([wakeup.fileno()], [], [], 0)[0])


def test_set_and_clear(wakeup):
    assert not is_set(wakeup)
    wakeup.set()
    wakeup.set()
    assert is_set(wakeup)
    wakeup.clear()
    assert not is_set(wakeup)
    wakeup.clear()
    assert not is_set(wakeup)


def test_set_never_blocks(wakeup):
    for _ in range(100_000):
        wakeup.set()
    assert is_set(wakeup)


def test_it_is_closed_once(wakeup):
    """The number may belong to somebody else by then."""
    number = wakeup.fileno()
    wakeup.close()
    others = os.open(os.devnull, os.O_RDONLY)
    try:
        assert others == number
        wakeup.close()
        del wakeup
        os.fstat(others)
    finally:
        os.close(others)


@pytest.fixture(params=["eventfd", "socketpair"])
def kind(request, monkeypatch):
    if request.param == "socketpair":
        monkeypatch.delattr("os.eventfd", raising=False)


def open_descriptors():
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="Linux shows what is open")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # they close themselves
@pytest.mark.usefixtures("kind")
def test_ctrl_c_loses_no_descriptor():
    """Neither while it is made, nor between that and the assignment, nor while it is closed."""
    before = open_descriptors()
    moments = 0
    for kept, error in at_every_moment(list, lambda kept: kept.append(Wakeup())):
        assert isinstance(error, KeyboardInterrupt)
        error.__traceback__ = None  # it knows the frames, and they what was made
        for wakeup in kept:
            wakeup.close()
        moments += 1
        assert open_descriptors() == before
    for wakeup, error in at_every_moment(Wakeup, Wakeup.close):
        assert isinstance(error, KeyboardInterrupt)
        wakeup.close()
        moments += 1
        assert open_descriptors() == before
    assert moments > 3
