"""Pieces of a message's payload, at every cut, in both implementations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.implementations import IMPLEMENTATIONS, Implementation
from tests.protocol.splits import cut, every_split, places
from tieline.errors import ProtocolError

TEXT = "aß€\U0001f600"


def content(implementation: Implementation, *, is_text: bool, decode_text: bool = True) -> Any:
    made = implementation.content.MessageContent(decode_text)
    made.is_text = is_text
    return made


@pytest.mark.parametrize("decode_text", [True, False])
def test_text_in_pieces(implementation: Implementation, decode_text: bool) -> None:
    for pieces in every_split(TEXT.encode()):
        text = content(implementation, is_text=True, decode_text=decode_text)
        for _ in range(2):  # nothing of one is left for the next
            for piece in pieces:
                text.add(memoryview(piece))
            assert text.waiting == len(TEXT.encode())
            assert text.finish() == (TEXT if decode_text else TEXT.encode())
            assert text.waiting == 0


def test_taken_piece_by_piece(implementation: Implementation) -> None:
    for pieces in every_split(TEXT.encode()):
        text = content(implementation, is_text=True)
        taken = []
        for piece in pieces:
            text.add(piece)
            taken.append(text.take())
        assert "".join(taken) + text.finish() == TEXT


def test_binary_is_anything(implementation: Implementation) -> None:
    data = bytes(range(256))
    for pieces in ([data], [data[:200], b"", data[200:]]):
        binary = content(implementation, is_text=False)
        for piece in pieces:
            binary.add(piece)
        assert binary.finish() == data


def test_what_was_taken_does_not_change(implementation: Implementation) -> None:
    binary = content(implementation, is_text=False)
    binary.add(b"first")
    taken = binary.take()
    binary.add(b"second")
    assert (taken, binary.finish()) == (b"first", b"second")


def test_a_message_cannot_end_within_a_character(implementation: Implementation) -> None:
    text = content(implementation, is_text=True)
    text.add("€".encode()[:2])
    assert text.take() == ""
    with pytest.raises(ProtocolError, match="ends within a character") as caught:
        text.finish()
    assert caught.value.close_code == 1007


def test_what_is_released_is_gone(implementation: Implementation) -> None:
    for is_text in (True, False):
        released = content(implementation, is_text=is_text)
        released.add(b"abc")
        released.release()
        assert not released.take()


@given(st.binary(max_size=12), places)
def test_the_place_of_a_bad_byte_does_not_depend_on_the_cuts(data: bytes, where: list[int]) -> None:
    try:
        expected: str | None = data.decode()
    except UnicodeDecodeError:
        expected = None
    errors = set()
    for implementation in IMPLEMENTATIONS:
        for pieces in ([data], cut(data, where)):
            text = content(implementation, is_text=True)
            try:
                for piece in pieces:
                    text.add(piece)
                assert text.finish() == expected
            except ProtocolError as error:
                errors.add(str(error))
    assert len(errors) == (expected is None)
