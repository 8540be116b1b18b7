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


class LateFunction:
    """The default of an option: a function of a module that is loaded when the option is read."""

    def __init__(self, module: str, name: str) -> None:
        # As a function has them, for texts.
        self.__module__ = module
        self.__qualname__ = name

    def __get__(self, _options: object, _class: type | None = None) -> Any:
        return getattr(__import__(self.__module__), self.__qualname__)

    def __call__(self, *arguments: object) -> Any:
        return self.__get__(None)(*arguments)


def table(**parameters: Any) -> Any:
    """A dataclass without a constructor, which would take long to make and which nobody calls.

    Type checkers are shown an ordinary one, whose constructor has a parameter for each option.
    """
    return dataclass(init=False, **parameters)
