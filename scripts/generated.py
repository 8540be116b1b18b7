"""A page with a generated part → the same page with that part anew."""

from __future__ import annotations

END = "<!-- end of what is generated -->"


def begin(module: str) -> str:
    """The mark in front of what `python -m module` writes."""
    return f"<!-- generated: python -m {module} -->"


def page_with(part: str, page: str) -> str:
    """The page with `part`, which holds its marks, in place of the one that it has."""
    before, _, rest = page.partition(part.splitlines()[0])
    _, _, after = rest.partition(END)
    return before + part + after
