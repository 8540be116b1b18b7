"""One row of the option table → a field of a dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tieline.option_checks import Check


def option(
    group: str, default: object, meaning: str, accepts: Check, *, hashed: bool = True
) -> Any:
    """A field of the table. Texts and check serve errors and documentation alike."""
    metadata = {"group": group, "meaning": meaning, "check": accepts}
    return field(default=default, hash=None if hashed else False, metadata=metadata)


def table(**parameters: Any) -> Any:
    """A dataclass without a constructor, which would take long to make and which nobody calls.

    Type checkers are shown an ordinary one, whose constructor has a parameter for each option.
    """
    return dataclass(init=False, **parameters)
