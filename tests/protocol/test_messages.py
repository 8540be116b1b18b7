"""Fragments, UTF-8 and size limits: RFC 6455 sections 5.4, 5.6, 8.1 and 10.4, at every split."""

from __future__ import annotations

import tracemalloc
import zlib
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.frame_bytes import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    TEXT,
    frame,
    header,
    xor,
)
from tests.protocol.implementations import IMPLEMENTATIONS, Implementation
from tests.protocol.reading import Outcome, read
from tests.protocol.splits import cut, every_split, places
from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.deflate_backend import Backend, inflate_backend, installed_backends
from tieline.protocol.events import Frame, MessageChunk
from tieline.protocol.wire import MAX_PAYLOAD_LENGTH, RSV1, Opcode

#: First bytes and payloads.
Parts = list[tuple[int, bytes]]


def stream_of(parts: Parts, masked: bool) -> bytes:
    return b"".join(frame(first, payload, masked=masked) for first, payload in parts)


def all_ways(implementation: Implementation, parts: Parts, **how: Any) -> Outcome:
    """What the frames make, the same in both roles and at every split."""
    outcomes = [
        read(pieces, masked=masked, implementation=implementation, **how)
        for masked in (False, True)
        for pieces in every_split(stream_of(parts, masked))
    ]
    for outcome in outcomes:
        assert outcome == outcomes[0]
    return outcomes[0]


class TestFragments:
    """Section 5.4."""

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            ([(TEXT, b"Hel"), (FIN, b"lo")], "Hello"),
            ([(TEXT, b""), (CONTINUATION, b"Hello"), (FIN, b"")], "Hello"),
            ([(TEXT, b""), (FIN, b"")], ""),
            ([(BINARY, b"\xff"), (CONTINUATION, b""), (FIN, b"\xfe")], b"\xff\xfe"),
            ([(BINARY, b""), (FIN, b"")], b""),
        ],
    )
    def test_are_joined(
        self, implementation: Implementation, parts: Parts, message: str | bytes
    ) -> None:
        # Twice: nothing of a message may be left over in the next one.
        outcome = all_ways(implementation, parts + parts)
        assert outcome.items == [message, message]
        assert (outcome.frames, outcome.messages) == (2 * len(parts), 2)

    def test_let_control_frames_through(self, implementation: Implementation) -> None:
        parts = [
            (TEXT, b"Hel"),
            (FIN | PING, b"1"),
            (CONTINUATION, b""),
            (FIN | PONG, b"2"),
            (FIN | PING, b""),
            (FIN | CONTINUATION, b"lo"),
            (FIN | PONG, b"3"),
        ]
        assert all_ways(implementation, parts).items == [
            Frame(Opcode.PING, b"1"),
            Frame(Opcode.PONG, b"2"),
            Frame(Opcode.PING, b""),
            "Hello",
            Frame(Opcode.PONG, b"3"),
        ]

    def test_a_control_frame_does_not_split_a_character(
        self, implementation: Implementation
    ) -> None:
        parts = [(TEXT, b"\xe2\x82"), (FIN | PING, b"\xff"), (FIN | CONTINUATION, b"\xac")]
        assert all_ways(implementation, parts).items == [Frame(Opcode.PING, b"\xff"), "€"]

    @pytest.mark.parametrize("first", [CONTINUATION, FIN | CONTINUATION])
    @pytest.mark.parametrize("before", [[], [(FIN | TEXT, b"a")], [(TEXT, b"a"), (FIN, b"")]])
    def test_need_a_first_one(
        self, implementation: Implementation, before: Parts, first: int
    ) -> None:
        outcome = all_ways(implementation, [*before, (first, b"x")])
        assert outcome.items == ["a"] * bool(before)
        assert outcome.error == (
            ProtocolError,
            "expected a TEXT or BINARY frame, got a CONTINUATION without a message before it",
            1002,
        )

    @pytest.mark.parametrize("second", [TEXT, BINARY, FIN | TEXT, FIN | BINARY])
    @pytest.mark.parametrize("first", [TEXT, BINARY])
    def test_are_finished_before_the_next_message(
        self, implementation: Implementation, first: int, second: int
    ) -> None:
        outcome = all_ways(implementation, [(first, b"a"), (second, b"b")])
        assert outcome.items == []
        assert outcome.error == (
            ProtocolError,
            f"expected a continuation frame of the {Opcode(first).name} message, "
            f"got a {Opcode(second & 0x0F).name} frame (RFC 6455 section 5.4)",
            1002,
        )


class TestOrder:
    """What comes before a bad frame is delivered before the error is raised."""

    def test_good_messages_first(self, implementation: Implementation) -> None:
        parts = [(FIN | TEXT, b"one"), (FIN | PING, b"two"), (FIN | BINARY, b"three"), (0x83, b"")]
        outcome = all_ways(implementation, parts)
        assert outcome.items == ["one", Frame(Opcode.PING, b"two"), b"three"]
        assert outcome.close_code == 1002

    def test_a_read_full_of_messages_is_one_batch(self, implementation: Implementation) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        data = stream_of([(FIN | TEXT, b"a"), (FIN | BINARY, b"b"), (0x8B, b"")], False)
        assembler.feed(data, len(data))
        assert assembler.next_batch() == ["a", b"b"]
        # The stream can't be continued: asking again is no way around the error.
        for _ in range(40):
            with pytest.raises(ProtocolError, match="reserved 0xb"):
                assembler.next_batch()


GOOD_TEXTS = [
    "",
    "\0",
    "\r\n \n \r",  # line ends are nobody's to translate
    "\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff",  # the first and last of each length
    "\ud7ff\ue000",  # the neighbours of the surrogates
    "κόσμε",
    "\ufeff a byte order mark is a character",
]

#: Bad bytes, the byte that makes them bad (its place), all by Unicode's table 3-7.
BAD_TEXTS = [
    ("80", 0),  # a continuation without a start
    ("c0 80", 0),  # overlong NUL
    ("c1 bf", 0),  # overlong DEL
    ("e0 80 80", 0),  # overlong NUL in three
    ("e0 9f bf", 0),  # overlong U+07FF
    ("f0 80 80 80", 0),  # overlong NUL in four
    ("f0 8f bf bf", 0),  # overlong U+FFFF
    ("ed a0 80", 0),  # the first surrogate
    ("ed bf bf", 0),  # the last surrogate
    ("ed a0", 0),  # half of one
    ("ed a0 80 ed b0 80", 0),  # a pair of them
    ("f4 90 80 80", 0),  # U+110000
    ("f5 80 80 80", 0),
    ("f8 88 80 80 80", 0),  # five bytes
    ("fe", 0),
    ("ff", 0),
    ("61 62 ff 63", 2),
    ("e2 28 a1", 0),  # the second byte is no continuation
    ("e2 82 28", 0),  # nor is the third
    ("61 f0 9f 98 28", 1),
    ("ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65", 11),  # Autobahn 6.4.1
]

#: Characters that are cut.
CUT_TEXTS = ["c2", "e0 a0", "e2 82", "f0 90", "f0 90 80", "f4 8f bf", "61 62 e2 82"]


class TestUTF8:
    """Section 8.1: text that is not UTF-8 fails the connection, here with 1007."""

    @pytest.mark.parametrize("text", GOOD_TEXTS)
    def test_good_text(self, implementation: Implementation, text: str) -> None:
        data = text.encode()
        assert all_ways(implementation, [(FIN | TEXT, data)]).items == [text]
        for place in range(len(data) + 1):
            parts = [(TEXT, data[:place]), (FIN, data[place:])]
            pieces = [stream_of(parts, False)]
            assert read(pieces, implementation=implementation).items == [text]
        one_by_one = [(TEXT, b""), *((CONTINUATION, bytes([byte])) for byte in data), (FIN, b"")]
        assert all_ways(implementation, one_by_one).items == [text]

    @pytest.mark.parametrize(("bad", "place"), BAD_TEXTS)
    def test_bad_text(self, implementation: Implementation, bad: str, place: int) -> None:
        data = bytes.fromhex(bad)
        expected = (
            ProtocolError,
            f"expected UTF-8 in a text message, got {data[place]:#04x} at byte {place}",
            1007,
        )
        assert all_ways(implementation, [(FIN | TEXT, data)]).error == expected
        one_by_one = [(TEXT, b""), *((CONTINUATION, bytes([byte])) for byte in data)]
        assert all_ways(implementation, one_by_one).error == expected
        # As deep in a message as may be, and after another message.
        longer = [(FIN | TEXT, "€".encode()), (TEXT, "aé€".encode()), (FIN, data)]
        outcome = all_ways(implementation, longer)
        assert outcome.items == ["€"]
        assert outcome.text.endswith(f"got {data[place]:#04x} at byte {6 + place}")

    @pytest.mark.parametrize(("bad", "place"), BAD_TEXTS)
    def test_fails_at_the_first_byte_that_cannot_be_mended(
        self, implementation: Implementation, bad: str, place: int
    ) -> None:
        """Long before the frame is complete: 6.4.1 to 6.4.4 of Autobahn."""
        data = b"ab" + bytes.fromhex(bad)
        fatal = next(end for end in range(1, len(data) + 1) if not could_be_text(data[:end]))
        for masked in (False, True):
            body = xor(data) if masked else data
            start = [header(FIN | TEXT, 1000, masked=masked)]
            before = read([*start, body[: fatal - 1]], masked=masked, implementation=implementation)
            assert before.error is None
            after = read([*start, body[:fatal]], masked=masked, implementation=implementation)
            assert after.close_code == 1007

    @pytest.mark.parametrize("bad", CUT_TEXTS)
    def test_a_message_ends_with_a_whole_character(
        self, implementation: Implementation, bad: str
    ) -> None:
        data = bytes.fromhex(bad)
        rest = data.removeprefix(b"ab")
        expected = (
            ProtocolError,
            f"expected UTF-8 in a text message, got one that ends within a character ({rest!r})",
            1007,
        )
        assert all_ways(implementation, [(FIN | TEXT, data)]).error == expected
        assert all_ways(implementation, [(TEXT, data), (FIN, b"")]).error == expected
        assert all_ways(implementation, [(TEXT, b"x"), (FIN, data)]).error == expected

    def test_binary_is_anything(self, implementation: Implementation) -> None:
        data = bytes(range(256))[:50] + b"\xff\xfe\xed\xa0\x80"
        assert all_ways(implementation, [(FIN | BINARY, data)]).items == [data]

    def test_text_as_bytes_is_checked_all_the_same(self, implementation: Implementation) -> None:
        how: dict[str, Any] = {"decode_text": False}
        parts = [(FIN | TEXT, "é".encode()), (TEXT, "€".encode()[:2]), (FIN, "€".encode()[2:])]
        assert all_ways(implementation, parts, **how).items == ["é".encode(), "€".encode()]
        assert all_ways(implementation, [(FIN | TEXT, b"\xff")], **how).close_code == 1007
        assert all_ways(implementation, [(TEXT, b""), (0, b"\xff")], **how).close_code == 1007
        assert all_ways(implementation, [(FIN | TEXT, b"\xe2")], **how).close_code == 1007


def could_be_text(data: bytes) -> bool:
    """Can further bytes make text of it? Asked of every continuation that there may be."""
    tails = ["", "80", "bf", "90", "8080", "bfbf", "9080", "8f80", "808080", "bfbfbf", "908080"]
    tails += ["a080", "9f80", "8fbfbf", "8f8080"]
    for tail in tails:
        try:
            (data + bytes.fromhex(tail)).decode()
        except UnicodeDecodeError:
            continue
        return True
    return False


def too_big(size: int, limit: int) -> tuple[type, str, int]:
    return (
        MessageTooBig,
        f"message too big: at least {size} bytes, the SIDE's max_message_size is {limit}",
        1009,
    )


class TestLimits:
    """Section 10.4. The error names side, size, limit and option."""

    def test_size_of_a_message(self, implementation: Implementation) -> None:
        how: dict[str, Any] = {"max_message_size": 4}
        good = [(FIN | TEXT, b"1234"), (FIN | BINARY, b"1234"), (BINARY, b"12"), (FIN, b"34")]
        assert all_ways(implementation, good + good, **how).messages == 6
        outcome = all_ways(implementation, [*good, (FIN | TEXT, b"12345")], **how)
        assert outcome.messages == 3
        assert outcome.error == too_big(5, 4)

    def test_sum_of_fragments(self, implementation: Implementation) -> None:
        parts = [(BINARY, b"12"), (FIN | PING, b"123456"), (CONTINUATION, b"34"), (FIN, b"5")]
        outcome = all_ways(implementation, parts, max_message_size=4)
        assert outcome.items == [Frame(Opcode.PING, b"123456")]
        assert outcome.error == too_big(5, 4)

    def test_bytes_are_counted_not_characters(self, implementation: Implementation) -> None:
        assert all_ways(
            implementation, [(FIN | TEXT, "€€".encode())], max_message_size=5
        ).error == too_big(6, 5)

    @pytest.mark.parametrize("announced", [2**31, 2**32 - 1, 2**63 - 1])
    def test_a_sum_that_no_integer_of_64_bits_holds(
        self, implementation: Implementation, announced: int
    ) -> None:
        for masked in (False, True):
            stream = frame(BINARY, b"ab", masked=masked)
            stream += header(FIN, announced, masked=masked)
            for limit in (100, 2**31 - 1):
                for pieces in every_split(stream):
                    outcome = read(
                        pieces, masked=masked, max_message_size=limit, implementation=implementation
                    )
                    assert outcome.error == too_big(announced + 2, limit)

    def test_nothing_is_over_the_greatest_limit_but_a_sum(
        self, implementation: Implementation
    ) -> None:
        for limit in (None, MAX_PAYLOAD_LENGTH, 2**63, 2**64, 10**30):
            stream = header(FIN | BINARY, 2**63 - 1, masked=False)
            assert read([stream], max_message_size=limit, implementation=implementation) == Outcome(
                [], None, 1, 0, 0
            )
            stream = frame(BINARY, b"a", masked=False) + header(FIN, 2**63 - 1, masked=False)
            outcome = read([stream], max_message_size=limit, implementation=implementation)
            assert outcome.error == too_big(2**63, MAX_PAYLOAD_LENGTH)

    def test_number_of_fragments(self, implementation: Implementation) -> None:
        good = [(TEXT, b""), (CONTINUATION, b""), (FIN | PING, b""), (FIN, b"")]
        assert all_ways(implementation, good + good, max_fragments=3).messages == 2
        bad = [(TEXT, b""), (0, b""), (0, b""), (FIN, b"")]
        assert all_ways(implementation, bad, max_fragments=3).error == (
            MessageTooBig,
            "message too big: more than 3 fragments, the SIDE's max_fragments is 3",
            1009,
        )
        assert all_ways(implementation, [(FIN | TEXT, b"a")] * 3, max_fragments=1).messages == 3
        assert all_ways(implementation, bad, max_fragments=10**30).messages == 1


def deflate(*messages: bytes, level: int = 1) -> list[bytes]:
    """Payloads of messages that follow each other on one connection."""
    context = zlib.compressobj(level, wbits=-15)
    return [(context.compress(m) + context.flush(zlib.Z_SYNC_FLUSH))[:-4] for m in messages]


BACKENDS = pytest.mark.parametrize("backend", installed_backends(), ids=lambda each: each.name)


class TestCompression:
    """RFC 7692 section 6."""

    @BACKENDS
    def test_messages(self, implementation: Implementation, backend: Backend) -> None:
        one, two, three, empty = deflate(b"Hello", "€".encode(), b"Hello", b"")
        parts = [
            (FIN | TEXT | RSV1, one),
            (FIN | TEXT, b"plain"),  # 6.: each message by itself is compressed or not
            (BINARY | RSV1, two[:2]),
            (FIN | PING, b"between"),
            (CONTINUATION, b""),
            (FIN, two[2:]),
            (TEXT | RSV1, three[:1]),
            (FIN, three[1:]),
            (FIN | TEXT | RSV1, empty),
        ]
        outcome = all_ways(implementation, parts, deflated=backend)
        expected = ["Hello", "plain", Frame(Opcode.PING, b"between"), "€".encode(), "Hello", ""]
        assert outcome.items == expected
        # What they are after inflation is what counts.
        assert (outcome.messages, outcome.message_bytes) == (5, 5 + 5 + 3 + 5)

    def test_a_message_that_ends_at_a_block_boundary(self, implementation: Implementation) -> None:
        context = zlib.compressobj(wbits=-15)
        blocks = [context.compress(b"ab" * 9) + context.flush(zlib.Z_SYNC_FLUSH) for _ in range(2)]
        parts = [(TEXT | RSV1, blocks[0]), (0, blocks[1]), (FIN, b"\x00")]
        outcome = all_ways(implementation, parts, deflated=inflate_backend())
        assert outcome.items == ["ab" * 18]

    def test_only_when_it_was_negotiated(self, implementation: Implementation) -> None:
        outcome = all_ways(implementation, [(FIN | TEXT | RSV1, deflate(b"Hello")[0])])
        assert outcome.text == "expected no RSV bit without a negotiated extension, got 0x40"
        assert outcome.close_code == 1002

    @pytest.mark.parametrize("opcode", [CONTINUATION, CLOSE, PING, PONG])
    def test_only_the_first_frame_of_a_data_message_says_so(
        self, implementation: Implementation, opcode: int
    ) -> None:
        parts = [(TEXT | RSV1, b""), (FIN | opcode | RSV1, b"")]
        outcome = all_ways(implementation, parts, deflated=inflate_backend())
        assert "expected RSV1 (compressed) on the first frame of a data message" in outcome.text
        assert outcome.close_code == 1002

    @pytest.mark.parametrize("bits", [0x10, 0x20, 0x50, 0x70])
    def test_no_other_bit(self, implementation: Implementation, bits: int) -> None:
        outcome = all_ways(implementation, [(FIN | TEXT | bits, b"")], deflated=inflate_backend())
        assert (
            f"expected no RSV bit without a negotiated extension, got {bits:#04x}" in outcome.text
        )

    @BACKENDS
    def test_text_is_checked_behind_the_inflation(
        self, implementation: Implementation, backend: Backend
    ) -> None:
        payloads = deflate(b"good", b"b\xffd")
        parts = [(FIN | TEXT | RSV1, payload) for payload in payloads]
        outcome = all_ways(implementation, parts, deflated=backend)
        assert outcome.items == ["good"]
        assert outcome.text == "expected UTF-8 in a text message, got 0xff at byte 1"
        as_bytes = all_ways(implementation, parts[:1], deflated=backend, decode_text=False)
        assert as_bytes.items == [b"good"]

    @BACKENDS
    def test_the_limit_is_that_of_the_inflated_message(
        self, implementation: Implementation, backend: Backend
    ) -> None:
        fits, bomb = deflate(bytes(1000), bytes(1001))
        for split in ([bomb], [bomb[:3], bomb[3:]]):
            parts = [(FIN | BINARY | RSV1, fits), (BINARY | RSV1, split[0])]
            parts += [(0, part) for part in split[1:]] + [(FIN, b"")]
            outcome = all_ways(implementation, parts, deflated=backend, max_message_size=1000)
            assert outcome.items == [bytes(1000)]
            assert outcome.text == (
                "message too big: at least 1001 bytes inflated, the SIDE's max_message_size is 1000"
            )
            assert outcome.close_code == 1009

    def test_data_that_grow_are_no_message(self, implementation: Implementation) -> None:
        """Empty blocks make no message bigger, but neither do they ever end it."""
        stream = header(BINARY | RSV1, 2150, masked=False)
        how: dict[str, Any] = {"implementation": implementation, "deflated": inflate_backend()}
        outcome = read([stream], max_message_size=1000, **how)
        assert outcome.text == (
            "message too big: at least 2150 compressed bytes, the SIDE's max_message_size is 1000"
        )
        empty = b"\x00\x00\x00\xff\xff" * 200
        parts = [(BINARY | RSV1, empty)] + [(0, empty)] * 2
        outcome = read([stream_of(parts, False)], max_message_size=1000, **how)
        assert outcome.text.startswith("message too big: at least 3000 compressed bytes")
        # Stored blocks with their headers are within it.
        stored = deflate(bytes(range(250)) * 4, level=0)
        outcome = read(
            [frame(FIN | BINARY | RSV1, stored[0], masked=False)], max_message_size=1000, **how
        )
        assert outcome.items == [bytes(range(250)) * 4]

    def test_a_run_of_bombs_is_handed_out_one_by_one(self, implementation: Implementation) -> None:
        size = 2_000_000
        data = b"".join(
            frame(FIN | BINARY | RSV1, payload, masked=False)
            for payload in deflate(*[bytes(size)] * 3)
        )
        assembler = implementation.messages.MessageAssembler(False, size, None)
        assembler.enable_compression(implementation.new_inflater(inflate_backend()))
        assembler.feed(data, len(data))
        assert [len(run) for run in iter(assembler.next_batch, None)] == [1, 1, 1]

    def test_memory_may_be_used_again_in_between(self, implementation: Implementation) -> None:
        data = bytearray()
        for payload in deflate(*[bytes(2_000_000)] * 2):
            data += frame(FIN | BINARY | RSV1, payload, masked=False)
        data += frame(FIN | TEXT, b"plain", masked=False)
        assembler = implementation.messages.MessageAssembler(False, None, None)
        assembler.enable_compression(implementation.new_inflater(inflate_backend()))
        assembler.feed(data, len(data))
        runs = [assembler.next_batch()]
        assert assembler.has_unread()
        assembler.keep()
        data[:] = bytes(len(data))
        runs += list(iter(assembler.next_batch, None))
        assert runs == [[bytes(2_000_000)], [bytes(2_000_000)], ["plain"]]
        assert not assembler.has_unread()


BIG = 700_000
ASCII = bytes(32 + place % 90 for place in range(BIG))
WIDE = "é".encode()


class TestBigMessages:
    """Most of a big frame is read to where its message will stay; `read` does what is asked."""

    @pytest.mark.parametrize(
        "parts",
        [
            [(FIN | BINARY, ASCII)],
            [(FIN | TEXT, ASCII)],
            [(FIN | TEXT, ASCII * 3)],
            [(FIN | TEXT, ASCII[:10] + WIDE + ASCII)],
            [(FIN | TEXT, ASCII[:400_000] + WIDE + ASCII)],
            [(FIN | TEXT, ASCII + WIDE)],
            [(FIN | TEXT, WIDE * 400_000)],
            [(FIN | TEXT, "日本語".encode() * 100_000)],
            [(TEXT, b"ab"), (FIN, ASCII)],
            [(TEXT, WIDE[:1]), (FIN, WIDE[1:] + ASCII)],
            [(TEXT, ASCII), (PING | FIN, b"now"), (CONTINUATION, b""), (FIN, ASCII)],
            [(TEXT, ASCII + WIDE[:1]), (FIN, WIDE[1:] + ASCII)],
            [(BINARY, ASCII), (CONTINUATION, b"x"), (CONTINUATION, ASCII), (FIN, b"")],
            [(FIN | BINARY, ASCII), (FIN | TEXT, b"small"), (FIN | TEXT, ASCII)],
            [(FIN | TEXT, ASCII[:500_000] + b"\xff" + ASCII)],
            [(FIN | TEXT, ASCII + b"\xed\xa0")],
            [(FIN | TEXT, ASCII + WIDE[:1])],
            [(TEXT, ASCII), (FIN | TEXT, ASCII)],
        ],
    )
    @pytest.mark.parametrize("decode_text", [True, False])
    def test_are_the_same_however_they_come(
        self, implementation: Implementation, parts: Parts, decode_text: bool
    ) -> None:
        how: Any = {"implementation": implementation, "decode_text": decode_text}
        data = stream_of(parts, False)
        whole = read([data], **how)
        for streaming in (False, True):
            for step in (7_777, 100_000, 300_001, 699_999):
                pieces = [data[i : i + step] for i in range(0, len(data), step)]
                assert read(pieces, streaming=streaming, **how) == whole
        pieces = [stream_of(parts, True)[:99_999], stream_of(parts, True)[99_999:]]
        assert read(pieces, masked=True, **how) == whole

    def test_only_what_lacks_much_is_read_directly(self, implementation: Implementation) -> None:
        for end, is_asked_for in ((5, False), (20, True), (BIG - 1000, False)):
            for streaming in (False, True):
                assembler = implementation.messages.MessageAssembler(False, None, None)
                if streaming:
                    assembler.stream()
                assembler.feed(frame(FIN | BINARY, ASCII, masked=False), end)
                list(iter(assembler.next_batch, None))
                assert (assembler.target is not None) is (is_asked_for and not streaming)
                assembler.release()
                assert assembler.target is None

    def test_what_was_read_directly_is_let_go_as_well(self, implementation: Implementation) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        data = frame(FIN | BINARY, ASCII, masked=False)
        assembler.feed(data, 1000)
        assert assembler.next_batch() is None
        assembler.target[:10] = data[1000:1010]
        assembler.received_directly(10)
        assembler.release()
        assert assembler.next_batch() is None and assembler.target is None

    def test_bad_text_is_noticed_before_the_end(self, implementation: Implementation) -> None:
        data = frame(FIN | TEXT, ASCII[:400_000] + b"\xff" + ASCII, masked=False)
        outcome = read([data[:300_000], data[300_000:500_000]], implementation=implementation)
        assert outcome.text == "expected UTF-8 in a text message, got 0xff at byte 400000"

    def test_room_is_not_made_for_what_is_only_announced(
        self, implementation: Implementation
    ) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        data = header(FIN | BINARY, 2**50, masked=False) + b"x"
        assembler.feed(data, len(data))
        assert assembler.next_batch() is None
        assert assembler.target is not None and len(assembler.target) <= 1024 * 1024

    @pytest.mark.parametrize("missing", [1, 200_000])
    def test_all_of_it_is_read_to_where_it_stays(
        self, implementation: Implementation, missing: int
    ) -> None:
        """To its very end; but of a frame that lacks little the rest comes with what follows."""
        assembler = implementation.messages.MessageAssembler(False, None, None)
        data = header(BINARY, 500_000, masked=False) + b"x"
        assembler.feed(data, len(data))
        assert assembler.next_batch() is None
        assembler.received_directly(499_999 - missing)
        assert assembler.next_batch() is None
        assert len(assembler.target) == missing
        assembler.received_directly(missing)
        assert assembler.next_batch() is None and assembler.target is None
        data = header(FIN, 200_000, masked=False) + b"x"
        assembler.feed(data, len(data))
        assert assembler.next_batch() is None and assembler.target is None

    def test_the_next_one_has_room_for_as_much_as_the_last_one_had(
        self, implementation: Implementation
    ) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        size = 3 * 1024 * 1024
        rooms = []
        for announced in (size, size, size // 2, 2**50):
            data = header(FIN | BINARY, announced, masked=False) + b"x"
            assembler.feed(data, len(data))
            batch = assembler.next_batch()
            rooms.append(len(assembler.target))
            while announced < 2**50 and batch is None:
                assembler.received_directly(len(assembler.target))
                batch = assembler.next_batch()
            assert batch is None or [len(message) for message in batch] == [announced]
        if implementation.storage.Storage.is_quick:
            assert rooms == [1024 * 1024, size - 1, size // 2 - 1, size // 2]
        else:  # where room is memory that was written to
            assert rooms == [1024 * 1024] * 4

    @pytest.mark.parametrize("here", [0, 10, 15_000, 16_000])
    def test_room_is_made_when_a_sixteenth_is_here(
        self, implementation: Implementation, here: int
    ) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        data = header(FIN | TEXT, 250_000, masked=False) + bytes(here)
        tracemalloc.start()
        try:
            assembler.feed(data, len(data))
            assert assembler.next_batch() is None
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert assembler.target is None
        if implementation.storage.Storage.is_quick and here * 16 > 250_000:
            assert 250_000 <= taken < 260_000
        else:
            assert taken < 2 * here + 10_000

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_nothing_stays_behind_a_cut_message(
        self, implementation: Implementation, opcode: int
    ) -> None:
        """Whichever way it was gathered, and its header came alone."""
        data = frame(FIN | opcode, bytes(100), masked=False)
        assembler = implementation.messages.MessageAssembler(False, None, None)

        def receive() -> list[Any]:
            items: list[Any] = []
            for begin, end in ((0, 2), (2, 50), (50, 102)):
                assembler.feed(data[begin:end], end - begin)
                items += iter(assembler.next_batch, None)
            return items

        receive()  # what is made for the first one stays
        tracemalloc.start()
        try:
            receive()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept < 150  # (the last piece)

    def test_can_be_streamed_from_the_middle_on(self, implementation: Implementation) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        data = frame(FIN | TEXT, ASCII, masked=False)
        assembler.feed(data, 1000)
        assert assembler.next_batch() is None
        assembler.stream()
        assembler.target[:10] = data[1000:1010]
        assembler.received_directly(10)
        items = [assembler.next_batch()]
        assert assembler.next_batch() is None
        assert assembler.target is None
        assembler.feed(data[1010:], len(data) - 1010)
        items += iter(assembler.next_batch, None)
        text = ASCII.decode()
        assert items == [MessageChunk(text[:1000], False), MessageChunk(text[1000:], True)] or (
            "".join(item.data for item in items) == text and items[-1].is_last
        )


class TestStreaming:
    """A message that does not come whole is handed out in chunks."""

    def test_as_it_comes(self, implementation: Implementation) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        assembler.stream()
        whole = stream_of([(FIN | TEXT, b"whole")], False)
        first, last = stream_of([(TEXT, b"a\xe2")], False), stream_of([(FIN, b"\x82\xac")], False)
        ping = stream_of([(FIN | PING, b"")], False)
        made = []
        for piece in (whole + first[:-1], first[-1:], ping + last[:-1], last[-1:], whole + whole):
            assembler.feed(piece, len(piece))
            made.append(list(iter(assembler.next_batch, None)))
        assert made == [
            [["whole"], MessageChunk("a", False)],
            [],  # a part of a character is nothing to hand out
            [Frame(Opcode.PING, b"")],
            [MessageChunk("€", True)],
            [["whole", "whole"]],
        ]

    def test_in_the_middle_of_a_message(self, implementation: Implementation) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        data = stream_of([(BINARY, b"ab"), (FIN, b"c"), (FIN | TEXT, b"next")], False)
        assembler.feed(data[:4], 4)
        assert assembler.next_batch() is None
        assembler.stream()
        assert assembler.next_batch() == MessageChunk(b"ab", False)
        assembler.feed(data[4:], len(data) - 4)
        assert list(iter(assembler.next_batch, None)) == [MessageChunk(b"c", True), ["next"]]

    def test_chunks_are_bounded(self, implementation: Implementation) -> None:
        size = 3_000_000
        assembler = implementation.messages.MessageAssembler(False, None, None)
        assembler.enable_compression(implementation.new_inflater(inflate_backend()))
        assembler.stream()
        data = frame(FIN | TEXT | RSV1, deflate("€".encode() * size)[0], masked=False)
        assembler.feed(data, len(data))
        chunks = list(iter(assembler.next_batch, None))
        assert max(len(chunk.data.encode()) for chunk in chunks) <= 256 * 1024 + 2
        assert "".join(chunk.data for chunk in chunks) == "€" * size
        assert [chunk.is_last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]

    def test_an_error_comes_behind_the_chunks(self, implementation: Implementation) -> None:
        parts = [(TEXT, b"good"), (FIN | PING, b""), (FIN, b"\xff")]
        assembler = implementation.messages.MessageAssembler(False, None, None)
        assembler.stream()
        data = stream_of(parts, False)
        assembler.feed(data, len(data))
        assert assembler.next_batch() == MessageChunk("good", False)
        assert assembler.next_batch() == Frame(Opcode.PING, b"")
        for _ in range(2):
            with pytest.raises(ProtocolError, match="0xff at byte 4"):
                assembler.next_batch()

    def test_the_limit_is_that_of_the_whole_message(self, implementation: Implementation) -> None:
        parts = [(BINARY, b"12"), (FIN | PING, b""), (0, b"34"), (FIN, b"5")]
        outcome = all_ways(implementation, parts, max_message_size=4, streaming=True)
        assert outcome.items == [Frame(Opcode.PING, b"")]
        assert outcome.error == too_big(5, 4)


FIRST_BYTES = [TEXT, BINARY, 0, FIN | TEXT, FIN | BINARY, FIN, FIN | PING, FIN | PONG, FIN | CLOSE]
FIRST_BYTES += [TEXT | RSV1, BINARY | RSV1, FIN | TEXT | RSV1, FIN | BINARY | RSV1]
anything = st.lists(
    st.tuples(
        st.sampled_from(FIRST_BYTES),
        st.one_of(
            st.text(max_size=4).map(str.encode),
            st.binary(max_size=6),
            st.sampled_from(deflate(b"Hello", b"Hello", b"")),
        ),
    ),
    max_size=8,
)


@given(
    anything,
    places,
    st.booleans(),
    st.sampled_from([None, 3, 8]),
    st.sampled_from([None, 2]),
    st.sampled_from([None, *installed_backends()]),
)
def test_any_frames_at_any_cuts(
    parts: Parts,
    where: list[int],
    masked: bool,
    size: int | None,
    fragments: int | None,
    deflated: Backend | None,
) -> None:
    """Neither the cuts, nor the role, nor the way they are handed out change what frames mean."""
    for implementation in IMPLEMENTATIONS:
        whole = read(
            [stream_of(parts, False)],
            max_message_size=size,
            max_fragments=fragments,
            deflated=deflated,
            implementation=implementation,
        )
        for frame_by_frame, streaming in product((False, True), repeat=2):
            other = read(
                cut(stream_of(parts, masked), where),
                masked=masked,
                max_message_size=size,
                max_fragments=fragments,
                frame_by_frame=frame_by_frame,
                deflated=deflated,
                streaming=streaming,
                implementation=implementation,
            )
            if deflated is None:
                assert other == whole
            else:
                assert other.without_which_error() == whole.without_which_error()


messages = st.lists(st.one_of(st.text(max_size=20), st.binary(max_size=20)), max_size=5)


@given(messages, places, places)
def test_any_messages_in_any_fragments(
    sent: list[str | bytes], where: list[int], fragment_where: list[int]
) -> None:
    parts: Parts = []
    for message in sent:
        data = message.encode() if isinstance(message, str) else message
        pieces = cut(data, fragment_where) or [b""]
        opcodes = [TEXT if isinstance(message, str) else BINARY] + [CONTINUATION] * len(pieces)
        parts += list(zip(opcodes, pieces, strict=False))
        parts[-1] = (parts[-1][0] | FIN, parts[-1][1])
    for implementation in IMPLEMENTATIONS:
        outcome = read(
            cut(stream_of(parts, True), where), masked=True, implementation=implementation
        )
        assert outcome.items == sent
        assert outcome.message_bytes == sum(
            len(m.encode() if isinstance(m, str) else m) for m in sent
        )
