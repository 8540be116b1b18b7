"""Newcomers: who has come, and whether the thread will notice by itself."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from tieline.engine.newcomers import Newcomers


def test_each_is_taken_once_in_order() -> None:
    first: Any = object()
    second: Any = object()
    newcomers = Newcomers()
    assert not newcomers
    newcomers.add(first)
    newcomers.add(second)
    assert newcomers and first in newcomers
    assert list(newcomers.take()) == [first, second]
    assert not newcomers and first not in newcomers and list(newcomers.take()) == []


def test_who_was_not_taken_can_be_removed() -> None:
    one: Any = object()
    newcomers = Newcomers()
    newcomers.add(one)
    newcomers.remove(one)
    assert not newcomers
    newcomers.remove(one)


@pytest.mark.parametrize(
    ("looks_at", "at_once", "lazily"),
    [
        (99.0, False, False),  # it is busy, with one connection maybe
        (100.1, False, True),
        (100.3, False, False),
        (inf, False, False),
    ],
)
def test_when_it_looks(looks_at: float, at_once: bool, lazily: bool) -> None:
    newcomers = Newcomers()
    newcomers.looks_at = looks_at
    assert newcomers.are_seen_in_time(100.0, patience=0.0) is at_once
    assert newcomers.are_seen_in_time(100.0, patience=0.25) is lazily


def test_a_thread_that_has_just_begun_looks_before_it_waits() -> None:
    assert Newcomers().are_seen_in_time(100.0, patience=0.0)
