"""The names of the benchmarks, and the choice among them."""

from __future__ import annotations

import pytest

from bench.catalogue import BENCHMARKS, named


def test_names_are_unique() -> None:
    names = [benchmark.name for benchmark in BENCHMARKS]
    assert len(set(names)) == len(names)


def test_patterns_choose_in_the_order_of_the_catalogue() -> None:
    chosen = [benchmark.name for benchmark in named(["connect", "echo/*"])]
    assert chosen == ["echo/256", "echo/8192", "connect"]


def test_extra_ones_are_measured_only_by_name() -> None:
    assert not any(benchmark.extra for benchmark in named([]))
    assert all(benchmark.extra for benchmark in named(["big/*"]))


def test_a_pattern_that_nothing_matches() -> None:
    with pytest.raises(ValueError, match="'ehco/256'; --list"):
        named(["ehco/256"])
