"""RFC 6455 section 5.2, header by header, in both roles and at every split."""

from __future__ import annotations

import pytest

from tests.protocol.frame_bytes import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    KEY,
    PING,
    PONG,
    TEXT,
    frame,
    header,
    xor,
)
from tests.protocol.implementations import Implementation
from tests.protocol.reading import Outcome, read
from tests.protocol.splits import edge_splits, every_split
from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.events import Frame
from tieline.protocol.wire import Opcode

MASKED = pytest.mark.parametrize("masked", [False, True], ids=["from server", "from client"])


def all_splits(data: bytes, **how: object) -> Outcome:
    """What `data` makes, having looked that every split makes the same."""
    splits = every_split if len(data) < 300 else edge_splits
    outcomes = [read(pieces, **how) for pieces in splits(data)]
    for outcome in outcomes:
        assert outcome == outcomes[0]
    return outcomes[0]


@pytest.mark.parametrize(
    ("stream", "masked", "items"),
    [
        ("81 05 48656c6c6f", False, ["Hello"]),  # a single-frame unmasked text message
        ("81 85 37fa213d 7f9f4d5158", True, ["Hello"]),  # the same, masked
        ("01 03 48656c 80 02 6c6f", False, ["Hello"]),  # a fragmented unmasked text message
        ("89 05 48656c6c6f", False, [Frame(Opcode.PING, b"Hello")]),  # unmasked Ping
        ("8a 85 37fa213d 7f9f4d5158", True, [Frame(Opcode.PONG, b"Hello")]),  # masked Pong
        ("82 7e 0100" + 256 * "ab", False, [b"\xab" * 256]),  # 256 bytes, binary
        ("82 7f 0000000000010000" + 65536 * "cd", False, [b"\xcd" * 65536]),  # 64 KiB, binary
    ],
)
def test_the_examples_of_section_5_7(
    implementation: Implementation, stream: str, masked: bool, items: list[object]
) -> None:
    outcome = all_splits(bytes.fromhex(stream), masked=masked, implementation=implementation)
    assert outcome.items == items
    assert outcome.error is None


@MASKED
@pytest.mark.parametrize("length", [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65535, 65536])
def test_every_form_of_the_length(
    implementation: Implementation, length: int, masked: bool
) -> None:
    payload = bytes(place * 7 % 251 for place in range(length))
    stream = frame(FIN | BINARY, payload, masked=masked)
    outcome = all_splits(stream + stream, masked=masked, implementation=implementation)
    assert outcome == Outcome([payload, payload], None, 2, 2, 2 * length)


@MASKED
@pytest.mark.parametrize(
    ("form", "length"), [(2, 0), (2, 1), (2, 125), (8, 0), (8, 125), (8, 126), (8, 65535)]
)
def test_a_length_has_its_shortest_form(
    implementation: Implementation, form: int, length: int, masked: bool
) -> None:
    stream = header(FIN | BINARY, length, form=form, masked=masked)
    outcome = all_splits(stream, masked=masked, implementation=implementation)
    assert outcome.error == (
        ProtocolError,
        f"expected the shortest length form, got {length} in {8 * form} bits",
        1002,
    )


@MASKED
@pytest.mark.parametrize("length", [2**63, 2**63 + 1, 2**64 - 1])
def test_the_top_bit_of_a_64_bit_length_is_0(
    implementation: Implementation, length: int, masked: bool
) -> None:
    stream = header(FIN | BINARY, length, masked=masked)
    outcome = all_splits(stream, masked=masked, implementation=implementation)
    assert outcome.error is not None
    assert "below 2**63" in outcome.text
    assert outcome.close_code == 1002


@MASKED
@pytest.mark.parametrize("length", [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 5, 2**63 - 1])
def test_an_announced_length_is_not_believed_before_the_bytes_come(
    implementation: Implementation, length: int, masked: bool
) -> None:
    stream = header(FIN | BINARY, length, masked=masked) + b"\x01\x02\x03"
    outcome = all_splits(stream, masked=masked, implementation=implementation)
    assert outcome == Outcome([], None, 1, 0, 0)


@MASKED
@pytest.mark.parametrize("length", [2**16, 2**31, 2**32, 2**32 + 1, 2**63 - 1])
def test_an_announced_length_over_the_limit_is_refused_by_the_header(
    implementation: Implementation, length: int, masked: bool
) -> None:
    stream = header(FIN | TEXT, length, masked=masked)
    outcome = all_splits(
        stream, masked=masked, max_message_size=65535, implementation=implementation
    )
    assert outcome.error is not None
    assert outcome.error[0] is MessageTooBig
    assert f"at least {length} bytes, the SIDE's max_message_size is 65535" in outcome.text


@MASKED
@pytest.mark.parametrize("bits", [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70])
def test_reserved_bits(implementation: Implementation, bits: int, masked: bool) -> None:
    for opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, 0x3):
        stream = header(FIN | bits | opcode, 0, masked=masked)
        outcome = all_splits(stream, masked=masked, implementation=implementation)
        assert outcome.error == (
            ProtocolError,
            f"expected no RSV bit without a negotiated extension, got {bits:#04x}",
            1002,
        )


@MASKED
@pytest.mark.parametrize("opcode", [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF])
def test_reserved_opcodes(implementation: Implementation, opcode: int, masked: bool) -> None:
    for first in (FIN | opcode, opcode):
        stream = header(first, 5, masked=masked)
        outcome = all_splits(stream, masked=masked, implementation=implementation)
        assert outcome.error == (
            ProtocolError,
            f"expected a known opcode, got reserved {opcode:#x}",
            1002,
        )


@MASKED
@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_are_whole(
    implementation: Implementation, opcode: int, masked: bool
) -> None:
    outcome = all_splits(
        header(opcode, 0, masked=masked), masked=masked, implementation=implementation
    )
    assert outcome.error == (
        ProtocolError,
        f"expected an unfragmented control frame, got opcode {opcode:#x} without FIN",
        1002,
    )


@MASKED
@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_hold_125_bytes(
    implementation: Implementation, opcode: int, masked: bool
) -> None:
    largest = frame(FIN | opcode, b"\x03\xe8" + b"x" * 123, masked=masked)
    outcome = all_splits(largest, masked=masked, implementation=implementation)
    assert outcome.items == [Frame(Opcode(opcode), b"\x03\xe8" + b"x" * 123)]
    # Longer ones are known by their first two bytes, whatever form the length would have.
    for length in (126, 127, 65536, 2**63 - 1):
        stream = header(FIN | opcode, length, masked=masked)[:2]
        outcome = all_splits(stream, masked=masked, implementation=implementation)
        assert "a control frame of at most 125 bytes" in outcome.text


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
def test_a_client_masks(implementation: Implementation, opcode: int) -> None:
    stream = header(FIN | opcode, 0, masked=False)
    outcome = all_splits(stream, masked=True, implementation=implementation)
    assert "expected a masked frame from the client" in outcome.text
    assert outcome.close_code == 1002


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
def test_a_server_does_not(implementation: Implementation, opcode: int) -> None:
    stream = header(FIN | opcode, 0, masked=True)
    outcome = all_splits(stream, masked=False, implementation=implementation)
    assert "expected no mask on the server's frame" in outcome.text
    assert outcome.close_code == 1002


def test_a_wrong_header_is_refused_at_its_second_byte(implementation: Implementation) -> None:
    """The peer may wait for our Close before it sends the rest of the header."""
    for first_two in ("c1 7f", "83 7e", "09 00", "89 7e", "81 ff"):
        outcome = read([bytes.fromhex(first_two)], implementation=implementation)
        assert outcome.close_code == 1002


def test_each_frame_has_its_own_key(implementation: Implementation) -> None:
    other = bytes.fromhex("00010203")
    stream = frame(FIN | BINARY, b"one", masked=True)
    stream += bytes([FIN | BINARY, 0x80 | 3]) + other + xor(b"two", other)
    outcome = all_splits(stream, masked=True, implementation=implementation)
    assert outcome.items == [b"one", b"two"]


def test_frames_are_counted_by_their_headers(implementation: Implementation) -> None:
    stream = bytes.fromhex("82 00  89 00  82 05 00")  # two whole frames, one begun
    assert all_splits(stream, implementation=implementation).frames == 3


class TestFeed:
    """What the driver may hand over."""

    @pytest.mark.parametrize("kind", [bytes, bytearray])
    def test_bytes_up_to_end(self, implementation: Implementation, kind: type) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        assembler.feed(kind(bytes.fromhex("82 01 aa 82 01 bb")), 3)
        assert assembler.next_batch() == [b"\xaa"]
        assert assembler.next_batch() is None

    @pytest.mark.parametrize("data", [memoryview(b"\x82\x00"), "\x82\x00", None, [0x82, 0]])
    def test_other_types_are_refused(self, implementation: Implementation, data: object) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        with pytest.raises(TypeError):
            assembler.feed(data, 2)
        assert assembler.next_batch() is None

    @pytest.mark.parametrize("end", [3, 100, -1, 2**31, 2**62])
    def test_an_end_outside_of_the_data(self, implementation: Implementation, end: int) -> None:
        decoder = implementation.decoder.FrameDecoder(False)
        with pytest.raises(ValueError, match=f"end={end} is not within the 2 bytes given"):
            decoder.feed(b"\x82\x00", end)

    def test_a_piece_before_the_last_one_is_consumed(self, implementation: Implementation) -> None:
        assembler = implementation.messages.MessageAssembler(False, None, None)
        assembler.feed(b"\x82\x00", 2)
        with pytest.raises(RuntimeError, match="2 bytes of the last piece are unread"):
            assembler.feed(b"\x82\x00", 2)
        assert assembler.next_batch() == [b""]
        assert assembler.next_batch() is None

    def test_nothing(self, implementation: Implementation) -> None:
        outcome = read([b"", b"\x82", b"", b"\x00", b""], implementation=implementation)
        assert outcome.items == [b""]

    def test_what_was_delivered_does_not_depend_on_the_buffer(
        self, implementation: Implementation
    ) -> None:
        assembler = implementation.messages.MessageAssembler(True, None, None)
        buffer = bytearray(frame(FIN | TEXT, b"Hello", masked=True) + header(0x81, 9, masked=True))
        assembler.feed(buffer, len(buffer))
        first = assembler.next_batch()
        assert assembler.next_batch() is None
        buffer.clear()
        assert first == ["Hello"]
        rest = xor(b"good-bye!")
        assembler.feed(bytearray(rest), len(rest))
        assert assembler.next_batch() == ["good-bye!"]
        assert KEY not in buffer
