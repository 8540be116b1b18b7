"""The write side: order, fragments, control frames, congestion; nothing after a Close."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.builds import IS_COMPILED
from tests.moments import at_every_moment
from tests.protocol.frame_bytes import KEY, frame
from tests.protocol.pair import parse_frames
from tieline.compression import Deflate
from tieline.errors import ConnectionClosed, OptionError, ProtocolError
from tieline.protocol.big_frame import BIG, BigFrame
from tieline.protocol.deflater import Deflater
from tieline.protocol.events import AnsweredPing, Close, CloseInfo
from tieline.protocol.outgoing import Outgoing
from tieline.protocol.wire import Opcode


@pytest.fixture
def outgoing(role: str) -> Outgoing:
    outgoing = Outgoing((lambda size: KEY * (size // 4)) if role == "client" else None)
    outgoing.is_open = True
    return outgoing


def frames(outgoing: Outgoing, role: str) -> list[tuple[int, bytes]]:
    return parse_frames(b"".join(outgoing.take_bytes()), masked=role == "client")


def test_messages_in_their_order(outgoing: Outgoing, role: str) -> None:
    outgoing.message(Opcode.TEXT, b"one")
    outgoing.message(Opcode.BINARY, memoryview(b"two"))
    masked = role == "client"
    assert not outgoing.is_empty
    assert outgoing.take() == [
        frame(0x81, b"one", masked=masked),
        frame(0x82, b"two", masked=masked),
    ]
    assert outgoing.is_empty
    assert outgoing.take() == []


def test_fragments(outgoing: Outgoing, role: str) -> None:
    outgoing.fragment(Opcode.TEXT, b"a", False)
    assert outgoing.is_fragmenting
    outgoing.ping(b"p", 100.0)  # 5.4: control frames may come between
    outgoing.pong(b"q")
    outgoing.fragment(Opcode.CONTINUATION, b"b", False)
    outgoing.fragment(Opcode.CONTINUATION, b"c", True)
    assert not outgoing.is_fragmenting
    outgoing.fragment(Opcode.BINARY, b"d", True)
    assert not outgoing.is_fragmenting
    assert frames(outgoing, role) == [
        (0x01, b"a"),
        (0x89, b"p"),
        (0x8A, b"q"),
        (0x00, b"b"),
        (0x80, b"c"),
        (0x82, b"d"),
    ]


def test_a_message_within_a_fragmented_one(outgoing: Outgoing) -> None:
    outgoing.fragment(Opcode.TEXT, b"a", False)
    outgoing.take()
    with pytest.raises(ProtocolError, match="finish it before the next one"):
        outgoing.message(Opcode.TEXT, b"b")
    for opcode in (Opcode.TEXT, Opcode.BINARY):
        with pytest.raises(ProtocolError, match="expected CONTINUATION frames until"):
            outgoing.fragment(opcode, b"b", True)
    assert outgoing.is_empty
    assert outgoing.is_fragmenting
    outgoing.fragment(Opcode.CONTINUATION, b"", True)
    outgoing.message(Opcode.TEXT, b"b")


@pytest.mark.parametrize("fin", [True, False])
def test_a_continuation_of_nothing(outgoing: Outgoing, fin: bool) -> None:
    with pytest.raises(ProtocolError, match="expected TEXT or BINARY for a message's first frame"):
        outgoing.fragment(Opcode.CONTINUATION, b"a", fin)
    assert outgoing.is_empty


@pytest.mark.parametrize("opcode", [Opcode.CLOSE, Opcode.PING, Opcode.PONG, 3, 0xF])
@pytest.mark.parametrize("fragmenting", [False, True])
def test_a_control_frame_is_no_fragment(outgoing: Outgoing, opcode: int, fragmenting: bool) -> None:
    """A Close that went out this way would leave the connection open behind it."""
    if fragmenting:
        outgoing.fragment(Opcode.TEXT, b"a", False)
        outgoing.take()
    with pytest.raises(OptionError, match=f"opcode: expected TEXT.*got {opcode:#x}"):
        outgoing.fragment(opcode, b"", True)
    assert outgoing.is_empty
    assert outgoing.is_fragmenting == fragmenting


def test_pings_come_back_with_their_token(outgoing: Outgoing) -> None:
    outgoing.ping(b"a", 100.0, "token")
    assert outgoing.pong_received(b"b", 100.5) == ()
    assert outgoing.pong_received(b"a", 100.5) == (AnsweredPing("token", 0.5),)


@pytest.mark.parametrize("kind", ["ping", "pong"])
def test_control_frames_hold_125_bytes(outgoing: Outgoing, role: str, kind: str) -> None:
    send: Callable[[bytes], None] = (
        outgoing.pong if kind == "pong" else lambda data: outgoing.ping(data, 100.0)
    )
    send(b"x" * 125)
    with pytest.raises(OptionError, match="holds at most 125 bytes, got 126: send a message"):
        send(b"x" * 126)
    assert [len(payload) for _, payload in frames(outgoing, role)] == [125]


class TestCongestion:
    """5.5.3: a peer that pings without reading gets a Pong for its last Ping only."""

    def test_the_last_pong_is_kept(self, outgoing: Outgoing, role: str) -> None:
        outgoing.answer_ping(b"0")
        outgoing.set_congested(True)
        for number in range(1, 1000):
            outgoing.answer_ping(b"%d" % number)
        assert frames(outgoing, role) == [(0x8A, b"0")]
        outgoing.set_congested(False)
        assert frames(outgoing, role) == [(0x8A, b"999")]
        outgoing.set_congested(False)
        assert outgoing.is_empty

    def test_none_was_asked_for(self, outgoing: Outgoing) -> None:
        outgoing.set_congested(True)
        outgoing.set_congested(False)
        assert outgoing.is_empty

    def test_nothing_after_a_close(self, outgoing: Outgoing, role: str) -> None:
        outgoing.set_congested(True)
        outgoing.answer_ping(b"1")
        outgoing.close(Close(1000, ""))
        outgoing.set_congested(False)
        outgoing.answer_ping(b"2")
        assert [first for first, _ in frames(outgoing, role)] == [0x88]


SENDS: list[Callable[[Outgoing], None]] = [
    lambda outgoing: outgoing.message(Opcode.TEXT, b"a"),
    lambda outgoing: outgoing.fragment(Opcode.TEXT, b"a", False),
    lambda outgoing: outgoing.ping(b"a", 100.0),
    lambda outgoing: outgoing.pong(b"a"),
]


@pytest.mark.parametrize("send", SENDS)
def test_nothing_before_the_connection_is_open(send: Callable[[Outgoing], None]) -> None:
    outgoing = Outgoing(None)
    outgoing.raw(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ConnectionClosed, match="nothing can be sent"):
        send(outgoing)
    outgoing.answer_ping(b"a")
    assert outgoing.take() == [b"GET / HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize("send", SENDS)
def test_nothing_after_a_close(
    outgoing: Outgoing, role: str, send: Callable[[Outgoing], None]
) -> None:
    outgoing.message(Opcode.TEXT, b"before")
    outgoing.close(Close(4000, "bye"))
    with pytest.raises(ConnectionClosed, match="closing or closed: bye$") as caught:
        send(outgoing)
    assert caught.value.close_info is None
    assert frames(outgoing, role) == [(0x81, b"before"), (0x88, b"\x0f\xa0bye")]
    outgoing.close_info = CloseInfo(1000, "", None, None, True, "local")
    with pytest.raises(ConnectionClosed, match=r"1000 \(normal closure\)") as caught:
        send(outgoing)
    assert caught.value.close_info is outgoing.close_info


def test_what_was_sent_is_counted(outgoing: Outgoing) -> None:
    outgoing.message(Opcode.TEXT, b"12345")
    outgoing.fragment(Opcode.BINARY, b"12", False)
    outgoing.fragment(Opcode.CONTINUATION, b"3", True)
    outgoing.ping(b"abc", 100.0)
    outgoing.pong(b"abc")
    outgoing.answer_ping(b"")
    assert outgoing.counters() == {
        "messages_sent": 2,
        "frames_sent": 6,
        "payload_bytes_sent": 8,
        "pings_sent": 1,
        "pongs_sent": 2,
    }


class TestSignals:
    """A signal handler may send on top of a send of the thread that it interrupts."""

    @staticmethod
    def fresh() -> tuple[Outgoing, list[Any]]:
        outgoing = Outgoing(None)
        outgoing.is_open = True
        return outgoing, []

    @pytest.mark.parametrize(
        ("send", "first"),
        [
            (lambda outgoing: outgoing.message(Opcode.TEXT, b"a"), 0x81),
            (lambda outgoing: outgoing.fragment(Opcode.TEXT, b"a", False), 0x01),
            (lambda outgoing: outgoing.ping(b"a", 100.0), 0x89),
            (lambda outgoing: outgoing.pong(b"a"), 0x8A),
            (lambda outgoing: outgoing.close(Close(1000, "")), 0x88),
        ],
    )
    def test_both_go_out_once(self, send: Callable[[Outgoing], None], first: int) -> None:
        def act(thing: tuple[Outgoing, list[Any]]) -> None:
            outgoing, taken = thing
            send(outgoing)
            taken += outgoing.take()

        def on_top(thing: tuple[Outgoing, list[Any]]) -> None:
            outgoing, taken = thing
            try:
                outgoing.message(Opcode.BINARY, b"on top")
                assert not outgoing.is_fragmenting
            except (ConnectionClosed, ProtocolError):
                taken.append(b"")  # refused, and so not to come
            taken += outgoing.take()

        for (outgoing, taken), error in at_every_moment(self.fresh, act, on_top):
            assert error is None
            sent = [number for number, _ in parse_frames(b"".join(taken), masked=False)]
            assert outgoing.is_empty
            if b"" in taken:
                assert sent == [first]
            elif first in (0x01, 0x88):
                # Nothing follows a Close, and no message a fragment.
                assert sent == [0x82, first]
            else:
                assert sorted(sent) == sorted([0x82, first])

    def test_what_was_taken_does_not_grow(self) -> None:
        outgoing, _ = self.fresh()
        taken = outgoing.take()
        outgoing.message(Opcode.TEXT, b"a")
        assert taken == []
        assert len(outgoing.take()) == 1

    def test_an_interrupted_close_is_queued_or_never_was(self) -> None:
        """Nobody may believe in a Close that does not go out, and none goes out twice."""
        for (outgoing, _), _ in at_every_moment(
            self.fresh, lambda thing: thing[0].close(Close(1000, ""))
        ):
            assert outgoing.is_open == outgoing.is_empty


# --- big frames -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [BIG - 1, BIG, 2 * BIG])
def test_big_messages_are_masked_when_they_are_written(
    outgoing: Outgoing, role: str, size: int
) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    for send in (
        lambda: outgoing.message(Opcode.BINARY, memoryview(payload)[:size]),
        lambda: outgoing.fragment(Opcode.BINARY, memoryview(payload)[:size], True),
    ):
        big = send()
        (queued,) = outgoing.take()
        if size < BIG:
            assert big is None and len(queued) > size
            continue
        assert isinstance(queued, BigFrame) and queued is big and not big.is_borrowed
        assert parse_frames(queued.whole(), masked=role == "client") == [(0x82, payload[:size])]


def test_big_and_small_in_their_order(outgoing: Outgoing, role: str) -> None:
    outgoing.message(Opcode.BINARY, bytes(BIG))
    outgoing.ping(b"p", 100.0)
    outgoing.fragment(Opcode.BINARY, bytes(BIG), False)
    outgoing.pong(b"q")
    outgoing.fragment(Opcode.CONTINUATION, b"", True)
    assert frames(outgoing, role) == [
        (0x82, bytes(BIG)),
        (0x89, b"p"),
        (0x02, bytes(BIG)),
        (0x8A, b"q"),
        (0x80, b""),
    ]


# --- compression ----------------------------------------------------------------------------------


class Peer:
    """What the other side makes of compressed messages: one context for all (RFC 7692 7.2.2)."""

    def __init__(self) -> None:
        self._context = zlib.decompressobj(-15)
        self._message = b""
        self._compressed = False

    def messages(self, frames: list[tuple[int, bytes]]) -> list[tuple[bytes, bool]]:
        """Each message, and whether it came compressed."""
        found = []
        for first, payload in frames:
            if first & 0x08:
                assert not first & 0x40, "control frames are never compressed"
                continue
            if first & 0x0F:
                self._compressed, self._message = bool(first & 0x40), b""
            else:
                assert not first & 0x40, "RSV1 is on the first frame only"
            self._message += payload
            if first & 0x80:
                data = self._message
                if self._compressed:
                    data = self._context.decompress(data + b"\0\0\xff\xff")
                    assert not self._context.unconsumed_tail and not self._context.eof
                found.append((data, self._compressed))
        return found


def compressing(outgoing: Outgoing, threshold: int = 10, takeover: bool = True) -> Outgoing:
    outgoing.is_open = True
    outgoing.deflater = Deflater(Deflate(threshold=threshold), 15, takeover)
    return outgoing


@pytest.mark.parametrize(
    ("size", "compress", "compressed"),
    [
        (9, None, False),
        (10, None, True),
        (9, True, True),
        (0, True, True),
        (1000, False, False),
        (0, None, False),
    ],
)
def test_what_is_compressed(
    outgoing: Outgoing, role: str, size: int, compress: bool | None, compressed: bool
) -> None:
    compressing(outgoing)
    for kind in (bytes, bytearray, memoryview):
        outgoing.message(Opcode.BINARY, kind(b"a" * size), compress)
    assert Peer().messages(frames(outgoing, role)) == [(b"a" * size, compressed)] * 3


def test_nothing_is_compressed_without_negotiation(outgoing: Outgoing, role: str) -> None:
    outgoing.message(Opcode.TEXT, b"a" * 1000)
    outgoing.fragment(Opcode.TEXT, b"a" * 1000, True, compress=True)
    assert frames(outgoing, role) == [(0x81, b"a" * 1000)] * 2


def test_an_empty_threshold_compresses_empty_messages(outgoing: Outgoing, role: str) -> None:
    compressing(outgoing, threshold=0)
    outgoing.message(Opcode.TEXT, b"")
    assert Peer().messages(frames(outgoing, role)) == [(b"", True)]


@pytest.mark.parametrize("takeover", [True, False])
def test_compressed_fragments(outgoing: Outgoing, role: str, takeover: bool) -> None:
    """The first one decides for all, whatever their sizes; others may come between messages."""
    compressing(outgoing, takeover=takeover)
    peer = Peer()
    outgoing.message(Opcode.TEXT, b"before " * 9)
    outgoing.fragment(Opcode.TEXT, b"", False, compress=True)
    outgoing.ping(b"p", 100.0)
    outgoing.fragment(Opcode.CONTINUATION, b"piece " * 50, False)
    outgoing.fragment(Opcode.CONTINUATION, b"x", False, compress=True)
    outgoing.fragment(Opcode.CONTINUATION, b"", True)
    outgoing.fragment(Opcode.TEXT, b"plain", False)
    outgoing.fragment(Opcode.CONTINUATION, b"plain", True, compress=True)
    outgoing.message(Opcode.TEXT, b"before " * 9)
    sent = frames(outgoing, role)
    assert [first for first, _ in sent] == [0xC1, 0x41, 0x89, 0x00, 0x00, 0x80, 0x01, 0x80, 0xC1]
    assert peer.messages(sent) == [
        (b"before " * 9, True),
        (b"piece " * 50 + b"x", True),
        (b"plainplain", False),
        (b"before " * 9, True),
    ]


def test_each_fragment_can_be_inflated_as_it_comes(outgoing: Outgoing, role: str) -> None:
    """It is flushed, so a peer that reads along sees every piece when it was sent."""
    compressing(outgoing)
    context = zlib.decompressobj(-15)
    for number, piece in enumerate((b"one", b"two", b"three")):
        opcode = Opcode.CONTINUATION if number else Opcode.TEXT
        outgoing.fragment(opcode, piece, False, compress=True)
        ((_, payload),) = frames(outgoing, role)
        assert context.decompress(payload) == piece


def test_what_does_not_shrink_may_be_big(outgoing: Outgoing, role: str) -> None:
    payload = random.Random(3).randbytes(BIG + 1000)
    compressing(outgoing)
    assert outgoing.message(Opcode.BINARY, bytearray(payload)) is None, "nothing is referred to"
    assert Peer().messages(frames(outgoing, role)) == [(payload, True)]


def test_payloads_are_counted_before_they_are_compressed(outgoing: Outgoing) -> None:
    compressing(outgoing)
    outgoing.message(Opcode.TEXT, b"a" * 1000)
    outgoing.fragment(Opcode.TEXT, b"a" * 100, False, compress=True)
    outgoing.fragment(Opcode.CONTINUATION, b"a" * 100, True)
    counters = outgoing.counters()
    assert counters["payload_bytes_sent"] == 1200
    assert (counters["messages_sent"], counters["frames_sent"]) == (2, 3)


def test_a_deflater_that_fails_is_not_ahead_of_the_peer(outgoing: Outgoing, role: str) -> None:
    compressing(outgoing)
    assert outgoing.deflater is not None
    outgoing.message(Opcode.TEXT, b"the first " * 9)
    compress = outgoing.deflater.compress

    def failing(payload: bytes, *, last: bool = True) -> bytes:
        compress(payload, last=last)
        raise MemoryError

    outgoing.deflater.compress = failing  # type: ignore[method-assign]
    with pytest.raises(MemoryError):
        outgoing.message(Opcode.TEXT, b"the second " * 9)
    outgoing.deflater.compress = compress  # type: ignore[method-assign]
    outgoing.message(Opcode.TEXT, b"the second " * 9)
    assert Peer().messages(frames(outgoing, role)) == [
        (b"the first " * 9, True),
        (b"the second " * 9, True),
    ]


class TestInterruptedCompression:
    """Whenever it comes: the peer's context is that of what was queued, in its order."""

    WORDS = [b"lorem ipsum dolor sit amet, %d " % number * 4 for number in range(4)]

    @classmethod
    def fresh(cls) -> Outgoing:
        outgoing = compressing(Outgoing(None))
        outgoing.message(Opcode.BINARY, cls.WORDS[0])
        return outgoing

    def received(self, outgoing: Outgoing) -> list[tuple[bytes, bool]]:
        return Peer().messages(frames(outgoing, "server"))

    def test_ctrl_c(self) -> None:
        for outgoing, error in at_every_moment(
            self.fresh, lambda outgoing: outgoing.message(Opcode.BINARY, self.WORDS[1])
        ):
            assert isinstance(error, KeyboardInterrupt)
            outgoing.message(Opcode.BINARY, self.WORDS[2])
            outgoing.message(Opcode.BINARY, self.WORDS[1])
            received = self.received(outgoing)
            behind = [(self.WORDS[number], True) for number in (2, 1)]
            assert received[0] == (self.WORDS[0], True)
            assert received[1:] in (behind, [(self.WORDS[1], True), *behind])

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_ctrl_c_in_a_fragment(self, place: int) -> None:
        """The message can be gone on with, from the fragment that was interrupted or behind it."""
        pieces = [
            (Opcode.BINARY, self.WORDS[1], False),
            (Opcode.CONTINUATION, self.WORDS[2], False),
            (Opcode.CONTINUATION, self.WORDS[3], True),
        ]

        def begun() -> Outgoing:
            outgoing = self.fresh()
            for piece in pieces[:place]:
                outgoing.fragment(*piece, compress=True)
            return outgoing

        for outgoing, _ in at_every_moment(
            begun, lambda outgoing: outgoing.fragment(*pieces[place], compress=True)
        ):
            queued = outgoing.take_bytes()
            rest = pieces[len(queued) - 1 :]
            for piece in rest:
                outgoing.fragment(*piece, compress=True)
            outgoing.message(Opcode.BINARY, self.WORDS[0])
            sent = parse_frames(b"".join(queued + outgoing.take_bytes()), masked=False)
            assert Peer().messages(sent) == [
                (self.WORDS[0], True),
                (b"".join(self.WORDS[1:]), True),
                (self.WORDS[0], True),
            ]

    @pytest.mark.parametrize("fragment", [False, True])
    def test_a_message_on_top(self, fragment: bool) -> None:
        """It is not compressed while another one is, which is the one that is compressed first."""
        on_top_was_compressed = set()

        def act(outgoing: Outgoing) -> None:
            if fragment:
                outgoing.fragment(Opcode.BINARY, self.WORDS[1], True, compress=True)
            else:
                outgoing.message(Opcode.BINARY, self.WORDS[1])

        for outgoing, error in at_every_moment(
            self.fresh, act, lambda outgoing: outgoing.message(Opcode.BINARY, self.WORDS[2])
        ):
            assert error is None
            outgoing.message(Opcode.BINARY, self.WORDS[3])
            received = self.received(outgoing)
            assert received[0] == (self.WORDS[0], True)
            assert received[-1] == (self.WORDS[3], True)
            assert sorted(data for data, _ in received[1:-1]) == sorted(self.WORDS[1:3])
            assert (self.WORDS[1], True) in received
            on_top_was_compressed.add((self.WORDS[2], True) in received)
        # Where it is compiled there are fewer moments.
        assert on_top_was_compressed == {True, False} or IS_COMPILED

    def test_a_compression_that_ends_the_connection_on_top(self) -> None:
        """The deflater is gone with it; nothing fails in the send below."""

        def end(outgoing: Outgoing) -> None:
            outgoing.is_open = False
            outgoing.deflater = None

        for _, error in at_every_moment(
            self.fresh, lambda outgoing: outgoing.message(Opcode.BINARY, self.WORDS[1]), end
        ):
            assert error is None or isinstance(error, ConnectionClosed)
