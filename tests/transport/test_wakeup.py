"""A flag that a selector sees, with and without eventfd."""

from __future__ import annotations

import os
import select

import pytest

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


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="sockets close themselves")
def test_it_is_closed_once(monkeypatch):
    closed = []
    wakeup = Wakeup()
    descriptor = wakeup.fileno()
    close = os.close
    monkeypatch.setattr(os, "close", lambda number: (closed.append(number), close(number)))
    wakeup.close()
    wakeup.close()
    assert closed == [descriptor]
