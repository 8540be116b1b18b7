"""A frozen class with slots → one like it whose objects can be written, until they are finished.

The constructor of a frozen dataclass sets each field by `object.__setattr__`, which looks for who
might object: 2,000 instructions a field. For the few classes of which each connection has an
object, that is too long.
"""

from __future__ import annotations

from typing import Any


def unfinished(cls: type) -> Any:
    """A class whose objects become those of `cls` by ``made.__class__ = cls``.

    Whoever makes one sets every field. It is never seen by anybody else before it is finished.
    """
    body = {
        "__slots__": (),
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,
        "__init__": object.__init__,
    }
    return type(f"Unfinished{cls.__name__}", (cls,), body)
