"""Storage: what is read into it is what comes out, whoever does it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.implementations import IMPLEMENTATIONS, Implementation

MIB = 1024 * 1024


def read_to(storage: Any, data: bytes, wanted: int, most: int = MIB, first: int = MIB) -> int:
    """One read that may bring all of `data`: how much it has brought."""
    target = storage.target(wanted, most, first)
    count = min(len(data), len(target))
    target[:count] = data[:count]
    del target
    storage.received(count)
    return count


@pytest.mark.parametrize("is_text", [False, True])
def test_nothing(implementation: Implementation, is_text: bool) -> None:
    storage = implementation.storage.Storage(is_text)
    assert storage.size == 0
    assert storage.take() == ("" if is_text else b"")


@pytest.mark.parametrize("is_text", [False, True])
@given(
    pieces=st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=12),
    first=st.integers(1, 50),
)
def test_pieces_of_both_ways(is_text: bool, pieces: list[tuple[bool, int]], first: int) -> None:
    total = sum(size for _, size in pieces)
    data = bytes(32 + place % 90 for place in range(total))
    for implementation in IMPLEMENTATIONS:
        storage = implementation.storage.Storage(is_text)
        place = 0
        for directly, size in pieces:
            end = place + size
            while place < end and directly:
                place += read_to(storage, data[place:end], total - place, 40, first)
            storage.add(data[place:end])
            place = end
            assert storage.size == place
        assert storage.take() == (data.decode() if is_text else data)
        assert storage.size == 0


def test_room_is_made_as_the_bytes_come(implementation: Implementation) -> None:
    storage = implementation.storage.Storage(False)
    size = 0
    while size < 40_000:
        room = len(storage.target(10**15, 10**15, 1000))
        assert room <= max(1000, 15 * size)
        storage.received(room)
        size += room
    assert size == 256_000


def test_never_more_than_is_wanted(implementation: Implementation) -> None:
    storage = implementation.storage.Storage(False)
    assert read_to(storage, b"x" * 100, 10) == 10
    assert read_to(storage, b"x" * 100, 90, most=20) == 20
    assert len(storage.target(5, 20, 1000)) == 5, "another frame may be shorter than the room"
    with pytest.raises(ValueError, match="more than there was room for"):
        storage.received(1000)
    assert storage.take() == b"x" * 30


@pytest.mark.parametrize("size", [1, 7, 8, 63, 64, 65, 127, 128, 200])
def test_ascii_at_every_place(implementation: Implementation, size: int) -> None:
    for place in range(size):
        data = bytearray(b"~" * size)
        data[place] = 0x80
        storage = implementation.storage.Storage(False)
        storage.add(bytes(data))
        assert not storage.is_ascii(0)
        assert not storage.is_ascii(place)
        assert storage.is_ascii(place + 1)


def test_the_last_bytes_can_be_cut(implementation: Implementation) -> None:
    storage = implementation.storage.Storage(True)
    storage.add(b"abc\xff")
    assert storage.cut(3) == b"\xff"
    assert storage.take() == "abc"


def test_what_somebody_reads_into_does_not_move(implementation: Implementation) -> None:
    storage = implementation.storage.Storage(False)
    target = storage.target(10, 10, 10)
    target[:] = b"0123456789"
    storage.received(10)
    with pytest.raises(BufferError):
        storage.add(b"more")
    del target
    storage.add(b"more")
    assert storage.take() == b"0123456789more"


def test_it_can_be_used_again(implementation: Implementation) -> None:
    storage = implementation.storage.Storage(True)
    for text in ("first", "second"):
        storage.add(text.encode())
        assert storage.take() == text
