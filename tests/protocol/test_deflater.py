"""RFC 7692 section 7.2.1: what is sent can be inflated by anybody, with the window agreed on."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.splits import cut, places
from tieline.compression import Deflate
from tieline.protocol import deflater as module
from tieline.protocol.deflate_backend import Backend, installed_backends
from tieline.protocol.deflater import TAIL, Deflater


@pytest.fixture(params=installed_backends(), ids=lambda each: each.name)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backend:
    monkeypatch.setattr(module, "deflate_backend", lambda level: request.param)
    return request.param


def deflater(level: int = 1, bits: int = 15, takeover: bool = True, mem_level: int = 8) -> Deflater:
    return Deflater(Deflate(level=level, mem_level=mem_level), bits, takeover)


def inflate(payload: bytes, context: Any = None) -> bytes:
    context = context or zlib.decompressobj(-15)
    return bytes(context.decompress(payload + TAIL))


def test_the_tail_is_cut(backend: Backend) -> None:
    payload = deflater().compress(b"Hello")
    assert not payload.endswith(TAIL)
    assert inflate(payload) == b"Hello"


def test_an_empty_message_has_a_payload(backend: Backend) -> None:
    """7.2.3.6."""
    context = deflater()
    for _ in range(3):
        payload = context.compress(b"")
        assert payload
        assert inflate(payload) == b""


@pytest.mark.parametrize("payload", [b"x" * 50, bytearray(b"x" * 50), memoryview(b"x" * 50)])
def test_any_bytes(backend: Backend, payload: Any) -> None:
    assert inflate(deflater().compress(payload)) == b"x" * 50


def test_takeover(backend: Backend) -> None:
    message = bytes(range(200))
    with_it, without = deflater(), deflater(takeover=False)
    first, second = with_it.compress(message), with_it.compress(message)
    assert len(second) < len(first) / 4
    context = zlib.decompressobj(-15)
    assert [inflate(payload, context) for payload in (first, second)] == [message] * 2
    assert [inflate(without.compress(message)) for _ in range(2)] == [message] * 2


def test_reset(backend: Backend) -> None:
    """The peer goes on with its context: nothing tells it, and nothing has to."""
    message = bytes(range(200))
    context, peer = deflater(), zlib.decompressobj(-15)
    assert inflate(context.compress(message), peer) == message
    context.compress(b"never seen by the peer")
    context.reset()
    assert [inflate(context.compress(message), peer) for _ in range(2)] == [message] * 2


def test_fragments(backend: Backend) -> None:
    """Each can be inflated as it comes; together, and with the tail, they are the message."""
    context, peer = deflater(takeover=False), zlib.decompressobj(-15)
    pieces = [b"Hello", b"", b"Hello", b"!"]
    payloads = [context.compress(piece, last=piece == b"!") for piece in pieces]
    assert [peer.decompress(payload) for payload in payloads] == pieces
    assert inflate(b"".join(payloads)) == b"HelloHello!"


@pytest.mark.parametrize("bits", range(8, 16))
@pytest.mark.parametrize("level", [0, 1, 3, 6, 9])
def test_the_window_agreed_on_is_enough(bits: int, level: int) -> None:
    """With whatever is installed. The alphabet has no long runs, so matches lie far back."""
    message = (bytes(range(256)) + bytes(range(255, -1, -1))) * 100 + b"\0" * 3000
    context, peer = deflater(level, bits), zlib.decompressobj(-bits)
    for _ in range(2):
        assert inflate(context.compress(message), peer) == message


def test_levels_of_each(backend: Backend) -> None:
    """isal has three levels, zlib's own ten are everywhere else."""
    message = b"abcdefgh" * 1000
    for level in range(1, 4) if backend.name == "isal" else range(10):
        assert inflate(deflater(level).compress(message)) == message


@given(
    st.lists(st.tuples(st.binary(max_size=80), places), max_size=5),
    st.integers(8, 15),
    st.integers(0, 9),
    st.booleans(),
    st.integers(1, 9),
)
def test_any_messages_in_any_fragments(
    messages: list[tuple[bytes, list[int]]], bits: int, level: int, takeover: bool, mem_level: int
) -> None:
    context, peer = deflater(level, bits, takeover, mem_level), zlib.decompressobj(-bits)
    for message, where in messages:
        data = message * 4
        pieces = cut(data, where) or [b""]
        payload = b"".join(
            context.compress(piece, last=place == len(pieces))
            for place, piece in enumerate(pieces, 1)
        )
        if not takeover:
            peer = zlib.decompressobj(-bits)
        assert inflate(payload, peer) == data
