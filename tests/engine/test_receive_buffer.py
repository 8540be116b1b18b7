"""ReceiveBuffer: it grows with what comes, shrinks, and never moves what is in use."""

from __future__ import annotations

import pytest

from tieline.engine.receive_buffer import (
    AFTER_BIG,
    BUFFER_SIZE,
    FIRST_SIZE,
    LARGEST_BUFFER,
    QUIET_READS,
    ReceiveBuffer,
    SpareBuffers,
)


def read(memory: ReceiveBuffer, count: int) -> None:
    """What whoever reads does."""
    memory.view[:1] = b"x"
    assert memory.buffer[0] == ord("x"), "both are the same memory"
    assert count <= len(memory.view) <= len(memory.buffer)
    if count >= memory.watched_from:
        memory.received(count)


def test_it_stays_small_with_small_reads() -> None:
    memory = ReceiveBuffer()
    for _ in range(2 * QUIET_READS):
        read(memory, BUFFER_SIZE - 1)
    assert len(memory.buffer) == BUFFER_SIZE


def test_it_doubles_while_reads_fill_it() -> None:
    memory = ReceiveBuffer()
    sizes = []
    for _ in range(6):
        sizes.append(len(memory.buffer))
        read(memory, len(memory.buffer))
    assert sizes == [BUFFER_SIZE << shift for shift in (0, 0, 1, 1, 1, 1)]
    assert sizes[-1] == LARGEST_BUFFER


def test_what_was_read_stays_where_it_is() -> None:
    memory = ReceiveBuffer()
    before = memory.buffer
    read(memory, BUFFER_SIZE)
    read(memory, BUFFER_SIZE)
    memory.view[:] = b"y" * len(memory.view)
    assert before is not memory.buffer
    assert before[:2] == b"x\0"


def test_it_shrinks_after_many_small_reads_in_a_row() -> None:
    memory = ReceiveBuffer()
    read(memory, BUFFER_SIZE)
    read(memory, BUFFER_SIZE)
    for _ in range(QUIET_READS - 1):
        read(memory, 1)
    read(memory, BUFFER_SIZE + 1)  # it was of use
    for _ in range(QUIET_READS - 1):
        read(memory, BUFFER_SIZE)
    assert len(memory.buffer) == 2 * BUFFER_SIZE
    read(memory, BUFFER_SIZE)
    assert len(memory.buffer) == BUFFER_SIZE
    read(memory, BUFFER_SIZE)
    read(memory, BUFFER_SIZE)
    assert len(memory.buffer) == 2 * BUFFER_SIZE


def test_it_stays_small_between_reads_to_other_memory() -> None:
    memory = ReceiveBuffer()
    for _ in range(2 * QUIET_READS):
        read(memory, len(memory.view))
        memory.received(0)
    assert len(memory.buffer) == BUFFER_SIZE


@pytest.mark.parametrize("grown", [False, True])
def test_little_is_read_behind_what_went_to_other_memory(grown: bool) -> None:
    memory = ReceiveBuffer()
    for _ in range(2 * grown):
        read(memory, len(memory.view))
    before = memory.buffer, len(memory.view), memory.watched_from
    memory.received(0)
    memory.received(0)
    assert (memory.buffer, len(memory.view)) == (before[0], AFTER_BIG)
    read(memory, 1)
    assert (memory.buffer, len(memory.view), memory.watched_from) == before


def test_a_buffer_that_is_no_larger_than_that_stays_as_it_is() -> None:
    memory = ReceiveBuffer(first=FIRST_SIZE)
    memory.received(0)
    assert (len(memory.view), memory.watched_from) == (FIRST_SIZE, FIRST_SIZE)
    read(memory, FIRST_SIZE)
    assert len(memory.view) == BUFFER_SIZE


def test_its_bounds_are_its_owners() -> None:
    memory = ReceiveBuffer(5, largest=12)
    for size in (5, 5, 10, 12, 12):
        assert len(memory.buffer) == size
        read(memory, size)
    for _ in range(3 * QUIET_READS):
        read(memory, 1)
    assert len(memory.buffer) == 5


def test_it_may_begin_small_until_a_read_fills_it() -> None:
    memory = ReceiveBuffer(first=FIRST_SIZE)
    read(memory, FIRST_SIZE - 1)
    assert len(memory.buffer) == FIRST_SIZE
    memory.received(0)  # a read that went elsewhere
    assert len(memory.buffer) == FIRST_SIZE
    read(memory, FIRST_SIZE)
    assert len(memory.buffer) == len(memory.view) == memory.watched_from == BUFFER_SIZE
    read(memory, BUFFER_SIZE)
    assert len(memory.buffer) == BUFFER_SIZE
    read(memory, BUFFER_SIZE)
    assert len(memory.buffer) == 2 * BUFFER_SIZE


def test_a_thread_keeps_two_at_most_and_the_last_one_first() -> None:
    spares = SpareBuffers()
    assert spares.take() is None and len(spares) == 0
    first, second, third = (ReceiveBuffer(16) for _ in range(3))
    for buffer in (first, second, third):
        spares.keep(buffer)
    assert len(spares) == 2
    assert [spares.take(), spares.take(), spares.take()] == [third, second, None]
    spares.keep(first)
    assert len(spares) == 1 and spares.take() is first
