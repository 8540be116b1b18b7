"""Source and compiled modules, side by side: the same results, errors, texts and statistics.

A C integer that is too narrow or has the wrong sign differs from Python's in silence, and only near
powers of two. So that is where the lengths of this file are.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.protocol.frame_bytes import BINARY, FIN, TEXT, frame, header
from tests.protocol.implementations import IMPLEMENTATIONS, INSTALLED, SOURCE, Implementation
from tests.protocol.reading import Outcome, read
from tests.protocol.splits import cut, every_split, places
from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.deflate_backend import Backend, installed_backends

if SOURCE is INSTALLED:
    pytest.skip("this build is pure: there is nothing to compare", allow_module_level=True)

EDGES = sorted(
    {
        length
        for power in range(64)
        for distance in (-5, -1, 0, 1, 5)
        if 0 <= (length := 2**power + distance) < 2**64
    }
    | {0, 125, 126, 127}
)
LIMITS = [None, 1, 100, 125, 126, 65535, 65536]
LIMITS += [2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1, 2**32, 2**32 + 1, 2**63 - 1, 2**63, 2**64]

lengths = st.sampled_from(EDGES)
limits = st.sampled_from(LIMITS)
first_bytes = st.one_of(
    st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x88, 0xC1, 0xC2, 0x41, 0x42]),
    st.integers(0, 255),
)


def agreed(pieces: list[bytes], **how: Any) -> Outcome:
    """What both make of the pieces."""
    outcomes = [read(pieces, implementation=each, **how) for each in IMPLEMENTATIONS]
    assert outcomes[0] == outcomes[1]
    return outcomes[0]


def test_there_are_two() -> None:
    source, compiled = IMPLEMENTATIONS
    for name in (
        *("decoder", "content", "inflater", "plain", "compressed", "messages", "inspection"),
        "encoder",
    ):
        assert getattr(source, name).__file__.endswith(".py")
        assert not getattr(compiled, name).__file__.endswith(".py")
    assert source.masking.apply_mask is not compiled.masking.apply_mask
    assert source.decoder.apply_mask is source.masking.apply_mask
    assert source.encoder.mask_into is source.masking.mask_into


@pytest.mark.parametrize("masked", [False, True])
def test_every_edge_with_every_limit(masked: bool) -> None:
    """Headers only: what they announce is refused or waited for, and never allocated."""
    for length in EDGES:
        for limit in LIMITS:
            stream = header(FIN | BINARY, length, masked=masked)
            outcome = agreed([stream], masked=masked, max_message_size=limit)
            waits = length < 2**63 and (limit is None or length <= limit)
            assert (outcome.error is None) == waits
            if outcome.error is not None:
                assert outcome.error[0] is (ProtocolError if length >= 2**63 else MessageTooBig)


@pytest.mark.parametrize("before", [0, 1, 5, 126])
def test_every_edge_as_a_second_fragment(before: int) -> None:
    start = frame(BINARY, bytes(before), masked=False)
    for length in EDGES:
        for limit in LIMITS:
            stream = start + header(FIN, length, masked=False)
            outcome = agreed([stream], max_message_size=limit)
            if outcome.error is not None and length < 2**63:
                assert outcome.error[0] is MessageTooBig
                if before <= (limit or before):
                    assert f"at least {before + length} bytes" in outcome.text


@given(lengths, first_bytes, st.booleans(), st.booleans(), st.sampled_from([None, 0, 2, 8]))
@example(2**32, 0x82, False, False, None)
@example(2**31, 0x82, True, True, None)
def test_headers_at_every_split(
    length: int, first: int, masked: bool, expect_masked: bool, form: int | None
) -> None:
    if form is not None and length >= (126 if form == 0 else 1 << 8 * form):
        form = None
    stream = header(first, length, masked=masked, form=form) + b"\x01\x02"
    whole = agreed([stream], masked=expect_masked, max_message_size=2**40)
    for pieces in every_split(stream):
        split = agreed(pieces, masked=expect_masked, max_message_size=2**40)
        if length > 2:
            assert split == whole


backends = st.sampled_from([None, *installed_backends()])
frames = st.lists(
    st.tuples(
        first_bytes,
        st.one_of(st.binary(max_size=20), st.just(bytes.fromhex("f248cdc9c90700"))),
        st.sampled_from([None, 2, 8]),
    ),
    max_size=6,
)


@given(
    frames,
    lengths,
    st.booleans(),
    places,
    limits,
    limits,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    backends,
)
def test_frame_sequences(
    parts: list[tuple[int, bytes, int | None]],
    last: int,
    masked: bool,
    where: list[int],
    size: int | None,
    fragments: int | None,
    decode_text: bool,
    frame_by_frame: bool,
    streaming: bool,
    deflated: Backend | None,
) -> None:
    """Any frames, then a header that announces an edge."""
    stream = b"".join(
        frame(first, payload, masked=masked, form=form) for first, payload, form in parts
    )
    stream += header(FIN | TEXT, last, masked=masked)
    how: dict[str, Any] = {
        "masked": masked,
        "max_message_size": size,
        "max_fragments": fragments,
        "decode_text": decode_text,
        "frame_by_frame": frame_by_frame,
        "streaming": streaming,
        "deflated": deflated,
    }
    split, whole = agreed(cut(stream, where), **how), agreed([stream], **how)
    if deflated is None:
        assert split == whole
    else:
        assert split.without_which_error() == whole.without_which_error()


@pytest.mark.parametrize("length", [*range(41), 125, 126, 127, 65535, 65536, 65537])
def test_encoder(length: int) -> None:
    payload = random.Random(length).randbytes(length)
    for opcode in (0x0, 0x1, 0x2, 0x8, 0x9, 0xA):
        for seed in (None, 7):
            written = [
                each.encoder.FrameEncoder(
                    None if seed is None else random.Random(seed).randbytes
                ).encode(opcode, payload, fin)
                for each in IMPLEMENTATIONS
                for fin in (True, False)
            ]
            assert written[0] == written[2]
            assert written[1] == written[3]


@pytest.mark.parametrize("length", [65536, 2**31 - 1, 2**31, 2**32, 2**32 + 1, 2**63 - 1])
def test_headers_of_big_frames(length: int) -> None:
    for opcode in (0x0, 0x1, 0x2, 0x41, 0x42):
        for seed in (None, 7):
            for fin in (True, False):
                assert 1 == len(
                    {
                        each.encoder.FrameEncoder(
                            None if seed is None else random.Random(seed).randbytes
                        ).encode_header(opcode, length, fin)
                        for each in IMPLEMENTATIONS
                    }
                )


def test_encoder_over_many_keys() -> None:
    encoders = [each.encoder.FrameEncoder(random.Random(3).randbytes) for each in IMPLEMENTATIONS]
    for size in range(2500):
        assert len({bytes(each.encode(2, bytes(size % 200))) for each in encoders}) == 1
    assert [each.frames for each in encoders] == [2500, 2500]


@pytest.mark.parametrize("length", [*range(41), 125, 126, 127, 65535, 65536, 65537, 131072, 131079])
def test_masking_at_every_alignment(length: int) -> None:
    data = random.Random(length).randbytes(length + 8)
    for shift in range(9 if length < 200 else 3):
        for offset in (0, 1, 2, 3, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1):
            piece = memoryview(data)[shift : shift + length]
            masked = [
                each.masking.apply_mask(piece, data[:4].ljust(4), offset)
                for each in IMPLEMENTATIONS
            ]
            assert masked[0] == masked[1]
        for offset in (0, 1, 2, 3, 2**32 + 1, 2**63 - 1):
            written = [bytearray(length + shift) for _ in IMPLEMENTATIONS]
            for each, target in zip(IMPLEMENTATIONS, written, strict=True):
                each.masking.mask_into(target, shift, data[:length], b"\x01\x80\xff\x7e", offset)
            assert written[0] == written[1]


def misuse(implementation: Implementation, call: str) -> str:
    """The error that a wrong call raises."""
    names = {
        "decoder": implementation.decoder.FrameDecoder(False),
        "assembler": implementation.messages.MessageAssembler(False, None, None),
        "encoder": implementation.encoder.FrameEncoder(None),
        "masking": implementation.masking,
    }
    with pytest.raises((TypeError, ValueError, RuntimeError, BufferError)) as caught:
        for step in call.split(";"):
            eval(step, names)
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize(
    "call",
    [
        "decoder.feed(memoryview(b'ab'), 2)",
        "decoder.feed('ab', 2)",
        "decoder.feed(b'ab', 3)",
        "decoder.feed(b'ab', -1)",
        "decoder.feed(b'ab', 2);decoder.feed(b'ab', 2)",
        "encoder.encode_header(2, 65535)",
        "encoder.encode_header(2, -1)",
        "masking.apply_mask(b'ab', b'123')",
        "masking.mask_into(bytearray(3), 2, b'ab', b'1234')",
        "masking.mask_into(bytearray(3), -1, b'ab', b'1234')",
    ],
)
def test_wrong_calls(call: str) -> None:
    source, compiled = (misuse(each, call) for each in IMPLEMENTATIONS)
    assert source == compiled


def test_random_bytes_raise_documented_errors_only() -> None:
    """Seeded, so that a failure comes again; `read` lets any other exception out."""
    source = random.Random(int(os.environ.get("TIELINE_FUZZ_SEED", "20")))
    for _ in range(1500):
        masked = source.random() < 0.5
        data = source.randbytes(source.choice([2, 5, 20, 200]))
        if source.random() < 0.8:
            # A plausible start gets further than the first byte.
            first = source.choice([0x81, 0x82, 0x01, 0x02, 0x89, 0x88])
            data = bytes([first, source.randrange(128) | masked << 7]) + data
        where = [source.randrange(len(data)) for _ in range(source.randrange(4))]
        agreed(
            cut(data, where),
            masked=masked,
            max_message_size=source.choice(LIMITS),
            max_fragments=source.choice(LIMITS),
            decode_text=source.random() < 0.8,
            frame_by_frame=source.random() < 0.3,
        )
