"""A frame's bytes: the shortest header, and a fresh unpredictable key on what a client sends."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.frame_bytes import BINARY, CONTINUATION, FIN, KEY, PING, TEXT, frame, header
from tests.protocol.implementations import IMPLEMENTATIONS, Implementation
from tests.protocol.reading import read


class Keys:
    """A random source that is not: the RFC's key over and over, and a record of the requests."""

    def __init__(self) -> None:
        self.requests: list[int] = []

    def __call__(self, size: int) -> bytes:
        self.requests.append(size)
        return KEY * (size // 4)


LENGTHS = [*range(41), 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537]
LONGEST = bytes(place * 7 % 251 for place in range(max(LENGTHS)))


@pytest.mark.parametrize("fin", [True, False])
def test_every_length_has_its_shortest_header(implementation: Implementation, fin: bool) -> None:
    server = implementation.encoder.FrameEncoder(None)
    client = implementation.encoder.FrameEncoder(Keys())
    first = FIN | BINARY if fin else BINARY
    for length in LENGTHS:
        payload = LONGEST[:length]
        assert server.encode(BINARY, payload, fin) == frame(first, payload, masked=False)
        assert client.encode(BINARY, payload, fin) == frame(first, payload, masked=True)


@pytest.mark.parametrize(
    ("opcode", "payload", "fin", "wire"),
    [
        (TEXT, b"Hello", True, "81 05 48656c6c6f"),  # a single-frame unmasked text message
        (TEXT, b"Hel", False, "01 03 48656c"),  # its first fragment,
        (CONTINUATION, b"lo", True, "80 02 6c6f"),  # and its last
        (PING, b"Hello", True, "89 05 48656c6c6f"),  # unmasked Ping
    ],
)
def test_the_examples_of_section_5_7(
    implementation: Implementation, opcode: int, payload: bytes, fin: bool, wire: str
) -> None:
    encoder = implementation.encoder.FrameEncoder(None)
    assert encoder.encode(opcode, payload, fin) == bytes.fromhex(wire)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("random_bytes", [None, Keys()], ids=["server", "client"])
def test_kinds_of_memory_are_left_as_they_are(
    implementation: Implementation, kind: type, random_bytes: Keys | None
) -> None:
    payload = kind(b"some bytes")
    encoded = implementation.encoder.FrameEncoder(random_bytes).encode(BINARY, payload)
    assert encoded == frame(FIN | BINARY, b"some bytes", masked=random_bytes is not None)
    assert bytes(payload) == b"some bytes"


def test_a_fresh_key_for_every_frame(implementation: Implementation) -> None:
    """5.3: chosen at random for each frame, never derived from an earlier one."""
    drawn = b""

    def random_bytes(size: int) -> bytes:
        nonlocal drawn
        fresh = os.urandom(size)
        drawn += fresh
        return fresh

    encoder = implementation.encoder.FrameEncoder(random_bytes)
    count = 3000  # more than one draw from the source gives
    used = b"".join(bytes(encoder.encode(TEXT, b"")[2:6]) for _ in range(count))

    # All from the source, each part of it at most once, none left out between two.
    assert drawn.startswith(used)
    assert len(used) == 4 * count


def test_a_source_that_gives_less_than_asked_for(implementation: Implementation) -> None:
    draws = iter([b"\1\1\1\1\2\2", b"\3\3\3\3"])
    encoder = implementation.encoder.FrameEncoder(lambda size: next(draws))
    keys = [bytes(encoder.encode(TEXT, b"")[2:6]) for _ in range(2)]
    assert keys == [b"\1\1\1\1", b"\3\3\3\3"]


def test_a_source_that_gives_too_little_for_a_key(implementation: Implementation) -> None:
    encoder = implementation.encoder.FrameEncoder(lambda size: b"\1\1\1")
    for _ in range(2):
        with pytest.raises(ValueError, match="a masking key takes 4 random bytes, got 3"):
            encoder.encode(TEXT, b"")


def test_the_source_is_asked_rarely(implementation: Implementation) -> None:
    keys = Keys()
    encoder = implementation.encoder.FrameEncoder(keys)
    assert keys.requests == []
    for _ in range(3000):
        encoder.encode(TEXT, b"Hello")
    # Many connections send next to nothing.
    assert keys.requests == [32, 256, 2048, 4096, 4096, 4096]


def test_a_failing_source_is_not_silent(implementation: Implementation) -> None:
    def no_entropy(size: int) -> bytes:
        raise OSError("no entropy")

    with pytest.raises(OSError, match="no entropy"):
        implementation.encoder.FrameEncoder(no_entropy).encode(TEXT, b"Hello")


@pytest.mark.parametrize("length", [65536, 65537, 2**31, 2**32, 2**63 - 1])
@pytest.mark.parametrize("fin", [True, False])
def test_a_header_alone(implementation: Implementation, length: int, fin: bool) -> None:
    """The beginning of the same frame, its key last; a length that is no frame's yet."""
    first = FIN | BINARY if fin else BINARY
    for masked in (False, True):
        encoder = implementation.encoder.FrameEncoder(Keys() if masked else None)
        assert encoder.encode_header(BINARY, length, fin) == header(first, length, masked=masked)
        assert encoder.frames == 1


def test_headers_and_frames_draw_from_the_same_keys(implementation: Implementation) -> None:
    """All that the source gives, each part of it once, whichever of both asks for it."""
    encoder = implementation.encoder.FrameEncoder(random.Random(5).randbytes)
    drawn = b"".join(
        encoder.encode_header(BINARY, 65536)[-4:] + encoder.encode(BINARY, b"")[-4:]
        for _ in range(1000)
    )
    again = random.Random(5)
    assert drawn == (again.randbytes(4096) + again.randbytes(4096))[: len(drawn)]


def test_a_header_of_a_small_frame_is_refused(implementation: Implementation) -> None:
    encoder = implementation.encoder.FrameEncoder(None)
    with pytest.raises(ValueError, match="expected a length of 65536 and more, got 65535"):
        encoder.encode_header(BINARY, 65535)
    assert encoder.frames == 0


def test_frames_are_counted(implementation: Implementation) -> None:
    encoder = implementation.encoder.FrameEncoder(None)
    for _ in range(3):
        encoder.encode(TEXT, b"")
    assert encoder.frames == 3


@given(st.lists(st.binary(max_size=300), max_size=5), st.booleans())
def test_what_is_encoded_is_decoded(payloads: list[bytes], masked: bool) -> None:
    for implementation in IMPLEMENTATIONS:
        encoder = implementation.encoder.FrameEncoder(os.urandom if masked else None)
        stream = b"".join(encoder.encode(BINARY, payload) for payload in payloads)
        assert read([stream], masked=masked, implementation=implementation).items == payloads
