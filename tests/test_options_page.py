"""docs/options.md → compared with the code, and looked at as a reader of the sources sees it."""

from __future__ import annotations

from dataclasses import fields

from scripts import generated, options_page
from tieline.options import Options


def test_the_page_is_up_to_date() -> None:
    page = options_page.PAGE.read_text(encoding="utf-8")
    assert page.count(options_page.BEGIN) == page.count(generated.END) == 1
    assert page == generated.page_with(options_page.tables(), page), (
        "docs/options.md is not what the code says: run python -m scripts.options_page"
    )


def test_every_option_has_a_row() -> None:
    page = options_page.PAGE.read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert [name for name, *_ in rows] == [f"| `{option.name}`" for option in fields(Options)]
    assert all(len(cells) == 4 and all(cells) for cells in rows)
