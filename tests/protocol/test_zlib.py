"""_zlib: what the `zlib` module gives, for any pieces and limits: zlib to the byte, and zlib-ng."""

from __future__ import annotations

import gc
import random
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builds import compiled_only
from tests.protocol.faces import FACES, each_face

pytest.importorskip(
    "tieline.protocol._zlib",
    reason="pure, or built without zlib's headers",
    exc_type=ImportError,
)
pytestmark = compiled_only

#: Around the sizes where a buffer grows.
SIZES = [0, 1, 300, 16383, 16384, 16385, 32768, 32769, 100_000, 1_000_000]


def compressed(data: bytes, *, end: bool = False) -> bytes:
    context = zlib.compressobj(wbits=-15)
    return context.compress(data) + context.flush(zlib.Z_FINISH if end else zlib.Z_SYNC_FLUSH)


def outcome(context: Any, data: bytes, limit: int, error: type[Exception]) -> object:
    try:
        got = context.decompress(data, limit)
    except error as raised:
        return str(raised).partition(":")[0]
    return got, context.eof, context.unused_data, context.unconsumed_tail


def both(pieces: list[tuple[bytes, int]], bits: int = -15) -> None:
    for face in FACES:
        ours, theirs = face.decompressobj(bits), zlib.decompressobj(bits)
        for data, limit in pieces:
            result = outcome(theirs, data, limit, zlib.error)
            assert outcome(ours, data, limit, face.error) == result
            if isinstance(result, str):
                break


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["text", "noise", "zeros"])
@pytest.mark.parametrize("end", [False, True])
def test_sizes(size: int, kind: str, end: bool) -> None:
    data = {
        "text": b"{'symbol': 'EURUSD', 'price': 1.0842}" * (size // 37 + 1),
        "noise": random.Random(size).randbytes(size),
        "zeros": bytes(size),
    }[kind][:size]
    payload = compressed(data, end=end)
    for limit in (0, 1, max(1, size - 1), max(1, size), size + 1, 16384):
        both([(payload + b"behind" * end, limit), (b"", 0), (b"more", 10)])


@given(
    st.binary(max_size=2000).map(lambda data: data * 20),
    st.lists(st.integers(1, 400), max_size=12),
    st.integers(0, 50_000),
)
def test_any_pieces(data: bytes, cuts: list[int], limit: int) -> None:
    payload = compressed(data)
    pieces = []
    for cut in cuts:
        pieces.append((payload[:cut], limit))
        payload = payload[cut:]
    both([*pieces, (payload, limit)])


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    both([(data, 1000)])


@each_face
def test_takeover(face: Any) -> None:
    deflating, inflating = zlib.compressobj(wbits=-15), face.decompressobj(-15)
    for number in range(50):
        message = b"message %d of a series" % number
        payload = deflating.compress(message) + deflating.flush(zlib.Z_SYNC_FLUSH)
        assert inflating.decompress(payload, 1000) == message


@pytest.mark.parametrize("bits", [0, -7, -16, 99])
@each_face
def test_a_window_that_there_is_not(face: Any, bits: int) -> None:
    if bits == 0:  # "as the header says": there is none
        assert face.decompressobj(bits)
        return
    with pytest.raises(ValueError, match=f"{bits} bits"):
        face.decompressobj(bits)


@each_face
def test_what_it_is_given(face: Any) -> None:
    context = face.decompressobj(-15)
    with pytest.raises(ValueError, match="non-negative"):
        context.decompress(b"", -1)
    with pytest.raises(TypeError):
        context.decompress(None)
    with pytest.raises(TypeError):
        context.decompress("text")


@each_face
def test_garbage_that_refers_to_itself_is_collected(face: Any) -> None:
    """The collector must not take from a context what its end is called with."""
    held: list[Any] = [face.decompressobj(-15)]
    held.append(held)
    del held
    gc.collect()
