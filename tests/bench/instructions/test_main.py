"""What is said, and the exit status, for counts above, near and below their budget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.instructions import __main__ as program
from bench.instructions import budget
from bench.instructions.callgrind import CannotCount
from bench.instructions.cases import CASES

HERE = {"machine": "x86_64", "tieline": "compiled", "python": "CPython 3.11.7"}
NAMES = [case.name for case in CASES]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[list[str]]]:
    """counted(more_than_budget, ...): what each call of valgrind will say; what was counted."""
    path = tmp_path / "budget.json"
    budget.store(dict.fromkeys(NAMES, 1000.0), HERE, path)
    monkeypatch.setattr(program, "environment", lambda: dict(HERE))
    monkeypatch.setattr(program, "PATH", path)
    monkeypatch.setattr(program, "stored", lambda: budget.stored(path))
    monkeypatch.setattr(program, "store", lambda counts, here: budget.store(counts, here, path))

    def prepare(*factors: float) -> list[list[str]]:
        asked: list[list[str]] = []
        remaining = iter(factors)

        def count(cases: list[Any]) -> dict[str, float]:
            asked.append([case.name for case in cases])
            factor = next(remaining)
            return {case.name: 1000.0 * (factor if case.name == NAMES[1] else 1) for case in cases}

        monkeypatch.setattr(program, "_count", count)
        return asked

    return prepare


def test_near_the_budget_all_is_well(counted: Any, capsys: pytest.CaptureFixture[str]) -> None:
    asked = counted(1.04)
    assert program.main([]) == 0
    assert asked == [NAMES]
    assert "+4.0%" in capsys.readouterr().out


def test_a_rise_is_counted_again_before_it_is_a_failure(
    counted: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = counted(1.06, 1.07, 1.05)
    assert program.main([]) == 1
    assert asked == [NAMES, [NAMES[1]], [NAMES[1]]]
    shown = capsys.readouterr().out
    assert f"Slower than the budget: {NAMES[1]} (+5.0%)" in shown and "--update" in shown


def test_what_a_stalled_machine_added_is_forgotten(counted: Any) -> None:
    counted(1.3, 1.01)
    assert program.main([]) == 0


def test_a_fall_asks_for_an_update(counted: Any, capsys: pytest.CaptureFixture[str]) -> None:
    counted(0.5)
    assert program.main([]) == 0
    assert "-50.0%" in (shown := capsys.readouterr().out) and "--update" in shown


def test_an_update_keeps_the_least_of_three(
    counted: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    counted(0.52, 0.5, 0.51)
    assert program.main(["--update"]) == 0
    counted(0.5)
    assert program.main([]) == 0
    assert "+0.0%" in capsys.readouterr().out.splitlines()[-1]


def test_an_unknown_kind_of_machine_is_a_failure_that_says_what_to_do(
    counted: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "environment", lambda: {**HERE, "machine": "riscv64"})
    counted(1.0)
    assert program.main([]) == 1
    assert "no budget for riscv64" in capsys.readouterr().out


def test_another_environment_is_told_of(
    counted: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "environment", lambda: {**HERE, "python": "CPython 3.13.0"})
    counted(1.2)
    assert program.main([]) == 0
    assert "'CPython 3.13.0', the budget's 'CPython 3.11.7'" in capsys.readouterr().out


def test_a_pure_build_is_not_counted(
    counted: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "environment", lambda: {**HERE, "tieline": "pure"})
    assert program.main([]) == 2
    assert "not compiled" in capsys.readouterr().err


def test_what_cannot_be_counted_is_no_success(
    counted: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(cases: object) -> dict[str, float]:
        raise CannotCount("valgrind is missing")

    monkeypatch.setattr(program, "_count", fail)
    assert program.main([]) == 2
    assert "valgrind is missing" in capsys.readouterr().err
