"""Counts → compared with a budget, of this environment or scaled from another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.instructions.budget import (
    LOOSE_TOLERANCE,
    PATH,
    TOLERANCE,
    Budget,
    find,
    judge,
    store,
    stored,
)
from bench.instructions.cases import CASES, REFERENCE

HERE = {"machine": "x86_64", "tieline": "compiled", "python": "CPython 3.11.7", "compiler": "gcc"}


def test_five_per_cent_more_is_too_much() -> None:
    budget = Budget(HERE, {"a": 1000.0, "b": 1000.0, "c": 1000.0})
    a, b, c = judge({"a": 1049.0, "b": 1050.0, "c": 940.0}, budget, [])
    assert [v.is_over for v in (a, b, c)] == [False, True, False]
    assert [v.is_well_under for v in (a, b, c)] == [False, False, True]
    assert a.tolerance == TOLERANCE


def test_a_case_without_a_budget_is_not_passed_over() -> None:
    (verdict,) = judge({"new": 1.0}, Budget(HERE, {}), [])
    assert verdict.is_over and verdict.budget is None


def test_in_another_environment_the_interpreter_is_the_measure() -> None:
    budget = Budget(HERE, {REFERENCE: 100.0, "a": 1000.0})
    counts = {REFERENCE: 150.0, "a": 1500.0 * 1.2}
    reference, a = judge(counts, budget, ["python"])
    assert reference.change == 0
    assert a.change == pytest.approx(0.2) and not a.is_over
    (_, gross) = judge({**counts, "a": 1500.0 * 1.31}, budget, ["python"])
    assert gross.is_over and gross.tolerance == LOOSE_TOLERANCE


def test_the_nearest_environment_is_found_and_what_differs() -> None:
    far = Budget({**HERE, "python": "CPython 3.13.0", "compiler": "clang"}, {})
    near = Budget({**HERE, "compiler": "clang"}, {})
    assert find(HERE, [far, near]) == (near, ["compiler"])
    assert find(HERE, [far, near, Budget(HERE, {})]) == (Budget(HERE, {}), [])


def test_counts_of_another_kind_of_machine_or_build_say_nothing() -> None:
    others = [Budget({**HERE, "machine": "aarch64"}, {}), Budget({**HERE, "tieline": "pure"}, {})]
    assert find(HERE, others) is None


def test_an_update_leaves_other_environments_alone(tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    other = {**HERE, "machine": "aarch64"}
    store({"a": 1.0}, HERE, path)
    store({"a": 2.0}, other, path)
    store({"a": 3.04}, HERE, path)
    assert [(b.environment, b.counts) for b in stored(path)] == [
        (other, {"a": 2.0}),
        (HERE, {"a": 3.0}),
    ]
    assert stored(tmp_path / "none.json") == []


def test_the_stored_budget_has_every_case_and_names_no_path() -> None:
    budgets = stored()
    assert budgets, f"{PATH} is missing: python -m bench.instructions --update"
    for budget in budgets:
        assert set(budget.counts) == {case.name for case in CASES}
        assert not any("/" in text for text in budget.environment.values())
