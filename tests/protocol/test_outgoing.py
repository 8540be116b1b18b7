"""The write side: order, fragments, control frames, congestion; nothing after a Close."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.moments import at_every_moment
from tests.protocol.frame_bytes import KEY, frame
from tests.protocol.pair import parse_frames
from tieline.errors import ConnectionClosed, OptionError, ProtocolError
from tieline.protocol.events import AnsweredPing, Close, CloseInfo
from tieline.protocol.outgoing import Outgoing
from tieline.protocol.wire import Opcode


@pytest.fixture
def outgoing(role: str) -> Outgoing:
    outgoing = Outgoing((lambda size: KEY * (size // 4)) if role == "client" else None)
    outgoing.is_open = True
    return outgoing


def frames(outgoing: Outgoing, role: str) -> list[tuple[int, bytes]]:
    return parse_frames(b"".join(outgoing.take()), masked=role == "client")


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
    with pytest.raises(ConnectionClosed) as caught:
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
    def fresh() -> tuple[Outgoing, list[bytes | bytearray]]:
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
        def act(thing: tuple[Outgoing, list[bytes | bytearray]]) -> None:
            outgoing, taken = thing
            send(outgoing)
            taken += outgoing.take()

        def on_top(thing: tuple[Outgoing, list[bytes | bytearray]]) -> None:
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
