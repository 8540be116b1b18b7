"""RFC 6455 section 5.3: octet i of the payload XOR octet i modulo 4 of the key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.frame_bytes import KEY, xor
from tests.protocol.implementations import IMPLEMENTATIONS, Implementation
from tieline.protocol import masking

LENGTHS = [*range(41), 125, 126, 127, 65535, 65536, 65537]


LONGEST = bytes(place * 7 % 251 for place in range(max(LENGTHS)))


def content(length: int) -> bytes:
    return LONGEST[:length]


def test_the_rfcs_hello(implementation: Implementation) -> None:
    # Section 5.7: a single-frame masked text message, "Hello".
    masked = bytes.fromhex("7f9f4d5158")
    assert implementation.masking.apply_mask(b"Hello", KEY) == masked
    assert implementation.masking.apply_mask(masked, KEY) == b"Hello"


def test_every_length_and_alignment(implementation: Implementation) -> None:
    """Of the memory that is read, and of the memory that is written."""
    for length in LENGTHS:
        payload = content(length)
        masked = xor(payload)
        for shift in range(9 if length < 200 else 2):
            source = memoryview(bytes(shift) + payload)[shift:]
            assert implementation.masking.apply_mask(source, KEY) == masked
            frame = bytearray(shift + length)
            frame[:shift] = b"\xee" * shift
            implementation.masking.mask_into(frame, shift, payload, KEY)
            assert frame == b"\xee" * shift + masked


@pytest.mark.parametrize("offset", [0, 1, 2, 3, 4, 5, 2**31 - 1, 2**32 + 2, 2**62 + 3])
def test_a_piece_from_within_a_payload(implementation: Implementation, offset: int) -> None:
    for length in (0, 1, 3, 4, 7, 8, 9, 17, 65537):
        piece = content(length)
        assert implementation.masking.apply_mask(piece, KEY, offset) == xor(piece, KEY, offset)


@pytest.mark.parametrize("offset", [0, 1, 2, 3, 4, 5, 2**31 - 1, 2**32 + 2, 2**62 + 3])
def test_a_piece_into_a_frame(implementation: Implementation, offset: int) -> None:
    for length in (0, 1, 3, 4, 7, 8, 9, 17, 65537):
        piece = content(length)
        frame = bytearray(b"\xee\xee" + bytes(length))
        implementation.masking.mask_into(frame, 2, piece, KEY, offset)
        assert frame == b"\xee\xee" + xor(piece, KEY, offset)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_kinds_of_memory(implementation: Implementation, kind: type) -> None:
    payload = kind(b"Hello")
    frame = bytearray(7)

    assert implementation.masking.apply_mask(payload, KEY) == xor(b"Hello")
    implementation.masking.mask_into(frame, 2, payload, KEY)

    assert frame == b"\0\0" + xor(b"Hello")
    assert bytes(payload) == b"Hello"


def test_the_result_is_bytes_of_its_own(implementation: Implementation) -> None:
    payload = bytearray(b"Hello")
    masked = implementation.masking.apply_mask(payload, KEY)
    payload.clear()
    assert type(masked) is bytes
    assert masked == xor(b"Hello")


@pytest.mark.parametrize("key", [b"", b"123", b"12345"])
def test_a_key_has_four_bytes(implementation: Implementation, key: bytes) -> None:
    with pytest.raises(ValueError, match="a masking key has 4 bytes"):
        implementation.masking.apply_mask(b"Hello", key)
    with pytest.raises(ValueError, match="a masking key has 4 bytes"):
        implementation.masking.mask_into(bytearray(5), 0, b"Hello", key)


@pytest.mark.parametrize(("size", "start"), [(4, 0), (6, 0), (5, 1), (5, -5), (0, 5)])
def test_a_frame_without_the_right_room_is_refused(
    implementation: Implementation, size: int, start: int
) -> None:
    frame = bytearray(size)
    with pytest.raises(ValueError, match=f"expected room for 5 bytes at {start}, frame has {size}"):
        implementation.masking.mask_into(frame, start, b"Hello", KEY)
    assert frame == bytes(size)


@given(st.binary(max_size=100), st.binary(min_size=4, max_size=4), st.integers(0, 2**63 - 1))
def test_any_payload_key_and_offset(payload: bytes, key: bytes, offset: int) -> None:
    for implementation in IMPLEMENTATIONS:
        masked = implementation.masking.apply_mask(payload, key, offset)
        assert masked == xor(payload, key, offset)
        assert implementation.masking.apply_mask(masked, key, offset) == payload


def test_without_the_compiled_module_python_masks() -> None:
    source = IMPLEMENTATIONS[0].masking
    assert source.apply_mask is source._apply_mask
    assert source.mask_into is source._mask_into
    if len(IMPLEMENTATIONS) > 1:
        assert masking.apply_mask is not masking._apply_mask
