"""The tables of states of tieline → the diagrams of docs/states.md.

    python -m scripts.states_page

draws them anew; tests/test_states_page.py proves that the page is up to date.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from scripts.generated import END, begin, page_with
from tieline.protocol import keepalive
from tieline.protocol.state import LINE_TRANSITIONS, TRANSITIONS, State, diagram

PAGE = Path(__file__).parent.parent / "docs" / "states.md"
BEGIN = begin("scripts.states_page")


def diagrams() -> str:
    """All that stands between the two marks of the page."""
    parts = [
        ("A client", LINE_TRANSITIONS, diagram(LINE_TRANSITIONS, State.CLOSED)),
        ("One connection", TRANSITIONS, diagram(TRANSITIONS, State.CONNECTING)),
        ("The keepalive of a connection", keepalive.TRANSITIONS, keepalive.diagram()),
    ]
    lines = [BEGIN, ""]
    for title, table, drawing in parts:
        lines += [f"## {title}", "", "```mermaid", drawing, "```", "", *rows(table), ""]
    return "\n".join([*lines, END])


def rows(table: Mapping[Any, Enum]) -> list[str]:
    """The same as a table, for readers that draw no diagrams."""
    lines = ["| from | what happens | to |", "| --- | --- | --- |"]
    lines += [
        f"| `{before.name}` | {trigger.value} | `{after.name}` |"
        for (before, trigger), after in table.items()
    ]
    return lines


if __name__ == "__main__":
    PAGE.write_text(page_with(diagrams(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
