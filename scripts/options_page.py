"""The option table of tieline → the tables of docs/options.md.

    python -m scripts.options_page

writes them anew; tests/test_options_page.py proves that the page is up to date.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from scripts.generated import END, begin, page_with
from tieline.options import describe

PAGE = Path(__file__).parent.parent / "docs" / "options.md"
BEGIN = begin("scripts.options_page")


def tables() -> str:
    """All that stands between the two marks of the page: a table for each group of options."""
    lines = [BEGIN, ""]
    for group, rows in groupby(describe(), key=lambda row: row.group):
        lines += [f"## {group[0].upper()}{group[1:]}", ""]
        lines += ["| option | default | meaning | accepted |", "| --- | --- | --- | --- |"]
        for row in rows:
            cells = (f"`{row.name}`", f"`{row.default}`", row.meaning, row.accepted)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join([*lines, END])


if __name__ == "__main__":
    PAGE.write_text(page_with(tables(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
