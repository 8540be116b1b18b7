"""docs/performance.md and its pictures → compared with the stored results."""

from __future__ import annotations

import re

from bench.plot import FOLDER, PICTURES, fingerprint, source_of
from scripts import generated, performance_page


def test_the_page_is_up_to_date() -> None:
    page = performance_page.PAGE.read_text(encoding="utf-8")
    assert page.count(performance_page.BEGIN) == page.count(generated.END) == 1
    assert page == generated.page_with(performance_page.tables(), page), (
        "docs/performance.md is not of the stored results: run python -m scripts.performance_page"
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
