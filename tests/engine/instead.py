"""An object with slots → one whose method does something else, as long as a test wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def instead(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, function: Callable[..., Any]
) -> None:
    """Calls of this method of this one object are calls of `function`."""
    if hasattr(owner, "__dict__"):
        monkeypatch.setattr(owner, name, function)
        return
    kind = type(owner)
    real = getattr(kind, name)

    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        if self is owner:
            return function(*arguments, **named)
        return real(self, *arguments, **named)

    monkeypatch.setattr(kind, name, method)
