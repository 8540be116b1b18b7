"""docs/performance.md, its pictures and README's table → compared with the stored results."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.plot import FOLDER, PICTURES, fingerprint, source_of
from scripts import generated, performance_page


@pytest.mark.parametrize(
    ("path", "part"),
    [
        (performance_page.PAGE, performance_page.tables),
        (performance_page.README, performance_page.short_table),
    ],
    ids=["page", "README"],
)
def test_the_page_is_up_to_date(path: Path, part: Callable[[], str]) -> None:
    page = path.read_text(encoding="utf-8")
    assert page.count(performance_page.BEGIN) == page.count(generated.END) == 1
    assert page == generated.page_with(part(), page), (
        f"{path.name} is not of the stored results: run python -m scripts.performance_page"
    )


def test_the_pictures_are_of_the_same_results() -> None:
    page = performance_page.PAGE.read_text(encoding="utf-8")
    shown = set(re.findall(r"\]\((performance-\w+\.png)\)", page))
    stored = fingerprint(performance_page.RESULTS)
    assert shown
    for picture in PICTURES:
        if picture.file in shown:
            assert source_of(FOLDER / picture.file) == stored, (
                "run python -m bench.plot bench/results/results.json"
            )
