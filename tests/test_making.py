"""What is made without the constructor is what the constructor makes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field

import pytest

from tieline.making import maker


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    label: str = field(default="", init=False, compare=False)


def test_it_is_the_same() -> None:
    made = maker(Point)(1, 2, "a")
    assert type(made) is Point and made == Point(1) and made.label == "a"
    assert repr(made).endswith("Point(x=1, y=2, label='a')")
    with pytest.raises(FrozenInstanceError):
        made.x = 3  # type: ignore[misc]


@pytest.mark.parametrize("values", [(), (1, 2), (1, 2, "a", 4)])
def test_every_field_is_given(values: tuple[object, ...]) -> None:
    with pytest.raises(ValueError):
        maker(Point)(*values)
