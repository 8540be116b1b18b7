"""`python -m bench` as a whole, on as little as it can be asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.__main__ import main


@pytest.fixture(autouse=True)
def cores_of_this_process() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.slow
def test_benchmarks_are_measured_and_written(
    native: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    words = ["--clients", "c-limit,cpython-floor,tieline-plain", "--retries", "0"]
    words += ["--repetitions", "1", "--target", "0.005", "--json", str(path)]
    assert main(["echo/256", *words]) == 0
    assert main(["connect", *words]) == 0
    shown = capsys.readouterr().out
    assert "tieline-plain" in shown and "x floor" in shown
    stored = json.loads(path.read_text())
    assert list(stored["benchmarks"]) == ["echo/256", "connect"]


def test_the_list_names_everything(native: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert "big/send-iterable" in shown and "tieline-uvloop" in shown


def test_a_wrong_name_is_refused(native: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ehco"])
    assert "no benchmark is called 'ehco'" in capsys.readouterr().err
