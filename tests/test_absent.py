"""Absent: an AttributeError that says what to use, and nothing that is to be seen."""

from __future__ import annotations

import pytest

from tieline.absent import Absent, names_there


class Box:
    size = 1
    open = Absent("use lid()")

    def lid(self) -> int:
        return self.size


class Openable:
    def open(self) -> str:
        return f"opened {type(self).__name__}"


class Crate(Box):
    pass


class OpenBox(Box):
    open = True


class Chest(Box, Openable):
    """A program's own, with a class behind ours."""


def test_who_asks_is_told() -> None:
    for owner, name in ((Box(), "Box"), (Box, "Box"), (Crate(), "Crate")):
        with pytest.raises(AttributeError) as told:
            owner.open  # noqa: B018 - the look is what is tested
        assert str(told.value) == f"{name!r} has no 'open': use lid()"
        assert told.value.name == "open"
        assert not hasattr(owner, "open")


def test_what_a_users_class_has_is_there() -> None:
    assert OpenBox().open is True
    assert Chest().open() == "opened Chest" and Chest.open(Chest()) == "opened Chest"
    box = Box()
    box.open = 5
    assert box.open == 5 and "open" in names_there(box)


def test_what_is_listed() -> None:
    assert "open" not in names_there(Box()) and "lid" in names_there(Box())
    assert "open" in names_there(OpenBox()) and "open" in names_there(Chest())
    assert repr(vars(Box)["open"]) == "<not here: use lid()>"
