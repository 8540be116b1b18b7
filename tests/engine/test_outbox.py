"""Outbox: the same bytes in the same order, whatever the stream takes."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.engine.outbox import _AT_ONCE, Outbox
from tieline.protocol.big_frame import BIG as BIG_SIZE
from tieline.protocol.big_frame import PIECE, BigFrame
from tieline.protocol.encoder import FrameEncoder
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
        assert outbox.unwritten == sum(map(len, chunks)) - len(taker.taken)
        assert done == (outbox.unwritten == 0)
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


KEY = b"\x11\x22\x33\x44"
BIG = random.Random(2).randbytes(2 * BIG_SIZE + 100)


def big_frame(payload: bytes = BIG) -> BigFrame:
    encoder = FrameEncoder(lambda size: KEY * (size // 4))
    return BigFrame(encoder.encode_header(2, len(payload)), payload, True)


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from([b"", b"small", b"x" * 70_000, BIG, BIG[: BIG_SIZE + 9]]), max_size=5),
    st.lists(st.sampled_from([0, 1, 9, 100, 65536, PIECE - 1, PIECE, PIECE + 1]), max_size=12),
)
def test_big_frames_among_others(payloads: list[bytes], appetites: list[int]) -> None:
    encoder = FrameEncoder(lambda size: KEY * (size // 4))
    whole = b"".join(bytes(encoder.encode(2, payload)) for payload in payloads)
    outbox, taker = Outbox(), Taker(appetites)
    outbox.extend(
        [
            big_frame(payload) if len(payload) >= BIG_SIZE else encoder.encode(2, payload)
            for payload in payloads
        ]
    )
    assert outbox.unwritten == len(whole)
    for _ in range(len(appetites) + 2):
        done = outbox.write_to(taker)  # type: ignore[arg-type]
        assert outbox.written == len(taker.taken)
        assert outbox.unwritten == len(whole) - len(taker.taken)
        if done:
            break
    assert bytes(taker.taken) == whole


def test_a_big_frame_costs_one_call_per_piece() -> None:
    outbox, taker = Outbox(), Taker([])
    outbox.extend([big_frame(bytes(2 * PIECE))])  # and a header
    outbox.extend([b"and the small ones behind it" for _ in range(9)])
    assert outbox.write_to(taker)  # type: ignore[arg-type]
    assert taker.calls == 3 + 1


def test_others_have_their_turn_while_much_is_written() -> None:
    """A peer may take everything as it comes, and the connection's lock is held meanwhile."""
    payload = bytes(3 * _AT_ONCE)
    outbox, taker = Outbox(), Taker([])
    outbox.extend([big_frame(payload)])
    for calls in range(1, 4):
        assert not outbox.write_to(taker)  # type: ignore[arg-type]
        assert len(taker.taken) <= calls * _AT_ONCE
    assert outbox.write_to(taker)  # type: ignore[arg-type]
    assert len(taker.taken) == len(payload) + 14


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_cleared_uses_no_memory_of_its_owners(begun: bool) -> None:
    payload = bytearray(BIG)
    outbox, taker = Outbox(), Taker([100, 0])
    big = big_frame(payload)  # type: ignore[arg-type]
    outbox.extend([b"before", big])
    if begun:
        assert not outbox.write_to(taker)  # type: ignore[arg-type]
    outbox.clear()
    assert outbox.unwritten == 0
    payload.clear()


def test_more_may_come_while_some_wait() -> None:
    near, far = memory_streams(10)
    outbox = Outbox()
    outbox.extend([b"0123456", b"789ab"])
    assert not outbox.write_to(near)
    outbox.extend([b"cdef"])
    read = far.read()
    assert not outbox.write_to(near) or outbox.unwritten == 0
    read += far.read()
    assert outbox.write_to(near)
    assert read + far.read() == b"0123456789abcdef"


def test_clear() -> None:
    outbox, taker = Outbox(), Taker([3])
    outbox.extend([b"abcdef"])
    assert not outbox.write_to(taker) or True  # type: ignore[arg-type]
    outbox.clear()
    assert outbox.unwritten == 0
    assert outbox.write_to(taker)  # type: ignore[arg-type]
    assert outbox.written == len(taker.taken)


def test_how_much_was_added() -> None:
    outbox = Outbox()
    assert outbox.extend_from(lambda: []) == 0
    assert outbox.extend_from(lambda: [b"abc"]) == 3
    assert outbox.extend_from(lambda: [b"de", big_frame()]) == 2 + len(big_frame())


@pytest.mark.parametrize("error", [BrokenPipeError(), KeyboardInterrupt()])
def test_what_was_offered_when_a_call_did_not_return(error: BaseException) -> None:
    class Breaking(Taker):
        def send(self, data: bytes | bytearray | memoryview) -> int:
            if self.calls == 1:
                raise error
            return super().send(data)

    outbox, taker = Outbox(), Breaking([10])
    outbox.extend([b"x" * 100])
    assert not outbox.write_to(taker)  # type: ignore[arg-type]
    assert (outbox.written, outbox.offered) == (10, 0)
    with pytest.raises(type(error)):
        outbox.write_to(taker)  # type: ignore[arg-type]
    assert (outbox.written, outbox.offered) == (10, 90)


READY: list[bytes | bytearray | BigFrame] = [b"a"]


def ready() -> list[bytes | bytearray | BigFrame]:
    return READY


def add_one(outbox: Outbox) -> None:
    outbox.add(b"a")


def add_several(outbox: Outbox) -> None:
    outbox.extend_from(ready)


@pytest.mark.parametrize("adds", [add_one, add_several])
def test_what_a_finalizer_adds_meanwhile(adds: Callable[[Outbox], None]) -> None:
    """Before Python 3.12 garbage is collected wherever a list is made."""
    outbox = Outbox()

    class Garbage:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            outbox.add(b"z")

    thresholds = gc.get_threshold()
    gc.disable()
    try:
        kept: list[list[int]] = [[] for _ in range(400)]  # a list that was kept costs no collection
        Garbage()
        gc.set_threshold(1, 1, 1)
        gc.enable()
        adds(outbox)
    finally:
        gc.set_threshold(*thresholds)
        gc.enable()
        gc.collect()
    assert len(kept) == 400
    taker = Taker([])
    assert outbox.write_to(taker)  # type: ignore[arg-type]
    assert sorted(taker.taken) == sorted(b"az")
    assert outbox.unwritten == 0
