"""A name that an object does not have, though another one of ours does → what to use instead."""

from __future__ import annotations

from typing import NoReturn


class Absent:
    """Stands in a class for an attribute that is not there: whoever asks for it is told.

    (A `__getattr__` would do for any name, and make every call of every method slower.)
    """

    __slots__ = ("_instead", "_name")

    def __init__(self, instead: str) -> None:
        self._instead = instead
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        # With an object Python would guess at a name of its own, and add it.
        raise AttributeError(
            f"{owner.__name__!r} has no {self._name!r}: {self._instead}", name=self._name, obj=None
        )

    def __repr__(self) -> str:
        return f"<not here: {self._instead}>"


def names_there(of: object) -> list[str]:
    """`dir(of)` without what is absent."""
    kinds = type(of).__mro__
    return [
        name
        for name in object.__dir__(of)
        if not isinstance(next((vars(k)[name] for k in kinds if name in vars(k)), None), Absent)
    ]
