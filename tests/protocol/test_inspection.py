"""Every frame before it is processed, and the same messages as without."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from tests.protocol.frame_bytes import BINARY, FIN, PING, TEXT, frame, header
from tests.protocol.implementations import Implementation
from tests.protocol.splits import every_split
from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.deflate_backend import inflate_backend
from tieline.protocol.events import Frame, FrameReceived, MessageChunk
from tieline.protocol.wire import RSV1, Opcode

#: Section 7.2.3.1 of RFC 7692: "Hello", and the same again that refers to it (7.2.3.2).
HELLO = bytes.fromhex("f248cdc9c90700")
HELLO_AGAIN = bytes.fromhex("f200110000")


def inspector(
    implementation: Implementation, masked: bool = False, limit: int | None = None
) -> Any:
    frames = implementation.inspection.FrameInspector(masked, limit, None)
    frames.enable_compression(implementation.new_inflater(inflate_backend()))
    return frames


def all_of(inspector: Any) -> list[Any]:
    return list(iter(inspector.next_batch, None))


def stream_of(*parts: tuple[int, bytes], masked: bool = False) -> bytes:
    return b"".join(frame(first, payload, masked=masked) for first, payload in parts)


def test_every_frame_comes_before_what_it_makes(implementation: Implementation) -> None:
    parts = [(TEXT, b"Hel"), (FIN | PING, b"p"), (FIN, b"lo"), (FIN | TEXT | RSV1, HELLO)]
    for masked in (False, True):
        for pieces in every_split(stream_of(*parts, masked=masked)):
            frames = inspector(implementation, masked)
            items = []
            for piece in pieces:
                frames.feed(piece, len(piece))
                items += all_of(frames)
            assert items == [
                FrameReceived(Frame(Opcode.TEXT, b"Hel", fin=False)),
                FrameReceived(Frame(Opcode.PING, b"p")),
                Frame(Opcode.PING, b"p"),
                FrameReceived(Frame(Opcode.CONTINUATION, b"lo")),
                ["Hello"],
                FrameReceived(Frame(Opcode.TEXT, HELLO, rsv1=True)),
                ["Hello"],
            ]


def test_frames_that_are_skipped_need_not_fit(implementation: Implementation) -> None:
    frames = inspector(implementation)
    data = stream_of(
        (FIN, b"\xff"),
        (TEXT, b"a"),
        (FIN | TEXT, b"\xff"),
        (FIN | BINARY | RSV1, HELLO),
        (FIN, b"b"),
    )
    frames.feed(data, len(data))
    items = []
    while (item := frames.next_batch()) is not None:
        items.append(item)
        if isinstance(item, FrameReceived) and item.frame.payload not in (b"a", b"b"):
            frames.skip()
    assert len([item for item in items if isinstance(item, FrameReceived)]) == 5
    assert [item for item in items if not isinstance(item, FrameReceived)] == [["ab"]]


def test_an_error_comes_behind_its_frame_and_stays(implementation: Implementation) -> None:
    frames = inspector(implementation)
    data = stream_of((FIN | TEXT, b"\xff"), (FIN | TEXT, b"ok"))
    frames.feed(data, len(data))
    assert frames.next_batch() == FrameReceived(Frame(Opcode.TEXT, b"\xff"))
    for _ in range(2):
        with pytest.raises(ProtocolError, match="UTF-8"):
            frames.next_batch()


@pytest.mark.parametrize(
    ("first", "announced", "size"),
    [(b"", 101, 101), (b"x" * 60, 41, 101), (b"ab", 2**63 - 1, 2**63 + 1)],
)
def test_a_length_over_the_limit_is_refused_by_its_header(
    implementation: Implementation, first: bytes, announced: int, size: int
) -> None:
    frames = inspector(implementation, limit=100)
    data = frame(BINARY, first, masked=False) + header(FIN, announced, masked=False)
    frames.feed(data, len(data))
    assert frames.next_batch() == FrameReceived(Frame(Opcode.BINARY, first, fin=False))
    with pytest.raises(
        MessageTooBig, match=f"at least {size} bytes, the client's max_message_size"
    ):
        frames.next_batch()


def test_a_frame_that_is_skipped_counts_for_nothing(implementation: Implementation) -> None:
    frames = inspector(implementation, limit=4)
    data = stream_of((FIN | TEXT, b"123"), (TEXT, b"456"), (FIN, b"789"))
    frames.feed(data, len(data))
    assert frames.next_batch() == FrameReceived(Frame(Opcode.TEXT, b"123"))
    assert frames.next_batch() == ["123"]
    for _ in range(2):
        assert isinstance(frames.next_batch(), FrameReceived)
        frames.skip()
    assert frames.next_batch() is None


def test_a_compressed_frame_over_the_limit(implementation: Implementation) -> None:
    """It may be a little longer than its message, and so it is announced; it is not believed."""
    frames = inspector(implementation, limit=5)
    data = stream_of((FIN | TEXT | RSV1, HELLO), (FIN | TEXT | RSV1, HELLO_AGAIN))
    data += header(FIN | TEXT | RSV1, 2000, masked=False)
    frames.feed(data, len(data))
    items = [frames.next_batch() for _ in range(4)]
    assert items[1::2] == [["Hello"], ["Hello"]]
    with pytest.raises(MessageTooBig, match="at least 2000 compressed bytes"):
        frames.next_batch()


def test_later_messages_may_refer_to_one_that_is_skipped(implementation: Implementation) -> None:
    deflate = zlib.compressobj(wbits=-15)
    messages = [bytes(range(200)), bytes(range(199, -1, -1)), bytes(range(199, -1, -1))]
    one, two, three = (
        (deflate.compress(m) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4] for m in messages
    )
    frames = inspector(implementation)
    data = stream_of(
        (FIN | BINARY | RSV1, one),
        (BINARY | RSV1, two[:50]),
        (FIN, two[50:]),
        (FIN | BINARY | RSV1, three),
    )
    frames.feed(data, len(data))
    received = []
    while (item := frames.next_batch()) is not None:
        if isinstance(item, list):
            received += item
        elif item.frame.payload in (two[:50], two[50:]):
            frames.skip()
    assert received == [messages[0], messages[2]]


def test_what_is_skipped_is_bounded_too(implementation: Implementation) -> None:
    deflate = zlib.compressobj(wbits=-15)
    bomb = (deflate.compress(bytes(1_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    for payload, error in ((bomb, MessageTooBig), (b"\xff", ProtocolError)):
        frames = inspector(implementation, limit=10_000)
        data = stream_of((FIN | BINARY | RSV1, payload))
        frames.feed(data, len(data))
        assert isinstance(frames.next_batch(), FrameReceived)
        frames.skip()
        with pytest.raises(error):
            frames.next_batch()


def test_streaming_hands_out_each_frame(implementation: Implementation) -> None:
    frames = inspector(implementation)
    frames.stream()
    data = stream_of((TEXT, b"a"), (0, b""), (0, b"b"), (FIN, b"c"))
    frames.feed(data, len(data))
    items = [item for item in all_of(frames) if not isinstance(item, FrameReceived)]
    assert items == [
        MessageChunk("a", False),
        MessageChunk("b", False),
        MessageChunk("c", True),
    ]


def test_streaming_hands_out_what_a_frame_inflates_to_in_parts(
    implementation: Implementation,
) -> None:
    size = 1_000_000
    deflate = zlib.compressobj(wbits=-15)
    payload = (deflate.compress(bytes(size)) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    frames = inspector(implementation)
    frames.stream()
    data = frame(FIN | BINARY | RSV1, payload, masked=False)
    frames.feed(data, len(data))
    chunks = all_of(frames)[1:]
    assert b"".join(chunk.data for chunk in chunks) == bytes(size)
    assert [chunk.is_last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert max(len(chunk.data) for chunk in chunks) <= 256 * 1024


def test_what_is_released_is_gone(implementation: Implementation) -> None:
    frames = inspector(implementation)
    data = stream_of((FIN | TEXT, b"a"))
    frames.feed(data, len(data))
    assert isinstance(frames.next_batch(), FrameReceived)
    frames.release()
    assert frames.next_batch() is None
