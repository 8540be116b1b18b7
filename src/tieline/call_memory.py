# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""The arguments of a call → what was made before of the very same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CallMemory:
    """What calls with a first argument and others by name have made. Any thread.

    The types of the arguments come first: values are compared with values of the same, and so never
    with those of the user's own types. When there are `most` of them it forgets all; those that are
    asked for in many variants are counted for themselves.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._made: dict[tuple[object, ...], Any] = {}
        self._variants: dict[tuple[object, ...], Any] = {}

    def find(self, first: object, others: Mapping[str, object]) -> Any:
        """What was kept for these arguments, or None."""
        values = tuple(others.values())
        try:
            call = _call(first, tuple(others), values)
            made = self._made.get(call)
            return self._variants.get(call) if made is None else made
        except Exception:  # one of them has no hash, and so they are not among these
            return None

    def keep(
        self, first: object, others: Mapping[str, object], made: object, variant: bool = False
    ) -> None:
        """Whoever asks with these arguments, which have hashes, gets this."""
        kept = self._variants if variant else self._made
        if len(kept) >= self._most:
            kept.clear()
        kept[_call(first, tuple(others), tuple(others.values()))] = made


def _call(first: object, names: tuple[str, ...], values: tuple[object, ...]) -> tuple[object, ...]:
    return (type(first), *[type(value) for value in values]), first, names, values
