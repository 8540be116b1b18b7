"""A regular expression → the same, compiled when it is used first.

To compile those of a client takes longer than to connect it, and most are for what seldom comes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any


class LatePattern:
    """Has the attributes of a `re.Pattern`. Any thread; two that compile it at once do no harm."""

    # Without slots: what was asked for once is an attribute like any other.

    def __init__(self, text: str | bytes, flags: int = 0) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what `copy` and `pickle` look for
            raise AttributeError(name)
        compiled: Any = re.compile(self._text, self._flags)
        value = getattr(compiled, name)
        setattr(self, name, value)
        return value

    def __repr__(self) -> str:
        return f"<pattern {self._text!r}>"


if TYPE_CHECKING:
    pattern = re.compile
else:
    pattern = LatePattern
