"""Compressed frames that are whole messages: runs, limits, and what is left to `messages`."""

from __future__ import annotations

import random
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.frame_bytes import BINARY, FIN, PING, TEXT, frame, header
from tests.protocol.implementations import IMPLEMENTATIONS, Implementation
from tests.protocol.reading import read
from tests.protocol.splits import cut, edge_splits, every_split, places
from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.deflate_backend import Backend, installed_backends

RSV1 = 0x40
#: All that can inflate here, and the standard library's as the sources would use it.
ALL_BACKENDS = [*installed_backends(), Backend("stdlib", zlib)]
BACKENDS = pytest.mark.parametrize("backend", ALL_BACKENDS, ids=lambda each: each.name)
STEP = 256 * 1024

HELLO = bytes.fromhex("f248cdc9c90700")
NOISE = random.Random(7).randbytes(200_000)


class Sender:
    """Writes frames as a server would; `takeover` of its context, which ends with each message."""

    def __init__(self, *, takeover: bool = True, final: bool = False) -> None:
        self.takeover = takeover and not final
        self.final = final
        self.context = zlib.compressobj(wbits=-15)

    def payload(self, message: bytes) -> bytes:
        if self.final:  # RFC 7692 section 7.2.3.4
            payload = self.context.compress(message) + self.context.flush() + b"\x00"
        else:
            payload = self.context.compress(message) + self.context.flush(zlib.Z_SYNC_FLUSH)
            payload = payload[:-4]
        if not self.takeover:
            self.context = zlib.compressobj(wbits=-15)
        return payload

    def frame(self, message: str | bytes, *, masked: bool = False) -> bytes:
        if isinstance(message, str):
            return frame(FIN | RSV1 | TEXT, self.payload(message.encode()), masked=masked)
        return frame(FIN | RSV1 | BINARY, self.payload(message), masked=masked)


def compressed(first: int, payload: bytes) -> bytes:
    return frame(first | RSV1, payload, masked=False)


def runs(data: bytes, implementation: Implementation, backend: Backend) -> list[Any]:
    assembler = implementation.messages.MessageAssembler(False, None, None)
    assembler.enable_compression(implementation.new_inflater(backend))
    assembler.feed(data, len(data))
    return list(iter(assembler.next_batch, None))


@BACKENDS
@pytest.mark.parametrize(("size", "longest"), [(0, 512), (16, 512), (500, 263), (70_000, 2)])
def test_a_run_fits_the_caches(
    implementation: Implementation, backend: Backend, size: int, longest: int
) -> None:
    sender = Sender()
    message = "x" * size
    made = runs(
        b"".join(sender.frame(message) for _ in range(1200)) + frame(FIN | PING, masked=False),
        implementation,
        backend,
    )
    assert sum(made[:-1], []) == [message] * 1200
    assert max(map(len, made[:-1])) == longest


def test_a_run_that_is_compressed_here_and_there(implementation: Implementation) -> None:
    sender = Sender()
    data = b""
    for number in range(700):
        data += sender.frame(f"number {number}")
        data += frame(FIN | BINARY, b"%d" % number, masked=False)
    made = runs(data, implementation, installed_backends()[0])
    assert sum(made, []) == [
        each for number in range(700) for each in (f"number {number}", b"%d" % number)
    ]
    assert max(map(len, made)) <= 2 * 512


MESSAGES: list[str | bytes] = [
    "",
    b"",
    "a",
    b"\xff",
    "seven b",
    "eight by",
    "nine byte",
    "fifteen bytes..",
    "sixteen bytes...",
    *("x" * 30 + "é" + "y" * more for more in range(3)),
    *("é" + "x" * more for more in (29, 30, 31, 61, 62, 63)),
    *("x" * size for size in (31, 32, 33, 63, 64, 65, 66)),
    "ünïcödé",
    "a last one that is not ASCIÍ",
    "a" * 7 + "é",
    "日本語" * 30,
    "\U0001f600",
    b"\x00" * 300,
    '{"symbol": "EURUSD", "bid": 1.0842}' * 9,
    "x" * 20_000,
    NOISE[:60],
    NOISE[:3000],
]


@BACKENDS
@pytest.mark.parametrize("decode_text", [True, False])
@pytest.mark.parametrize("how", [{}, {"takeover": False}, {"final": True}], ids=str)
def test_one_after_the_other(
    implementation: Implementation, backend: Backend, decode_text: bool, how: dict[str, bool]
) -> None:
    sender = Sender(**how)
    data = b"".join(map(sender.frame, MESSAGES * 2))
    outcome = read(
        [data],
        implementation=implementation,
        deflated=backend,
        takeover=sender.takeover or sender.final,
        decode_text=decode_text,
    )
    assert outcome.error is None
    expected = MESSAGES * 2
    if not decode_text:
        expected = [each.encode() if isinstance(each, str) else each for each in expected]
    assert outcome.items == expected
    assert outcome.frames == outcome.messages == len(expected)
    assert outcome.message_bytes == sum(
        len(each.encode() if isinstance(each, str) else each) for each in expected
    )


@BACKENDS
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("how", [{}, {"takeover": False}, {"final": True}], ids=str)
def test_every_split(
    implementation: Implementation, backend: Backend, masked: bool, how: dict[str, bool]
) -> None:
    sender = Sender(**how)
    messages = ["one", b"two", "", "drëi" * 40]
    data = b"".join(sender.frame(each, masked=masked) for each in messages)
    for pieces in every_split(data):
        outcome = read(
            pieces,
            implementation=implementation,
            deflated=backend,
            masked=masked,
            takeover=sender.takeover or sender.final,
        )
        assert (outcome.items, outcome.error, outcome.frames) == (messages, None, 4)


@BACKENDS
@pytest.mark.parametrize("size", [125, 126, 127, 4095, 4096, 4097, 65535, 65536])
def test_sizes_on_the_wire(implementation: Implementation, backend: Backend, size: int) -> None:
    length = size - 6
    # One block that is not compressed, and the beginning of the tail's.
    payload = b"\x00" + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little")
    payload += NOISE[:length] + b"\x00"
    assert len(payload) == size
    data = compressed(FIN | BINARY, payload) + compressed(FIN | TEXT, b"\x00") * 2
    for pieces in edge_splits(data):
        outcome = read(pieces, implementation=implementation, deflated=backend)
        assert outcome.error is None
        assert outcome.items == [NOISE[:length], "", ""]


@pytest.mark.parametrize("form", [2, 8])
def test_a_length_that_could_be_shorter(implementation: Implementation, form: int) -> None:
    data = frame(FIN | RSV1 | TEXT, HELLO, masked=False)
    data += frame(FIN | RSV1 | TEXT, HELLO, masked=False, form=form)
    outcome = read([data], implementation=implementation, deflated=ALL_BACKENDS[0])
    assert outcome.items == ["Hello"]
    assert outcome.text.startswith("expected the shortest length form, got 7")
    assert outcome.frames == 1


def test_a_masked_frame_of_a_server(implementation: Implementation) -> None:
    data = compressed(FIN | TEXT, HELLO) + frame(FIN | RSV1 | TEXT, HELLO, masked=True)
    outcome = read([data], implementation=implementation, deflated=ALL_BACKENDS[0])
    assert outcome.items == ["Hello"]
    assert outcome.text.startswith("expected no mask")


def test_a_length_that_means_more_than_is_here_waits(implementation: Implementation) -> None:
    for size in (126, 4096, 0x10000, 2**32, 2**62):
        data = compressed(FIN | TEXT, HELLO) + header(FIN | RSV1 | TEXT, size, masked=False)
        outcome = read([data + b"x"], implementation=implementation, deflated=ALL_BACKENDS[0])
        assert (outcome.items, outcome.error, outcome.frames) == (["Hello"], None, 2), size


@BACKENDS
@pytest.mark.parametrize("limit", [1, 5, 300, 4096, 16384, 16385, STEP - 1, STEP, STEP + 1])
@pytest.mark.parametrize("how", [{}, {"takeover": False}, {"final": True}], ids=str)
def test_the_limit_of_size(
    implementation: Implementation, backend: Backend, limit: int, how: dict[str, bool]
) -> None:
    for kind in (str, bytes):
        for size in (limit - 1, limit, limit + 1, limit + 50_000):
            sender = Sender(**how)
            message: Any = "x" * size if kind is str else bytes(size)
            after: Any = kind() if limit < 5 else kind(message[:5])
            data = sender.frame(kind()) + sender.frame(message) + sender.frame(after)
            outcome = read(
                [data],
                implementation=implementation,
                deflated=backend,
                takeover=sender.takeover or sender.final,
                max_message_size=limit,
            )
            if size <= limit:
                assert outcome.error is None
                assert outcome.items == [kind(), message, after]
            else:
                assert outcome.items == [kind()]
                assert outcome.error is not None and outcome.error[0] is MessageTooBig
                assert outcome.text.startswith(f"message too big: at least {limit + 1} bytes infl")
                assert outcome.frames == 2


@BACKENDS
@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 3 * STEP])
@pytest.mark.parametrize("final", [False, True])
def test_more_than_is_inflated_at_once(
    implementation: Implementation, backend: Backend, size: int, final: bool
) -> None:
    for unit in (b"x", "é".encode()):
        message = (unit * size)[:size].decode("utf-8", "ignore")
        for streaming in (False, True):
            sender = Sender(final=final)
            data = b"".join(map(sender.frame, ["before", message, "after", message, b"end"]))
            outcome = read(
                [data], implementation=implementation, deflated=backend, streaming=streaming
            )
            assert outcome.error is None
            assert outcome.items == ["before", message, "after", message, b"end"]


def test_a_bomb_is_inflated_no_further_than_it_must(implementation: Implementation) -> None:
    """What is asked of the library is bounded by the limit, and by the step."""
    asked: list[int] = []

    class Context:
        def __init__(self, bits: int) -> None:
            self._context = zlib.decompressobj(bits)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._context, name)

        def decompress(self, data: bytes, limit: int) -> bytes:
            asked.append(limit)
            return self._context.decompress(data, limit)

    class Module:
        error = zlib.error
        decompressobj = Context

    bomb = Sender().frame(bytes(3_000_000))
    assert len(bomb) < 4096
    for limit, steps in ((3000, [3001]), (STEP, [STEP, 1]), (2 * STEP, [STEP, STEP, 1])):
        asked.clear()
        outcome = read(
            [bomb],
            implementation=implementation,
            deflated=Backend("watched", Module),
            max_message_size=limit,
        )
        assert outcome.items == []
        assert outcome.text.startswith(f"message too big: at least {limit + 1} bytes inflated")
        assert asked == steps


BROKEN = {
    "no block": b"\xff",
    "a stored block whose length is wrong": b"\x00\x05\x00\x00\x00Hello",
    "a distance into nothing": bytes.fromhex("f200ffff00"),
    "ended, then garbage": bytes.fromhex("f348cdc9c90700") + b"\x01garbage",
    "ended, then nothing": bytes.fromhex("f348cdc9c90700"),
    "ended twice": bytes.fromhex("0300 0300 00"),
}


@BACKENDS
@pytest.mark.parametrize("payload", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("takeover", [False, True])
def test_bad_data_come_behind_the_good(
    implementation: Implementation, backend: Backend, payload: bytes, takeover: bool
) -> None:
    data = compressed(FIN | TEXT, HELLO) + compressed(FIN | TEXT, payload)
    data += compressed(FIN | TEXT, HELLO)
    outcome = read([data], implementation=implementation, deflated=backend, takeover=takeover)
    assert outcome.items == ["Hello"]
    assert outcome.error is not None and outcome.error[0] is ProtocolError
    assert outcome.text.startswith("expected compressed data (RFC 7692): ")
    assert outcome.close_code == 1007
    assert (outcome.frames, outcome.messages, outcome.message_bytes) == (2, 1, 5)


@BACKENDS
@pytest.mark.parametrize("decode_text", [True, False])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"123\xff56", "got 0xff at byte 3"),
        (b"\x80", "got 0x80 at byte 0"),
        (b"x" * 40 + b"\xc0\x80", "got 0xc0 at byte 40"),
        (b"12345678\xed\xa0\x80", "got 0xed at byte 8"),
        (b"x" * 300 + "é".encode()[:1], "got one that ends within a character (b'\\xc3')"),
        (b"x" * 20_000 + b"\xff", "got 0xff at byte 20000"),
    ],
)
def test_bad_text_comes_behind_the_good(
    implementation: Implementation, backend: Backend, decode_text: bool, text: bytes, told: str
) -> None:
    sender = Sender()
    data = sender.frame("good") + compressed(FIN | TEXT, sender.payload(text))
    outcome = read(
        [data, sender.frame("late")],
        implementation=implementation,
        deflated=backend,
        decode_text=decode_text,
    )
    assert outcome.items == ["good" if decode_text else b"good"]
    assert outcome.text == f"expected UTF-8 in a text message, {told}"
    assert outcome.close_code == 1007
    assert (outcome.frames, outcome.messages) == (2, 1)


def test_without_takeover_nothing_is_remembered(implementation: Implementation) -> None:
    refers_back = bytes.fromhex("f200110000")
    data = compressed(FIN | TEXT, HELLO) + compressed(FIN | TEXT, refers_back)
    for backend in ALL_BACKENDS:
        how: Any = {"implementation": implementation, "deflated": backend}
        assert read([data], takeover=True, **how).items == ["Hello", "Hello"]
        outcome = read([data], takeover=False, **how)
        assert outcome.items == ["Hello"]
        assert outcome.close_code == 1007


@given(
    st.lists(
        st.tuples(
            st.one_of(st.text(max_size=200), st.binary(max_size=200)),
            st.sampled_from([1, 1, 3, 400]),
            st.sampled_from(["compressed", "compressed", "plain", "fragments"]),
        ),
        max_size=8,
    ),
    places,
    st.sampled_from([{}, {"takeover": False}, {"final": True}]),
    st.sampled_from([None, 100, 5000]),
    st.sampled_from(["", "streaming", "frame_by_frame"]),
)
def test_all_make_the_same_of_it(
    messages: list[tuple[Any, int, str]],
    where: list[int],
    how: dict[str, bool],
    limit: int | None,
    mode: str,
) -> None:
    """Source and compiled, with each backend."""
    sender = Sender(**how)
    data = b""
    for message, times, form in messages:
        message *= times
        raw = message.encode() if isinstance(message, str) else message
        first = TEXT if isinstance(message, str) else BINARY
        if form == "compressed":
            data += sender.frame(message)
        elif form == "plain":
            data += frame(FIN | first, raw, masked=False)
        else:
            payload = sender.payload(raw)
            data += frame(RSV1 | first, payload[:3], masked=False)
            data += frame(FIN, payload[3:], masked=False)
    for pieces in ([data], cut(data, where)):
        outcomes = [
            read(
                pieces,
                implementation=implementation,
                deflated=backend,
                takeover=sender.takeover or sender.final,
                max_message_size=limit,
                streaming=mode == "streaming",
                frame_by_frame=mode == "frame_by_frame",
            )
            for implementation in IMPLEMENTATIONS
            for backend in ALL_BACKENDS
        ]
        assert all(outcome == outcomes[0] for outcome in outcomes[1:])
        if limit is None and mode == "":
            assert outcomes[0].error is None
            assert outcomes[0].items == [message * times for message, times, _ in messages]
