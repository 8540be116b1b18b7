"""The option table of tieline → the tables of docs/options.md, so that the page cannot go stale.

A hook of MkDocs (see mkdocs.yml): it replaces the marker in the page.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from mkdocs.exceptions import PluginError

from tieline.options import describe

PAGE = "options.md"
MARKER = "<!-- the table of options -->"


def on_page_markdown(markdown: str, *, page: Any, **_: object) -> str:
    if page.file.src_uri != PAGE:
        return markdown
    if MARKER not in markdown:
        raise PluginError(f"{PAGE} lacks the line {MARKER!r}, where the options go")
    return markdown.replace(MARKER, "\n".join(_tables()))


def _tables() -> list[str]:
    lines: list[str] = []
    for group, rows in groupby(describe(), key=lambda row: row.group):
        lines += ["", f"## {group[0].upper()}{group[1:]}", ""]
        lines += ["| option | default | meaning | accepted |", "| --- | --- | --- | --- |"]
        for row in rows:
            cells = (f"`{row.name}`", f"`{row.default}`", row.meaning, row.accepted)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines
