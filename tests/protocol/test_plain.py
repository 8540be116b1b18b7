"""Frames that are whole messages: runs of them, and how long a run gets. See also test_messages."""

from __future__ import annotations

import pytest

from tests.protocol.frame_bytes import BINARY, FIN, TEXT, frame, header
from tests.protocol.implementations import Implementation
from tests.protocol.reading import read


@pytest.mark.parametrize(
    ("size", "longest"), [(0, 512), (16, 512), (500, 261), (4000, 33), (65_000, 3), (70_000, 2)]
)
def test_a_run_fits_the_caches(implementation: Implementation, size: int, longest: int) -> None:
    data = frame(FIN | BINARY, bytes(size), masked=False) * 1300
    assembler = implementation.messages.MessageAssembler(False, None, None)
    assembler.feed(data, len(data))
    runs = list(iter(assembler.next_batch, None))
    assert sum(runs, []) == [bytes(size)] * 1300
    assert max(map(len, runs)) == longest
    assert not assembler.has_unread()


@pytest.mark.parametrize("rest", [1, 2, 7])
def test_a_run_ends_before_a_cut_header(implementation: Implementation, rest: int) -> None:
    data = frame(FIN | TEXT, b"12345", masked=False) * 513
    assembler = implementation.messages.MessageAssembler(False, None, None)
    assembler.feed(data, 512 * 7 + rest)
    runs = list(iter(assembler.next_batch, None))
    assembler.feed(data[512 * 7 + rest :], 7 - rest)
    runs += iter(assembler.next_batch, None)
    assert sum(runs, []) == ["12345"] * 513


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 255, 256, 32767, 32768, 65535, 65536, 70000])
def test_every_length_form(implementation: Implementation, size: int) -> None:
    data = (
        frame(FIN | TEXT, b"a" * size, masked=False)
        + frame(FIN | BINARY, b"b" * size, masked=False)
    ) * 2
    outcome = read([data], implementation=implementation)
    assert outcome.items == ["a" * size, b"b" * size] * 2
    assert (outcome.frames, outcome.messages, outcome.message_bytes) == (4, 4, 4 * size)


def test_a_length_that_means_more_than_is_here_waits(implementation: Implementation) -> None:
    for size in (126, 0x10000, 0x1000000, 2**32, 2**32 + 1, 2**56, 2**63 - 1):
        outcome = read(
            [header(FIN | BINARY, size, masked=False) + b"x" * 20], implementation=implementation
        )
        assert (outcome.items, outcome.error, outcome.frames) == ([], None, 1), size


def test_the_limit_of_size_is_for_all(implementation: Implementation) -> None:
    data = frame(FIN | TEXT, b"12345", masked=False) + frame(FIN | TEXT, b"123456", masked=False)
    outcome = read([data], implementation=implementation, max_message_size=5)
    assert outcome.items == ["12345"]
    assert outcome.text.startswith("message too big: at least 6 bytes")


def test_bad_text_comes_behind_the_good(implementation: Implementation) -> None:
    data = frame(FIN | TEXT, b"12345", masked=False) + frame(FIN | TEXT, b"123\xff56", masked=False)
    outcome = read([data], implementation=implementation)
    assert outcome.items == ["12345"]
    assert outcome.text == "expected UTF-8 in a text message, got 0xff at byte 3"
    assert (outcome.frames, outcome.messages) == (2, 1)


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 31, 63, 64, 65, 79, 80, 127, 128, 129, 200])
def test_what_is_not_ascii_at_every_place(implementation: Implementation, size: int) -> None:
    texts = ["a" * place + "é" + "b" * (size - place - 1) for place in range(size)]
    texts += ["a" * place + "\U0001f600" + "b" * (size - place - 1) for place in range(size)]
    data = b"".join(frame(FIN | TEXT, text.encode(), masked=False) for text in texts)
    assert read([data], implementation=implementation).items == texts


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 63, 64, 65, 79, 80, 200])
def test_what_is_not_text_at_every_place(implementation: Implementation, size: int) -> None:
    for place in range(size):
        bad = b"a" * place + b"\x80" + b"b" * (size - place - 1)
        outcome = read(
            [frame(FIN | TEXT, bad, masked=False)],
            implementation=implementation,
        )
        assert outcome.items == []
        assert outcome.text == f"expected UTF-8 in a text message, got 0x80 at byte {place}"


def test_long_texts_of_either_kind_in_any_order(implementation: Implementation) -> None:
    size = 5000
    kinds = ["a" * size, "b" * (size - 1) + "é", "日" * size, "c" * 4096, "d" * 4095 + "é"]
    texts = [*kinds, *reversed(kinds), *kinds[::2], *kinds[1::2]]
    data = b"".join(frame(FIN | TEXT, text.encode(), masked=False) for text in texts)
    assert read([data], implementation=implementation).items == texts
    for place in (0, 63, 64, size // 2, size - 1):
        bad = b"a" * place + b"\x80" + b"b" * (size - place - 1)
        outcome = read(
            [data + frame(FIN | TEXT, bad, masked=False) + data], implementation=implementation
        )
        assert outcome.items == texts
        assert outcome.text == f"expected UTF-8 in a text message, got 0x80 at byte {place}"
