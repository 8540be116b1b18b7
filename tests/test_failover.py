"""The last good URL first, then the others in order; a round tries each of them once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.failover import Failover


def test_one_url_is_a_round_by_itself() -> None:
    failover = Failover(["a"])
    assert failover.current == "a"
    assert failover.failed() is True
    assert failover.current == "a"
    failover.succeeded()
    assert failover.current == "a"


def test_in_the_order_of_the_list() -> None:
    failover = Failover(["a", "b", "c"])
    seen = [(failover.current, failover.failed()) for _ in range(6)]
    assert seen == [("a", False), ("b", False), ("c", True)] * 2


def test_the_last_good_one_comes_first() -> None:
    failover = Failover(["a", "b", "c"])
    failover.failed()
    failover.succeeded()  # b
    assert [(failover.current, failover.failed()) for _ in range(3)] == [
        ("b", False),
        ("a", False),
        ("c", True),
    ]
    assert failover.current == "b"
    failover.failed()
    failover.failed()
    failover.succeeded()  # c
    assert [(failover.current, failover.failed()) for _ in range(3)] == [
        ("c", False),
        ("a", False),
        ("b", True),
    ]


def test_the_same_url_twice_is_two_places() -> None:
    failover = Failover(["a", "a"])
    assert [failover.failed() for _ in range(4)] == [False, True, False, True]


def test_without_a_url_there_is_nothing_to_dial() -> None:
    with pytest.raises(ValueError, match="one URL"):
        Failover([])


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=40))
def test_every_round_tries_each_once_beginning_with_the_good_one(
    count: int, outcomes: list[bool]
) -> None:
    urls = list(range(count))
    failover = Failover(iter(urls))
    good, tried = 0, list[int]()
    for succeeds in outcomes:
        tried.append(failover.current)
        assert tried == [good, *(url for url in urls if url != good)][: len(tried)]
        if succeeds:
            good = failover.current
            failover.succeeded()
            tried = []
        else:
            is_over = failover.failed()
            assert is_over == (len(tried) == count)
            tried = [] if is_over else tried
