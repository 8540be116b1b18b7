"""A name that an object does not have, though another one of ours does → what to use instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


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

    def __get__(self, instance: object, owner: type) -> Any:
        for found in _all_of(owner, self._name):
            if not isinstance(found, Absent):  # of a class behind ours, in a program's own
                get = getattr(type(found), "__get__", None)
                return found if get is None else get(found, instance, owner)
        # With an object Python would guess at a name of its own, and add it.
        raise AttributeError(
            f"{owner.__name__!r} has no {self._name!r}: {self._instead}", name=self._name, obj=None
        )

    def __repr__(self) -> str:
        return f"<not here: {self._instead}>"


def names_there(of: object) -> list[str]:
    """`dir(of)` without what is absent."""
    own = getattr(of, "__dict__", ())
    return [name for name in object.__dir__(of) if name in own or not _is_absent(type(of), name)]


def _is_absent(kind: type, name: str) -> bool:
    found = [*_all_of(kind, name)]
    return bool(found) and all(isinstance(one, Absent) for one in found)


def _all_of(kind: type, name: str) -> Iterator[Any]:
    """What the classes have under this name, in the order in which they are asked."""
    return (vars(each)[name] for each in kind.__mro__ if name in vars(each))
