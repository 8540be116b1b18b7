"""PingWaiter: resolved once, or given up."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.refusals import NO_SECONDS
from tieline.engine.pings import PingWaiter
from tieline.errors import ConnectionClosed, OptionError


@pytest.fixture
def waiter() -> PingWaiter:
    return PingWaiter(lambda: False)


def test_resolved(waiter: PingWaiter) -> None:
    assert not waiter.done
    waiter.resolve(0.25)
    assert waiter.done
    assert waiter.wait() == waiter.wait(0) == 0.25
    waiter.give_up(ConnectionClosed("late"))
    assert waiter.wait() == 0.25


def test_resolved_from_another_thread(waiter: PingWaiter) -> None:
    thread = threading.Thread(target=waiter.resolve, args=(0.5,))
    thread.start()
    assert waiter.wait(5) == 0.5
    thread.join()


def test_timing_out_can_be_tried_again(waiter: PingWaiter) -> None:
    with pytest.raises(TimeoutError, match="no Pong within 0.001 s"):
        waiter.wait(0.001)
    waiter.resolve(1.0)
    assert waiter.wait(0) == 1.0


def test_given_up(waiter: PingWaiter) -> None:
    error = ConnectionClosed("over")
    waiter.give_up(error)
    for _ in range(2):
        with pytest.raises(ConnectionClosed) as caught:
            waiter.wait()
        assert caught.value is error


def test_where_waiting_would_never_end() -> None:
    waiter = PingWaiter(lambda: True)
    with pytest.raises(RuntimeError, match="on_pong"):
        waiter.wait(1)
    waiter.resolve(0.1)
    assert waiter.wait() == 0.1


@pytest.mark.parametrize("value", NO_SECONDS)
def test_what_is_no_timeout_is_refused_also_when_the_pong_is_there(
    waiter: PingWaiter, value: Any
) -> None:
    for _ in range(2):
        with pytest.raises(OptionError, match="timeout: expected seconds"):
            waiter.wait(value)
        waiter.resolve(1.0)
