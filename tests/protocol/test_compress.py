"""_compress: streams that zlib reads, from each library that is called from C."""

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
    "tieline.protocol._compress",
    reason="pure, or built without zlib's headers",
    exc_type=ImportError,
)
pytestmark = compiled_only

NOISE = random.Random(5).randbytes(300_000)
SYNC = b"\x00\x00\xff\xff"


def compressor(face: Any, level: int = 1, bits: int = -15, mem: int = 8, strategy: int = 0) -> Any:
    return face.compressobj(level, zlib.DEFLATED, bits, mem, strategy)


@each_face
@pytest.mark.parametrize("level", range(10))
@pytest.mark.parametrize("unit", [b"", b"x", b"{'symbol': 'EURUSD'}", NOISE[:1000]], ids=len)
def test_messages_of_a_stream(face: Any, level: int, unit: bytes) -> None:
    context, peer = compressor(face, level), zlib.decompressobj(-15)
    for times in (1, 0, 1, 300, 1):
        payload = context.flushed(unit * times)
        assert payload.endswith(SYNC)
        assert peer.decompress(payload) == unit * times
    assert peer.unused_data == b""


@each_face
@pytest.mark.parametrize("level", [0, 1, 6])
@pytest.mark.parametrize("edge", [4096, 16384, 32768, 65536])
def test_where_the_memory_for_it_ends(face: Any, level: int, edge: int) -> None:
    for size in range(edge - 12, edge + 3):
        context, peer = compressor(face, level), zlib.decompressobj(-15)
        for _ in range(2):
            payload = context.flushed(NOISE[:size])
            assert payload.endswith(SYNC)
            assert peer.decompress(payload) == NOISE[:size]


@each_face
@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_RLE, zlib.Z_FIXED])
@pytest.mark.parametrize("bits", [-9, -12, -15])
@pytest.mark.parametrize("mem", [1, 9])
def test_parameters(face: Any, strategy: int, bits: int, mem: int) -> None:
    context, peer = compressor(face, 6, bits, mem, strategy), zlib.decompressobj(bits)
    for data in (b"abc" * 500, NOISE, b"abc" * 500):
        assert peer.decompress(context.flushed(data)) == data


@each_face
@pytest.mark.parametrize("wrong", [{"level": 10}, {"bits": -16}, {"mem": 10}, {"strategy": 9}])
def test_parameters_that_there_are_not(face: Any, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no compression of level"):
        compressor(face, **wrong)


@each_face
def test_any_bytes(face: Any) -> None:
    for data in (bytearray(b"hello"), memoryview(b"hello")):
        assert zlib.decompressobj(-15).decompress(compressor(face).flushed(data)) == b"hello"
    for wrong in ("hello", None, 5, memoryview(b"hello")[::2]):
        with pytest.raises((TypeError, BufferError)):
            compressor(face).flushed(wrong)


@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 2)), max_size=8))
def test_calls_in_any_order(calls: list[tuple[bytes, int]]) -> None:
    for face in FACES:
        context, peer = compressor(face), zlib.decompressobj(-15)
        payload = b""
        for data, how in calls:
            if how == 0:
                payload += context.compress(data * 3)
            elif how == 1:
                payload += context.compress(data * 3) + context.flush(zlib.Z_SYNC_FLUSH)
            else:
                payload += context.flushed(data * 3)
        payload += context.flush(zlib.Z_FINISH)
        assert peer.decompress(payload) == b"".join(data * 3 for data, _ in calls)
        assert peer.eof


@each_face
def test_garbage_that_refers_to_itself_is_collected(face: Any) -> None:
    """The collector must not take from a context what its end is called with."""
    held: list[Any] = [compressor(face)]
    held.append(held)
    del held
    gc.collect()
