"""What a user says of reconnecting, how long to wait for an attempt, and when it is enough."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.causes import RESET, WALL, answered, date, ended
from tests.refusals import URL, Stranger, refusal
from tieline.errors import OptionError
from tieline.options import Options
from tieline.reconnect import Backoff, GaveUp, Reconnect, ReconnectAttempt, default_retry

# --- what a user says


def test_defaults() -> None:
    policy = Reconnect()
    assert (policy.initial, policy.max_delay, policy.multiplier) == (1.0, 30.0, 2.0)
    assert policy.jitter is True and policy.initial_connect is False
    assert policy.max_attempts is policy.max_time is policy.retry is None
    assert (policy.stable_after, policy.max_retry_after) == (10.0, 300.0)


@pytest.mark.parametrize(
    ("field", "given_value", "stored"),
    [
        ("initial", 5, 5.0),
        ("max_delay", 0.01, 0.01),
        ("multiplier", 1, 1.0),
        ("jitter", False, False),
        ("max_attempts", 1, 1),
        ("max_attempts", None, None),
        ("max_time", 60, 60.0),
        ("max_time", None, None),
        ("stable_after", 0, 0.0),
        ("max_retry_after", 0, 0.0),
        ("retry", default_retry, default_retry),
        ("retry", None, None),
        ("initial_connect", True, True),
    ],
)
def test_what_is_accepted(field: str, given_value: Any, stored: Any) -> None:
    policy = Reconnect(**{field: given_value})
    assert getattr(policy, field) == stored
    assert type(getattr(policy, field)) is type(stored)
    assert pickle.loads(pickle.dumps(policy)) == policy and hash(policy) == hash(policy)


async def decide_later(cause: object) -> bool:
    return True


SPAN: list[Any] = [True, "1", None, -1, float("nan"), float("inf"), 10**9, Stranger()]
REFUSED: dict[str, list[Any]] = {
    "initial": [0, *SPAN],
    "max_delay": [0, *SPAN],
    "multiplier": [0.99, 0, 1e7, *SPAN],
    "jitter": [0, 1, None, "full"],
    "max_attempts": [0, -1, True, 1.5, "3"],
    "max_time": [0, -1, True, "3", float("inf")],
    "stable_after": SPAN,
    "max_retry_after": SPAN,
    "retry": [True, "always", decide_later, bool],
    "initial_connect": [0, 1, None, "yes"],
}


@pytest.mark.parametrize(
    ("field", "wrong"), [(field, wrong) for field, values in REFUSED.items() for wrong in values]
)
def test_what_is_refused_names_field_value_and_what_is_accepted(field: str, wrong: Any) -> None:
    with pytest.raises(OptionError) as caught:
        Reconnect(**{field: wrong})
    text = str(caught.value)
    assert text.startswith(f"option 'Reconnect.{field}': expected ")
    assert f"got {type(wrong).__name__}" in text
    if type(wrong) in (int, float):
        assert str(wrong) in text


def test_it_holds_still_and_shows_what_was_given() -> None:
    policy = Reconnect(initial=2, retry=default_retry, max_attempts=5)
    with pytest.raises(AttributeError):
        policy.initial = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        Reconnect(1.0)  # type: ignore[misc]
    assert repr(policy) == (
        "Reconnect(initial=2.0, max_attempts=5, retry=tieline.retry_rules.default_retry)"
    )
    assert repr(Reconnect()) == "Reconnect()"


def test_the_option_says_what_was_probably_meant() -> None:
    assert Options(url=URL).reconnect is None
    assert "max_attempts" in refusal(URL, reconnect=5)
    assert "give an instance" in refusal(URL, reconnect=Reconnect)


def test_the_predicate_decides_in_place_of_the_default_rules() -> None:
    asked: list[Any] = []

    def never(cause: Any) -> Any:
        asked.append(cause)
        return 0

    assert Reconnect(retry=never).retries(RESET) is False and asked == [RESET]
    assert Reconnect().retries(RESET) is True
    normal = ended(1000)
    assert Reconnect().retries(normal) is False
    assert Reconnect(retry=lambda cause: cause is normal).retries(normal) is True
    with pytest.raises(ZeroDivisionError):
        Reconnect(retry=lambda cause: 1 // 0).retries(RESET)


# --- delays


def most(low: float, high: float) -> float:
    return high


def backoff(**fields: Any) -> Backoff:
    """One that draws the longest delay."""
    return Backoff(Reconnect(**fields), most)


def plan(of: Backoff, now: float = 0.0, cause: Any = RESET, **how: Any) -> ReconnectAttempt:
    result = of.next(cause, now, WALL, **{"retry": True, **how})
    assert isinstance(result, ReconnectAttempt), result
    return result


def end(of: Backoff, now: float = 0.0, cause: Any = RESET, **how: Any) -> GaveUp:
    result = of.next(cause, now, WALL, **{"retry": True, **how})
    assert isinstance(result, GaveUp), result
    return result


def test_delays_double_up_to_their_bound() -> None:
    of = backoff()
    of.lost(0.0)
    delays = [plan(of).delay for _ in range(8)]
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_jitter_draws_from_all_of_it() -> None:
    asked: list[tuple[float, float]] = []

    def least(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    of = Backoff(Reconnect(initial=3), least)
    assert [plan(of).delay, plan(of).delay] == [0.0, 0.0]
    assert asked == [(0.0, 3.0), (0.0, 6.0)]
    without = Backoff(Reconnect(initial=3, jitter=False), least)
    assert [plan(without).delay, plan(without).delay] == [3.0, 6.0]


POLICIES = st.builds(
    Reconnect,
    initial=st.floats(1e-6, 1e6),
    max_delay=st.floats(1e-6, 1e6),
    multiplier=st.floats(1, 1e6),
    jitter=st.booleans(),
)
STEPS = st.one_of(
    st.integers(1, 50), st.sampled_from([1, 2, 1023, 1024, 1025, 10**6, 2**63, 10**400])
)


@given(POLICIES, STEPS)
def test_no_step_is_out_of_bounds_however_many_there_were(policy: Reconnect, step: int) -> None:
    bound = policy.bound(step)
    assert 0 < bound <= policy.max_delay
    assert policy.bound(1) <= bound <= policy.bound(step + 1)


def test_delays_that_do_not_grow() -> None:
    assert Reconnect(initial=3, multiplier=1).bound(10**400) == 3.0
    assert Reconnect(initial=3, multiplier=1.5).bound(10**400) == 30.0
    assert Reconnect(initial=60, max_delay=30).bound(1) == 30.0


@given(POLICIES, st.integers(1, 12))
def test_drawn_delays_are_within_their_bounds(policy: Reconnect, count: int) -> None:
    of = Backoff(policy)
    of.lost(0.0)
    for step in range(1, count + 1):
        delay = plan(of).delay
        assert 0.0 <= delay <= policy.bound(step)
        assert policy.jitter or delay == policy.bound(step)


def test_retry_after_is_a_lower_bound() -> None:
    of = backoff()
    assert plan(of, cause=answered(503, ("Retry-After", "120"))).delay == 120.0
    assert plan(of).delay == 2.0, "it is for one wait only"
    assert plan(of, cause=answered(503, ("Retry-After", "1"))).delay == 4.0
    drawing_nothing = Backoff(Reconnect(), lambda low, high: 0.0)
    assert plan(drawing_nothing, cause=answered(429, ("Retry-After", "7"))).delay == 7.0


@pytest.mark.parametrize("asked", ["301", "9" * 5000, date(10**9)])
def test_retry_after_is_bounded(asked: str) -> None:
    assert plan(backoff(), cause=answered(503, ("Retry-After", asked))).delay == 300.0
    of = backoff(max_retry_after=0)
    assert plan(of, cause=answered(503, ("Retry-After", asked))).delay == 1.0


# --- numbers


def test_numbers_go_on_until_a_connection_was_stable() -> None:
    of = backoff(stable_after=10)
    of.opened(100.0)
    of.lost(101.0)  # the first connection: nothing to go on from
    assert [plan(of).number, plan(of).number] == [1, 2]
    of.opened(110.0)
    of.lost(119.9)
    again = plan(of)
    assert (again.number, again.delay) == (3, 4.0)
    of.opened(130.0)
    of.lost(140.0)
    fresh = plan(of)
    assert (fresh.number, fresh.delay) == (1, 1.0)


def test_with_nothing_to_prove_every_connection_is_stable() -> None:
    of = backoff(stable_after=0)
    for now in (0.0, 1.0, 2.0):
        of.opened(now)
        of.lost(now)
        assert plan(of).number == 1


def test_failover_within_a_round_waits_for_nothing_and_counts() -> None:
    of = backoff()
    of.lost(0.0)
    assert [plan(of, at_once=at_once).delay for at_once in (False, True, True, False)] == [
        1.0,
        0.0,
        0.0,
        2.0,
    ]
    assert plan(of, at_once=True).number == 5


def test_the_longest_wait_of_a_round_counts() -> None:
    """A round may begin with any of its URLs, so each of them must have had its time."""
    of = backoff()
    of.lost(0.0)
    plan(of, cause=ended(1006))
    asked = answered(503, ("Retry-After", "60"))
    assert plan(of, cause=asked, at_once=True).delay == 0.0
    assert plan(of, at_once=True).delay == 0.0
    assert plan(of).delay == 60.0
    assert plan(of).delay == 4.0


def test_what_was_asked_before_an_open_connection_is_over() -> None:
    of = backoff()
    of.lost(0.0)
    plan(of, cause=answered(503, ("Retry-After", "60")), at_once=True)
    of.opened(1.0)
    of.lost(2.0)
    assert plan(of).delay == 1.0


def test_dials_and_downtime_of_an_outage() -> None:
    of = backoff()
    assert (of.attempts, of.downtime(5.0)) == (1, 0.0)
    of.opened(10.0)
    assert (of.attempts, of.downtime(15.0)) == (1, 0.0)
    of.lost(100.0)
    assert plan(of, 100.0).downtime == 0.0
    assert plan(of, 107.0).downtime == 7.0
    assert (of.attempts, of.downtime(108.0)) == (2, 8.0)
    of.opened(109.0)
    assert (of.attempts, of.downtime(5000.0)) == (2, 9.0), "it is over"
    of.lost(111.0)
    assert (of.attempts, of.downtime(112.0)) == (0, 1.0), "the next outage"
    assert plan(of, 112.0).number == 3
    assert of.attempts == 1


def test_dials_of_a_first_connection_that_keeps_trying() -> None:
    of = backoff()
    first = plan(of, 3.0)
    assert (first.number, first.delay, first.downtime, of.attempts) == (1, 1.0, 0.0, 2)


def test_an_attempt_tells_its_cause() -> None:
    cause = ended(1012)
    attempt = plan(backoff(), cause=cause)
    assert attempt.cause is cause and attempt.url == ""
    with pytest.raises(AttributeError):
        attempt.number = 5  # type: ignore[misc]


# --- giving up


def test_what_is_not_retried_ends_it() -> None:
    of = backoff()
    of.lost(50.0)
    plan(of, 50.0)
    refused = answered(401)
    over = end(of, 53.0, refused, retry=False)
    assert (over.cause, over.attempts, over.downtime) == (refused, 1, 3.0)
    assert "not worth another attempt" in over.reason and str(refused) in over.reason
    assert end(backoff(), cause=ended(1008), retry=False).attempts == 0


def test_max_attempts() -> None:
    of = backoff(max_attempts=2, stable_after=10)
    of.lost(0.0)
    assert [plan(of).number, plan(of).number] == [1, 2]
    over = end(of)
    assert over.attempts == 2 and "max_attempts=2" in over.reason


def test_max_attempts_counts_over_connections_that_do_not_last() -> None:
    of = backoff(max_attempts=2, stable_after=10)
    for now in (0.0, 1.0):
        of.lost(now)
        plan(of, now)
        of.opened(now)
    of.lost(2.0)
    assert end(of, 2.0).attempts == 2
    of.opened(3.0)
    of.lost(13.0)
    assert plan(of, 13.0).number == 1


def test_a_round_that_has_begun_is_finished() -> None:
    of = backoff(max_attempts=1)
    of.lost(0.0)
    plan(of)
    assert [plan(of, at_once=True).number, plan(of, at_once=True).number] == [2, 3]
    assert end(of).attempts == 3


def test_max_time_bounds_when_an_attempt_begins() -> None:
    of = backoff(max_time=10, initial=4)
    of.lost(100.0)
    assert plan(of, 100.0).delay == 4.0
    assert plan(of, 102.0).delay == 8.0  # begins at 110
    over = end(of, 110.0)
    assert "max_time=10 s" in over.reason and over.downtime == 10.0


def test_nobody_waits_for_an_attempt_that_would_begin_too_late() -> None:
    of = backoff(max_time=10, initial=4)
    of.lost(100.0)
    plan(of, 100.0)
    assert end(of, 103.0).attempts == 1
    asked = answered(503, ("Retry-After", "60"))
    assert "max_time" in end(backoff(max_time=59), cause=asked).reason
    assert plan(backoff(max_time=60), cause=asked).delay == 60.0


def test_max_time_holds_for_failover_and_for_a_first_connection_too() -> None:
    of = backoff(max_time=10)
    plan(of, 50.0)
    assert plan(of, 60.0, at_once=True).number == 2
    assert end(of, 60.1, at_once=True).downtime == 0.0


def test_max_time_counts_over_connections_that_do_not_last() -> None:
    of = backoff(max_time=20, stable_after=10)
    of.lost(0.0)
    plan(of, 0.0)
    of.opened(5.0)
    of.lost(14.0)
    plan(of, 14.0)
    of.opened(18.0)
    of.lost(19.5)
    end(of, 19.5)
    of.opened(30.0)
    of.lost(40.0)
    assert plan(of, 40.0).number == 1


@given(
    st.integers(1, 6),
    st.floats(1, 100),
    st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=40),
)
def test_no_plan_breaks_a_limit(
    max_attempts: int, max_time: float, causes: list[tuple[float, bool]]
) -> None:
    of = Backoff(Reconnect(max_attempts=max_attempts, max_time=max_time))
    now = began = 1000.0
    of.lost(now)
    for passed, asks in causes:
        cause = answered(503, ("Retry-After", "20")) if asks else RESET
        result = of.next(cause, now, WALL, retry=True)
        if isinstance(result, GaveUp):
            break
        assert result.number <= max_attempts
        assert now + result.delay - began <= max_time + 1e-9
        assert result.delay >= (20.0 if asks else 0.0)
        now += result.delay + passed
