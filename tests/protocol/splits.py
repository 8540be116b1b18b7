"""Bytes → all the ways in which a stream may hand them out."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

Pieces = list[bytes]


def every_split(data: bytes) -> Iterator[Pieces]:
    """Whole, one byte at a time, and cut in two at every place."""
    yield [data]
    yield [data[place : place + 1] for place in range(len(data))]
    for place in range(1, len(data)):
        yield [data[:place], data[place:]]


def edge_splits(data: bytes) -> Iterator[Pieces]:
    """For data too long for `every_split`: the cuts near both ends and in the middle."""
    yield [data]
    middle = len(data) // 2
    for place in {*range(1, 20), *range(middle, middle + 5), *range(len(data) - 5, len(data))}:
        yield [data[:place], data[place:]]


def cut(data: bytes, places: list[int]) -> Pieces:
    """`data` cut at `places`, taken modulo its length."""
    if not data:
        return []
    bounds = [0, *sorted({place % len(data) for place in places} - {0}), len(data)]
    return [data[start:stop] for start, stop in zip(bounds, bounds[1:], strict=False)]


#: Any places, for `cut`.
places = st.lists(st.integers(0, 100_000), max_size=8)
