"""What the benchmark's clients send: messages of one shape, and ever new values."""

from __future__ import annotations

import json

import pytest

from bench.feed import feed, piece


@pytest.mark.parametrize("size", [300, 4096])
def test_messages_are_as_long_as_asked_for_and_all_different(size: int) -> None:
    messages = feed(size)
    assert len(set(messages)) == len(messages)
    assert all(abs(len(message) - size) < 25 for message in messages)
    assert json.loads(messages[0])["asks"]


def test_a_piece_may_be_text_or_not() -> None:
    assert len(piece()) == 1 << 18 and piece().isascii()
