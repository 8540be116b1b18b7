"""RFC 7692 section 7.2.2, and what is done to compressed data that are no messages."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.implementations import IMPLEMENTATIONS, Implementation
from tests.protocol.splits import cut, every_split, places
from tieline.errors import ProtocolError
from tieline.protocol.deflate_backend import Backend, installed_backends

BACKENDS = pytest.mark.parametrize("backend", installed_backends(), ids=lambda each: each.name)

HELLO = bytes.fromhex("f248cdc9c90700")
TAIL = b"\x00\x00\xff\xff"


def inflater(
    implementation: Implementation, backend: Backend, bits: int = 15, takeover: bool = True
) -> Any:
    return implementation.new_inflater(backend, bits, takeover)


def inflate(context: Any, pieces: list[bytes], step: int = 1 << 20) -> bytes:
    """A whole message; no call gives more than it was asked for."""
    inflated = b""
    for place, piece in enumerate(pieces, 1):
        context.feed(piece, place == len(pieces))
        while context.is_pending:
            part = context.inflate(step)
            assert len(part) <= step
            inflated += part
    return inflated


def deflate(message: bytes, context: Any = None) -> bytes:
    context = context or zlib.compressobj(wbits=-15)
    return bytes(context.compress(message) + context.flush(zlib.Z_SYNC_FLUSH))[:-4]


@BACKENDS
@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("f2 48 cd c9 c9 07 00", b"Hello"),  # 7.2.3.1
        ("00 05 00 fa ff 48 65 6c 6c 6f 00", b"Hello"),  # 7.2.3.3, no compression
        ("f3 48 cd c9 c9 07 00 00", b"Hello"),  # 7.2.3.4, BFINAL
        ("f2 48 05 00 00 00 ff ff ca c9 c9 07 00", b"Hello"),  # 7.2.3.5, two blocks
        ("00", b""),  # 7.2.3.6
        ("02 00", b""),
        ("03 00 00", b""),
    ],
)
def test_examples_of_the_rfc(
    implementation: Implementation, backend: Backend, payload: str, message: bytes
) -> None:
    for pieces in every_split(bytes.fromhex(payload)):
        for step in (1, 3, 5, 1000):
            context = inflater(implementation, backend)
            for _ in range(2):
                assert inflate(context, pieces, step) == message


@BACKENDS
def test_a_message_may_refer_to_the_one_before(
    implementation: Implementation, backend: Backend
) -> None:
    """7.2.3.2."""
    context = inflater(implementation, backend)
    assert inflate(context, [HELLO]) == b"Hello"
    assert inflate(context, [bytes.fromhex("f200110000")]) == b"Hello"


@BACKENDS
def test_not_without_takeover(implementation: Implementation, backend: Backend) -> None:
    context = inflater(implementation, backend, takeover=False)
    assert inflate(context, [HELLO]) == b"Hello"
    with pytest.raises(ProtocolError, match="expected compressed data") as caught:
        inflate(context, [bytes.fromhex("f200110000")])
    assert caught.value.close_code == 1007


@BACKENDS
def test_the_sender_may_begin_anew(implementation: Implementation, backend: Backend) -> None:
    context = inflater(implementation, backend)
    for message in (b"Hello" * 50, b"Hello" * 50, b""):
        assert inflate(context, [deflate(message)]) == message


@BACKENDS
@pytest.mark.parametrize("bits", range(8, 16))
def test_windows(implementation: Implementation, backend: Backend, bits: int) -> None:
    message = bytes(range(250)) * 200
    context = inflater(implementation, backend, bits)
    for _ in range(2):
        assert (
            inflate(context, [deflate(message, zlib.compressobj(wbits=-max(bits, 9)))]) == message
        )


@BACKENDS
def test_a_bomb_is_defused_step_by_step(implementation: Implementation, backend: Backend) -> None:
    size = 3_000_000
    bomb = deflate(bytes(size))
    assert len(bomb) * 900 < size
    context = inflater(implementation, backend)
    context.feed(bomb, True)
    assert len(context.inflate(1000)) == 1000
    assert context.is_pending
    assert len(context.inflate(50_000)) == 50_000
    rest = 0
    while context.is_pending:
        rest += len(context.inflate(70_000))
    assert rest == size - 51_000


@BACKENDS
@pytest.mark.parametrize("message", [b"", b"a", b"a" * 1000])
def test_a_limit_that_is_met_exactly(
    implementation: Implementation, backend: Backend, message: bytes
) -> None:
    """What fits may not be told apart from what does not before asking for more."""
    context = inflater(implementation, backend)
    context.feed(deflate(message), True)
    assert context.inflate(len(message) or 1) == message
    if context.is_pending:
        assert context.inflate(1) == b""
    assert not context.is_pending


BROKEN = {
    "no block": b"\xff",
    "a stored block whose length is wrong": b"\x00\x05\x00\x00\x00Hello",
    "a distance into nothing": bytes.fromhex("f200110000"),
    "ended, then garbage": bytes.fromhex("f348cdc9c90700") + b"\x01garbage",
    "ended, then nothing": bytes.fromhex("f348cdc9c90700"),
    "ended twice": bytes.fromhex("0300 0300 00"),
    "ended, then another message": bytes.fromhex("f348cdc9c9070000") + HELLO,
}


@BACKENDS
@pytest.mark.parametrize("payload", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_message(
    implementation: Implementation, backend: Backend, payload: bytes
) -> None:
    for pieces in every_split(payload):
        context = inflater(implementation, backend)
        with pytest.raises(ProtocolError, match="expected compressed data") as caught:
            inflate(context, pieces)
        assert caught.value.close_code == 1007


def test_a_backend_that_does_not_advance(implementation: Implementation) -> None:
    """No release of any does that. One that did must not turn us into a loop."""

    class Stuck:
        eof = False
        unused_data = b""

        def decompress(self, data: bytes, limit: int) -> bytes:
            self.unconsumed_tail = data
            return b""

    class Module:
        error = zlib.error

        def decompressobj(self, bits: int) -> Stuck:
            return Stuck()

    context = inflater(implementation, Backend("stuck", Module()))
    context.feed(HELLO, True)
    with pytest.raises(ProtocolError, match="stops advancing"):
        context.inflate(100)


@given(
    st.lists(st.tuples(st.binary(max_size=60), places), max_size=5),
    st.integers(9, 15),
    st.integers(0, 9),
    st.booleans(),
    st.integers(1, 50),
)
def test_any_messages_in_any_pieces(
    messages: list[tuple[bytes, list[int]]], bits: int, level: int, takeover: bool, step: int
) -> None:
    for implementation in IMPLEMENTATIONS:
        for backend in installed_backends():
            context = inflater(implementation, backend, bits, takeover)
            deflating = zlib.compressobj(level, wbits=-bits)
            for message, where in messages:
                if not takeover:
                    deflating = zlib.compressobj(level, wbits=-bits)
                payload = deflate(message * 3, deflating)
                assert inflate(context, cut(payload, where) or [b""], step) == message * 3


@given(st.binary(max_size=40), places)
def test_garbage_ends_and_never_loops(data: bytes, where: list[int]) -> None:
    for implementation in IMPLEMENTATIONS:
        for backend in installed_backends():
            context = inflater(implementation, backend)
            try:
                inflate(context, cut(data, where) or [b""])
            except ProtocolError as error:
                assert error.close_code == 1007


@BACKENDS
def test_released(implementation: Implementation, backend: Backend) -> None:
    context = inflater(implementation, backend)
    context.feed(deflate(b"x" * 100), True)
    context.inflate(10)
    context.release()
    assert not context.is_pending
