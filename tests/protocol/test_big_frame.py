"""BigFrame: the bytes of a frame that is masked whole, in bounded pieces; whose memory they are."""

from __future__ import annotations

import random

import pytest

from tests.protocol.frame_bytes import BINARY, FIN, KEY, frame
from tieline.protocol.big_frame import PIECE, BigFrame, is_borrowed
from tieline.protocol.encoder import FrameEncoder

SIZES = [PIECE - 14, PIECE - 13, PIECE, PIECE + 1, 2 * PIECE - 14, 3 * PIECE - 11, 3 * PIECE + 7]
LONGEST = random.Random(1).randbytes(max(SIZES))


def big_frame(payload: bytes | bytearray | memoryview, masked: bool = True) -> BigFrame:
    encoder = FrameEncoder((lambda size: KEY * (size // 4)) if masked else None)
    return BigFrame(encoder.encode_header(BINARY, len(payload)), payload, masked)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_the_pieces_are_the_frame(size: int, masked: bool) -> None:
    payload = LONGEST[:size]
    expected = frame(FIN | BINARY, payload, masked=masked)
    big = big_frame(payload, masked)
    written = bytearray()
    while big:
        assert len(big) == len(expected) - len(written)
        piece = big.next_piece()
        assert 0 < len(piece) <= PIECE
        assert len(piece) == PIECE or not big, "only the last one is short"
        written += piece
    assert written == expected
    assert big_frame(payload, masked).whole() == expected


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_after_own_the_memory_is_the_callers(kind: type) -> None:
    """Whenever it is called; what went out before and after fits together."""
    expected = frame(FIN | BINARY, LONGEST, masked=True)
    for pieces in range(5):
        memory = bytearray(LONGEST)
        payload = memoryview(memory) if kind is memoryview else kind(memory)
        big = big_frame(payload)
        written = b"".join(bytes(big.next_piece()) for _ in range(min(pieces, 4)))
        big.own()
        assert not big.is_borrowed
        if kind is bytearray:
            payload.clear()  # which would raise if the frame still used it
        elif kind is memoryview:
            memory[:] = bytes(len(memory))
        assert written + big.whole() == expected
        big.own()


def test_a_piece_that_somebody_still_looks_at() -> None:
    """It may be overwritten, which is no error, neither in the middle nor at the end."""
    big = big_frame(LONGEST)
    written = bytearray()
    views = []
    while big:
        piece = big.next_piece()
        views.append(memoryview(piece))
        written += piece
    assert written == frame(FIN | BINARY, LONGEST, masked=True)


def test_memory_that_is_in_use_cannot_be_resized() -> None:
    payload = bytearray(LONGEST)
    big = big_frame(payload)
    with pytest.raises(BufferError):
        payload.clear()
    big.drop()
    payload.clear()
    assert len(big) == 0 and big.whole() == b""
    big.own()


@pytest.mark.parametrize(
    ("payload", "borrowed"),
    [
        (b"a", False),
        (bytearray(b"a"), True),
        (memoryview(b"ab")[1:].cast("B"), False),
        (memoryview(bytearray(b"a")), True),
        (memoryview(bytearray(b"a")).toreadonly(), True),
    ],
)
def test_whose_memory_may_change(payload: bytes, borrowed: bool) -> None:
    assert is_borrowed(payload) == borrowed
