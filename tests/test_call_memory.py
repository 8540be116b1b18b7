"""What a call has made comes back for the very same arguments, and for no others."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.call_memory import CallMemory


def test_the_same_arguments() -> None:
    memory, made = CallMemory(4), object()
    assert memory.find("a", {"x": 1}) is None
    memory.keep("a", {"x": 1}, made)
    assert memory.find("a", {"x": 1}) is made


def test_variants_put_out_variants_only() -> None:
    memory = CallMemory(4)
    memory.keep("a", {}, "made")
    for number in range(5):
        memory.keep(number, {}, number, variant=True)
    assert memory.find("a", {}) == "made"
    assert [memory.find(number, {}) for number in range(5)] == [None, None, None, None, 4]


@pytest.mark.parametrize(
    ("first", "others"),
    [
        ("b", {"x": 1, "y": None}),
        ("a", {"x": 2, "y": None}),
        ("a", {"y": None, "x": 1}),
        ("a", {"x": 1}),
        ("a", {"x": 1, "y": None, "z": 0}),
        (None, {"x": 1, "y": None}),
        # These are equal to what was given, and mean something else.
        ("a", {"x": True, "y": None}),
        ("a", {"x": 1.0, "y": None}),
        # No hash.
        ("a", {"x": [], "y": None}),
        ([], {"x": 1, "y": None}),
    ],
)
def test_other_arguments(first: object, others: dict[str, Any]) -> None:
    memory = CallMemory(4)
    memory.keep("a", {"x": 1, "y": None}, "made")
    assert memory.find("a", {"x": 1, "y": None}) == "made"
    assert memory.find(first, others) is None


class Alike:
    """A user's object that claims to be any other one."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("asked")

    def __hash__(self) -> int:
        return hash("value")


def test_types_of_the_users_own_are_not_asked() -> None:
    memory = CallMemory(4)
    memory.keep("a", {"x": "value"}, "made")
    assert memory.find("a", {"x": Alike()}) is None


def test_a_hash_that_fails_is_none() -> None:
    class Fails:
        def __hash__(self) -> int:
            raise ZeroDivisionError

    assert CallMemory(4).find("a", {"x": Fails()}) is None


def test_it_does_not_grow_without_bound() -> None:
    memory = CallMemory(3)
    for number in range(7):
        memory.keep("a", {"x": number}, number)
    found = [memory.find("a", {"x": number}) for number in range(7)]
    assert [each for each in found if each is not None] == [6]
