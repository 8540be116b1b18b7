"""docs/states.md → compared with the tables in the code."""

from __future__ import annotations

from scripts import generated, states_page


def test_the_page_is_up_to_date() -> None:
    page = states_page.PAGE.read_text(encoding="utf-8")
    assert page.count(states_page.BEGIN) == page.count(generated.END) == 1
    assert page == generated.page_with(states_page.diagrams(), page), (
        "docs/states.md is not what the code says: run python -m scripts.states_page"
    )
