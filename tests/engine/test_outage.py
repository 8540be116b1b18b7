"""Outage: which URL is dialled next, after which delay."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from tests.causes import answered, ended
from tieline.engine.outage import Outage
from tieline.engine.pause import Pause
from tieline.errors import ConnectError, OptionError
from tieline.protocol.state import State
from tieline.reconnect import Backoff, Cause, GaveUp, Reconnect, ReconnectAttempt
from tieline.testing import ManualClock

SOON = 20.0
URLS = ("ws://one/", "ws://two/?token=secret", "ws://three/")


class Bench:
    """An outage whose delays are their bounds."""

    def __init__(
        self,
        *urls: Any,
        is_first: bool = False,
        goes_on: bool = True,
        retries: Callable[[Cause, object], bool] = lambda cause, driver: True,
        **policy: Any,
    ) -> None:
        self.clock = ManualClock()
        backoff = Backoff(Reconnect(**policy), lambda low, high: high)
        self.urls = urls or URLS[:1]
        self.good = 0
        self.retries = retries
        self.outage = Outage(self, backoff, is_first, goes_on)

    def now(self) -> float:
        return self.clock.now()

    def new_pause(self) -> Pause:
        return Pause()

    def fail(self, text: str = "refused") -> tuple[Any, Any]:
        """A dial that fails: the URL, and what follows."""
        url = self.outage.dialling()
        self.outage.failed(ConnectError(text))
        return url, self.outage.plan

    @property
    def attempt(self) -> ReconnectAttempt:
        assert isinstance(self.outage.plan, ReconnectAttempt)
        return self.outage.plan


def test_a_lost_connection_is_dialled_again_with_growing_delays() -> None:
    bench = Bench()
    info = ended(1006)
    bench.outage.lost(info)
    assert bench.outage.state is State.RECONNECTING
    assert (bench.attempt.number, bench.attempt.delay, bench.attempt.cause) == (1, 1.0, info)
    bench.clock.advance(1.0)
    assert bench.outage.dialling() == URLS[0]
    assert bench.outage.state is State.CONNECTING
    error = ConnectError("refused")
    bench.outage.failed(error)
    assert bench.outage.state is State.RECONNECTING
    assert (bench.attempt.number, bench.attempt.delay, bench.attempt.cause) == (2, 2.0, error)
    assert bench.attempt.downtime == 1.0


def test_a_round_tries_every_url_without_delay() -> None:
    bench = Bench(*URLS)
    bench.outage.lost(ended(1001))
    told = [bench.attempt]
    for url in URLS:
        dialled, plan = bench.fail()
        assert dialled == url
        told.append(plan)
    assert [(plan.number, plan.delay) for plan in told] == [(1, 1.0), (2, 0.0), (3, 0.0), (4, 2.0)]
    assert [plan.url for plan in told] == ["ws://one/", "ws://two/?token=***", *URLS[2::-2]]
    assert bench.outage.rounds == 1


def test_the_last_good_url_comes_first() -> None:
    bench = Bench(*URLS)
    bench.fail()
    assert bench.outage.dialling() == URLS[1]
    bench.outage.opened()
    bench.outage.lost(ended(1001))
    assert [bench.fail()[0] for _ in URLS] == [URLS[1], URLS[0], URLS[2]]


def test_a_round_is_given_up_only_if_nothing_in_it_may_end_better() -> None:
    asked: list[str] = []

    def retries(cause: Any, driver: object) -> bool:
        asked.append(str(cause))
        return str(cause) == "busy"

    bench = Bench(*URLS, retries=retries)
    bench.fail("forbidden"), bench.fail("busy")
    assert isinstance(bench.fail("gone")[1], ReconnectAttempt)
    assert asked == ["forbidden", "busy", "gone"]
    bench.fail("forbidden"), bench.fail("forbidden")
    error = ConnectError("gone")
    bench.outage.dialling()
    bench.outage.failed(error)
    assert isinstance(bench.outage.plan, GaveUp)
    assert bench.outage.plan.cause is error
    *notes, last = error.__notes__
    assert notes == ["before that: forbidden", "before that: forbidden"]
    assert "given up after" in last


def test_the_first_connection_gets_one_round() -> None:
    bench = Bench(*URLS, is_first=True, goes_on=False, max_attempts=1)
    assert bench.outage.state is State.CONNECTING
    for number in (1, 2):
        _, plan = bench.fail()
        assert (plan.number, plan.delay) == (number, 0.0)
        assert bench.outage.state is State.CONNECTING
    assert isinstance(bench.fail()[1], GaveUp)


def test_a_wrong_option_is_wrong_for_every_url() -> None:
    bench = Bench(*URLS, is_first=True, goes_on=False)
    bench.outage.dialling()
    bench.outage.failed(OptionError("no url"))
    assert isinstance(bench.outage.plan, GaveUp)


def test_what_a_response_tells() -> None:
    bench = Bench()
    bench.outage.lost(ended(1006))
    bench.clock.advance(1.0)
    bench.fail()
    bench.clock.advance(2.5)
    bench.outage.dialling()
    response = bench.outage.describe(answered(101).response)
    assert (response.reconnected, response.attempts, response.downtime) == (True, 2, 3.5)
    first = Bench(is_first=True)
    first.outage.dialling()
    first.clock.advance(9.0)
    response = first.outage.describe(answered(101).response)
    assert (response.reconnected, response.attempts, response.downtime) == (False, 1, 0.0)


def test_the_url_of_a_callable_is_not_known_before_it_is_asked() -> None:
    bench = Bench(lambda: "ws://one/")
    bench.outage.lost(ended(1006))
    assert bench.attempt.url == ""


def test_an_outage_that_is_interrupted() -> None:
    bench = Bench()
    bench.outage.interrupt()
    assert bench.outage.is_interrupted
    assert isinstance(bench.outage.pause, Pause)
    assert not bench.outage.pause.wait(1000.0)


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_pause_may_be_interrupted_by_a_finalizer(goes_on: bool) -> None:
    """It takes no lock: the thread that waits may be the very one that collects."""
    bench = Bench(goes_on=goes_on)

    class Owner:
        def __del__(self) -> None:
            bench.outage.interrupt()

    owner = Owner()
    del owner
    assert bench.outage.is_interrupted


def test_it_is_finished_by_who_waits_for_nobody_below_a_signal_handler() -> None:
    """The handler waits for the line's lock, which they hold."""
    came_back = [True]
    for moment in count(1):
        outage = Bench().outage
        left = moment

        def on_event(*_: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                sys.setprofile(None)
                thread = threading.Thread(target=outage.finish, daemon=True)  # noqa: B023
                thread.start()
                thread.join(SOON)
                came_back.append(not thread.is_alive())

        sys.setprofile(on_event)
        try:
            outage.wait_until_finished(0.0)
        finally:
            sys.setprofile(None)
        if left > 0 or not came_back[-1]:
            break
    assert came_back == [True] * moment and moment > 5


def test_those_who_wait_until_it_is_finished() -> None:
    outage = Bench().outage
    assert not outage.wait_until_finished(0.0)
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda: results.append(outage.wait_until_finished(SOON)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    outage.finish()
    for thread in threads:
        thread.join(SOON)
    outage.finish()
    assert results == [True, True] and outage.wait_until_finished(0.0)
