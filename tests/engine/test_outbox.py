"""Outbox: the same bytes in the same order, whatever the stream takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tieline.engine.outbox import Outbox
from tieline.testing.memory import memory_streams


class Taker:
    """A stream that takes as many bytes per call as it is told."""

    def __init__(self, appetites: list[int]) -> None:
        self.appetites = appetites
        self.taken = bytearray()
        self.calls = 0

    def send(self, data: bytes | bytearray | memoryview) -> int:
        self.calls += 1
        count = min(len(data), self.appetites.pop(0) if self.appetites else len(data))
        self.taken += data[:count]
        return count


@given(
    st.lists(st.integers(0, 40), max_size=20),
    st.lists(st.integers(0, 30), max_size=30),
)
def test_all_appetites(sizes: list[int], appetites: list[int]) -> None:
    # No byte string comes twice, so that a wrong order shows.
    chunks = [
        bytes((number + place) % 256 for place in range(size)) for number, size in enumerate(sizes)
    ]
    outbox, taker = Outbox(), Taker(appetites)
    outbox.extend(chunks)
    for _ in range(len(appetites) + 2):
        done = outbox.write_to(taker)  # type: ignore[arg-type]
        assert outbox.written == len(taker.taken)
        assert outbox.size == sum(map(len, chunks)) - len(taker.taken)
        assert done == (outbox.size == 0)
        if done:
            break
    assert bytes(taker.taken) == b"".join(chunks)


def test_small_chunks_cost_one_call() -> None:
    outbox, taker = Outbox(), Taker([])
    outbox.extend([b"x" * 100] * 100)
    assert outbox.write_to(taker)  # type: ignore[arg-type]
    assert taker.calls == 1


def test_large_chunks_are_not_copied_together() -> None:
    outbox, taker = Outbox(), Taker([])
    outbox.extend([b"a" * 65536, b"b" * 65536, b"c"])
    assert outbox.write_to(taker)  # type: ignore[arg-type]
    assert taker.calls == 3
    assert bytes(taker.taken) == b"a" * 65536 + b"b" * 65536 + b"c"


def test_more_may_come_while_some_wait() -> None:
    near, far = memory_streams(10)
    outbox = Outbox()
    outbox.extend([b"0123456", b"789ab"])
    assert not outbox.write_to(near)
    outbox.extend([b"cdef"])
    read = far.read()
    assert not outbox.write_to(near) or outbox.size == 0
    read += far.read()
    assert outbox.write_to(near)
    assert read + far.read() == b"0123456789abcdef"


def test_clear() -> None:
    outbox, taker = Outbox(), Taker([3])
    outbox.extend([b"abcdef"])
    assert not outbox.write_to(taker) or True  # type: ignore[arg-type]
    outbox.clear()
    assert outbox.size == 0
    assert outbox.write_to(taker)  # type: ignore[arg-type]
    assert outbox.written == len(taker.taken)
