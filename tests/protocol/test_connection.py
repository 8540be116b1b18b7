"""An open connection in both roles: what is delivered, answered and counted, and in which order."""

from __future__ import annotations

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
)
from tests.protocol.pair import ConnectedPair, Side, byte_by_byte, opened
from tests.protocol.splits import cut, every_split, places
from tieline.errors import ConnectionClosed, HandshakeError
from tieline.protocol.endpoints import client_connection, server_connection
from tieline.protocol.events import (
    AnsweredPing,
    Closed,
    FrameReceived,
    HandshakeFailed,
    Opened,
    PingReceived,
    PingSent,
    PongReceived,
    RequestReceived,
)
from tieline.protocol.handshake import UpgradeRequest
from tieline.protocol.settings import Settings
from tieline.protocol.state import State
from tieline.protocol.wire import Opcode


class TestOpening:
    def test_back_to_back(self) -> None:
        for split in (lambda data: [data], byte_by_byte):
            pair = ConnectedPair(cut=split)
            assert pair.client.connection.state is State.OPEN
            assert pair.server.connection.state is State.OPEN
            assert len(pair.client.events(Opened)) == 1

    def test_the_first_frames_share_a_packet_with_the_101(self) -> None:
        for size in range(1, 60):
            pair = ConnectedPair(open=False)
            client, server = pair.client, pair.server
            client.connection.start()
            server.receive(client.sent())
            server.connection.accept(100.0)
            server.connection.outgoing.message(Opcode.TEXT, b"one")
            server.connection.outgoing.ping(b"p", 100.0)
            server.connection.outgoing.message(Opcode.BINARY, b"two")
            data = server.sent()
            client.receive(data[:-size])
            client.receive(data[-size:])
            assert [type(event) for event in client.told] == [Opened, str, PingReceived, bytes]
            assert client.sent_frames() == [(FIN | PONG, b"p")]

    def test_the_first_frames_share_a_packet_with_the_request(self) -> None:
        """A client that does not wait for the answer; they are delivered after `accept`."""
        pair = ConnectedPair(open=False)
        pair.client.connection.start()
        pair.server.receive(pair.client.sent() + frame(FIN | TEXT, b"early", masked=True))
        assert [type(event) for event in pair.server.told] == [RequestReceived]
        pair.server.connection.accept(100.0)
        pair.server.pull()
        assert pair.server.messages == ["early"]

    def test_a_client_that_is_rejected(self) -> None:
        pair = ConnectedPair(open=False)
        pair.client.connection.start()
        pair.server.receive(pair.client.sent())
        pair.server.connection.reject(403, "go away")
        pair.server.pull()
        assert isinstance(pair.server.told[-1], HandshakeFailed)
        pair.client.receive(pair.server.sent())
        error = pair.client.told[-1].error
        assert isinstance(error, HandshakeError)
        assert error.response is not None
        assert (error.response.status, error.response.body) == (403, b"go away")
        for side in (pair.client, pair.server):
            assert side.connection.state is State.CLOSED
            assert side.connection.close_info is None

    def test_a_request_that_breaks_the_rules_is_answered(self) -> None:
        for request, status in (
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", b"405"),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"426"),
            (b"GET / HTTP/1.1\r\nbroken\r\n\r\n", b"400"),
        ):
            pair = ConnectedPair(open=False)
            pair.server.receive(request)
            assert isinstance(pair.server.told[-1], HandshakeFailed)
            assert pair.server.sent().startswith(b"HTTP/1.1 " + status)
            assert pair.server.connection.state is State.CLOSED

    @pytest.mark.parametrize("end", ["eof", "lost"])
    def test_the_stream_ends_first(self, role: str, end: str) -> None:
        pair = ConnectedPair(role, open=False)
        if role == "client":
            pair.client.connection.start()
        if end == "eof":
            pair.near.receive_eof()
            assert isinstance(pair.near.told[-1], HandshakeFailed)
        else:
            pair.near.lose(OSError("unplugged"))
            assert pair.near.info.code == 1006
            assert str(pair.near.info.error) == "unplugged"
        assert pair.near.connection.state is State.CLOSED
        pair.near.lose(OSError("again"))
        assert len(pair.near.told) == 1

    def test_a_close_before_it_is_open_is_left_to_the_driver(self, role: str) -> None:
        pair = ConnectedPair(role, open=False)
        pair.near.close(1001)
        pair.near.connection.fail(ValueError("broken"), 1002, 100.0)
        pair.near.pull()
        assert pair.near.told == []
        assert pair.near.sent() == b""
        assert pair.near.connection.state is State.CONNECTING
        assert pair.near.connection.next_deadline() is None
        pair.near.on_time(1e9)
        assert pair.near.told == []

    def test_nothing_can_be_sent_before(self, role: str) -> None:
        connection = ConnectedPair(role, open=False).near.connection
        with pytest.raises(ConnectionClosed, match="nothing can be sent"):
            connection.outgoing.message(Opcode.TEXT, b"a")

    def test_the_request_can_be_looked_at(self) -> None:
        request = UpgradeRequest("example.com", "/", headers=(("X-One", "1"),))
        connection = client_connection(request, "ws://example.com/")
        assert ("X-One", "1") in connection.opening.headers()
        connection.start()
        assert not connection.is_refused
        refusal = b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n"
        connection.receive_data(refusal, len(refusal), 0.0)
        assert connection.next_event(0.0) is None
        assert connection.is_refused
        connection.stop_waiting_for_body()
        assert isinstance(connection.next_event(0.0), HandshakeFailed)

    def test_defaults_come_from_the_system(self) -> None:
        request = UpgradeRequest("example.com", "/")
        keys = {client_connection(request, "ws://x/").opening.key for _ in range(10)}
        assert len(keys) == 10
        assert not server_connection().is_refused


class TestMessages:
    def test_at_every_split(self, role: str) -> None:
        side = opened(role)
        stream = side.peers_frame(FIN | TEXT, "é€".encode())
        stream += side.peers_frame(BINARY, b"\xff") + side.peers_frame(FIN | PING, b"p")
        stream += side.peers_frame(FIN | CONTINUATION, b"\xfe") + side.peers_frame(FIN | TEXT)
        for pieces in every_split(stream):
            side.told.clear()
            for piece in pieces:
                side.receive(piece)
            assert side.told == ["é€", PingReceived(b"p"), b"\xff\xfe", ""]
            assert side.sent_frames() == [(FIN | PONG, b"p")]

    def test_both_ways(self, connected_pair: ConnectedPair) -> None:
        near, far = connected_pair.near, connected_pair.far
        near.connection.outgoing.message(Opcode.TEXT, "héllo".encode())
        far.connection.outgoing.message(Opcode.BINARY, bytes(70_000))
        connected_pair.exchange()
        assert far.messages == ["héllo"]
        assert near.messages == [bytes(70_000)]

    def test_text_as_bytes(self, role: str) -> None:
        side = opened(role, Settings(decode_text=False))
        side.receive_frame(FIN | TEXT, "é".encode())
        assert side.messages == ["é".encode()]

    def test_many_messages_are_one_event(self, side: Side) -> None:
        data = bytearray(side.peers_frame(FIN | TEXT, b"a") * 500)
        side.connection.receive_data(data, len(data), 100.0)
        assert side.connection.next_event(100.0) == ["a"] * 500
        assert side.connection.next_event(100.0) is None

    def test_a_piece_too_early_is_refused(self, side: Side) -> None:
        """Its bytes would have to be copied: the driver pulls until None first."""
        data = side.peers_frame(FIN | TEXT, b"a")
        side.connection.receive_data(data, len(data), 100.0)
        with pytest.raises(RuntimeError, match="of the last piece are unread"):
            side.connection.receive_data(data, len(data), 100.0)
        side.pull()
        assert side.messages == ["a"]

    def test_what_is_broken_behind_the_messages(self, side: Side) -> None:
        """The driver may let the messages be answered before the peer is told of its fault."""
        good, bad = side.peers_frame(FIN | TEXT, b"a"), side.peers_frame(FIN | 0x40 | TEXT, b"b")
        connection = side.connection
        for stream in (good, good + bad):
            connection.receive_data(bytearray(stream), len(stream), 100.0)
            assert not connection.is_broken
            assert connection.next_event(100.0) == ["a"]
            assert connection.is_broken == (stream != good)
            if stream == good:
                assert connection.next_event(100.0) is None
        connection.outgoing.message(Opcode.TEXT, b"answer")
        side.pull()
        assert not connection.is_broken, "it was acted on"
        assert [first for first, _ in side.sent_frames()] == [FIN | TEXT, FIN | CLOSE]


class TestPings:
    def test_are_answered_in_order(self, side: Side) -> None:
        side.receive(b"".join(side.peers_frame(FIN | PING, b"%d" % n) for n in range(5)))
        assert [event.data for event in side.events(PingReceived)] == [b"0", b"1", b"2", b"3", b"4"]
        assert side.sent_frames() == [(FIN | PONG, b"%d" % n) for n in range(5)]

    def test_are_answered_with_the_same_payload(self, side: Side) -> None:
        for payload in (b"", bytes(range(125))):
            for split in (lambda data: [data], byte_by_byte):
                side.receive_frame(FIN | PING, payload, split)
                assert side.sent_frames() == [(FIN | PONG, payload)]

    def test_the_answer_comes_after_what_was_queued_before(self, side: Side) -> None:
        """The Pong is queued when its event is pulled; echoes of earlier messages come first."""
        side.on_event = lambda event: (
            side.connection.outgoing.message(Opcode.TEXT, b"echo")
            if isinstance(event, list)
            else None
        )
        side.receive(side.peers_frame(FIN | TEXT, b"a") + side.peers_frame(FIN | PING, b"p"))
        assert side.sent_frames() == [(FIN | TEXT, b"echo"), (FIN | PONG, b"p")]

    def test_round_trip(self, connected_pair: ConnectedPair) -> None:
        near = connected_pair.near
        near.connection.outgoing.ping(b"a", 100.0, "first")
        near.connection.outgoing.ping(b"b", 101.0, "second")
        connected_pair.clock.now = 102.0
        connected_pair.exchange()
        assert near.events(PongReceived) == [
            PongReceived(b"a", (AnsweredPing("first", 2.0),)),
            PongReceived(b"b", (AnsweredPing("second", 1.0),)),
        ]

    def test_a_pong_for_the_most_recent(self, side: Side) -> None:
        for data in (b"a", b"b"):
            side.connection.outgoing.ping(data, 100.0, data)
        side.receive_frame(FIN | PONG, b"b")
        assert [answered.token for answered in side.told[0].answered] == [b"a", b"b"]

    def test_a_pong_nobody_asked_for(self, side: Side) -> None:
        side.receive_frame(FIN | PONG, b"hi")
        assert side.told == [PongReceived(b"hi", ())]
        assert side.sent() == b""

    def test_a_peer_that_does_not_read(self, side: Side) -> None:
        side.connection.outgoing.set_congested(True)
        for number in range(100):
            side.receive_frame(FIN | PING, b"%d" % number)
        assert side.sent() == b""
        side.connection.outgoing.set_congested(False)
        assert side.sent_frames() == [(FIN | PONG, b"99")]


class TestKeepalive:
    """Without a test that waits: the time is an argument."""

    def test_a_ping_when_it_is_due(self, side: Side) -> None:
        assert side.connection.next_deadline() == 120.0
        side.on_time(119.9)
        assert side.told == []
        side.on_time(120.0)
        (sent,) = side.events(PingSent)
        assert side.sent_frames() == [(FIN | PING, sent.data)]
        assert len(sent.data) == 4
        assert side.connection.next_deadline() == 140.0

    def test_pings_differ(self, side: Side) -> None:
        for now in (120.0, 140.0, 160.0):
            side.on_time(now)
            side.clock.now = now + 1
            side.receive_frame(FIN | PONG, side.told[-1].data)
        assert len({event.data for event in side.events(PingSent)}) == 3
        assert [len(event.answered) for event in side.events(PongReceived)] == [1, 1, 1]

    def test_silence(self, side: Side) -> None:
        side.on_time(120.0)
        side.sent()
        side.on_time(140.0)
        assert isinstance(side.info.error, TimeoutError)
        assert "did not answer a Ping within ping_timeout=20 s" in str(side.info.error)
        assert (side.info.code, side.info.clean, side.info.initiator) == (1006, False, "local")
        assert side.sent_frames() == [(FIN | CLOSE, b"\x03\xf3keepalive ping timeout")]
        assert side.connection.next_deadline() is None
        assert not side.connection.outgoing.is_open

    def test_any_byte_counts(self, side: Side) -> None:
        """Also one that completes nothing."""
        side.on_time(120.0)
        side.clock.now = 139.0
        side.receive(side.peers_frame(FIN | BINARY, b"large")[:1])
        side.on_time(140.0)
        assert side.connection.state is State.OPEN
        assert len(side.events(PingSent)) == 2

    def test_this_program_was_held_up(self, side: Side) -> None:
        side.on_time(120.0)
        side.on_time(5000.0)
        assert side.connection.state is State.OPEN
        assert len(side.events(PingSent)) == 2
        side.on_time(5020.0)
        assert "held up" in str(side.info.error)

    def test_a_driver_that_does_not_read(self, side: Side) -> None:
        side.on_time(120.0)
        side.connection.keepalive.not_reading()
        side.on_time(140.0)
        assert side.connection.state is State.OPEN

    def test_a_peer_that_takes_what_is_before_the_ping(self, side: Side) -> None:
        """Its answer cannot come before the Ping has; what was taken earlier proves nothing."""
        side.on_time(120.0)
        side.connection.keepalive.peer_took_bytes(139.0)
        side.connection.keepalive.peer_took_bytes(130.0)
        side.on_time(140.0)
        assert side.connection.state is State.OPEN
        side.connection.keepalive.peer_took_bytes(139.5)
        side.on_time(160.0)
        assert side.connection.state is State.CLOSED

    def test_off(self, role: str) -> None:
        side = opened(role, Settings(ping_interval=None))
        assert side.connection.next_deadline() is None
        side.on_time(1e9)
        assert side.told == []

    def test_a_late_timer_does_not_overtake_what_was_read(self, side: Side) -> None:
        side.on_time(120.0)
        side.clock.now = 139.0
        side.receive_frame(FIN | TEXT, b"a")
        side.on_time(139.5)
        assert side.connection.state is State.OPEN


class TestInspection:
    """`inspect_frames`: every frame is shown before it is processed."""

    def test_before_it_is_processed(self, role: str) -> None:
        side = opened(role, Settings(inspect_frames=True))
        side.receive_frame(TEXT, b"a")
        side.receive_frame(FIN | PING, b"p")
        side.receive_frame(FIN, b"b")
        shown = [
            (event.frame.opcode, event.frame.fin) if isinstance(event, FrameReceived) else event
            for event in side.told
        ]
        assert shown == [
            (Opcode.TEXT, False),
            (Opcode.PING, True),
            PingReceived(b"p"),
            (Opcode.CONTINUATION, True),
            "ab",
        ]

    def test_skip(self, role: str) -> None:
        side = opened(role, Settings(inspect_frames=True))
        skipped = {b"no", b"p", b"\x03\xe8"}

        def inspect(event: Any) -> None:
            if isinstance(event, FrameReceived) and event.frame.payload in skipped:
                side.connection.skip_frame()

        side.on_event = inspect
        for first, payload in (
            (FIN | TEXT, b"no"),
            (FIN | PING, b"p"),
            (FIN | CLOSE, b"\x03\xe8"),
            (FIN | TEXT, b"yes"),
        ):
            side.receive_frame(first, payload)
        assert side.messages == ["yes"]
        assert side.events(PingReceived) == []
        assert side.sent() == b""
        assert side.connection.state is State.OPEN

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([TEXT, BINARY, 0, 0x81, 0x82, 0x80, 0x89, 0x8A, 0x88]),
                st.one_of(st.text(max_size=3).map(str.encode), st.binary(max_size=4)),
            ),
            max_size=6,
        ),
        places,
        st.sampled_from(["client", "server"]),
    )
    def test_all_processed_is_the_same_as_not_inspected(
        self, parts: list[tuple[int, bytes]], where: list[int], role: str
    ) -> None:
        outcomes = []
        for inspect_frames in (False, True):
            side = opened(role, Settings(max_message_size=5, inspect_frames=inspect_frames))
            for piece in cut(b"".join(side.peers_frame(*part) for part in parts), where):
                side.receive(piece)
            told = [event for event in side.told if not isinstance(event, FrameReceived)]
            side.receive_eof()
            info = side.info
            outcomes.append(
                (
                    [repr(event) for event in told],
                    side.sent(),
                    (info.code, info.sent, info.received, info.clean, repr(info.error)),
                    side.connection.counters(),
                )
            )
        assert outcomes[0] == outcomes[1]


def test_counters(connected_pair: ConnectedPair) -> None:
    near, far = connected_pair.near, connected_pair.far
    near.connection.outgoing.message(Opcode.TEXT, b"12345")
    near.connection.outgoing.fragment(Opcode.BINARY, b"12", False)
    near.connection.outgoing.fragment(Opcode.CONTINUATION, b"3", True)
    near.connection.outgoing.ping(b"p", 100.0)
    connected_pair.exchange()
    assert near.connection.counters() == {
        "messages_sent": 2,
        "frames_sent": 4,
        "payload_bytes_sent": 8,
        "pings_sent": 1,
        "pongs_sent": 0,
        "messages_received": 0,
        "frames_received": 1,
        "payload_bytes_received": 0,
        "pings_received": 0,
        "pongs_received": 1,
    }
    sent, received = near.connection.counters(), far.connection.counters()
    for name in ("messages", "frames", "payload_bytes", "pings"):
        assert received[f"{name}_received"] == sent[f"{name}_sent"]
    assert far.connection.counters()["pongs_sent"] == 1


def test_an_end_is_the_last_thing_told(side: Side) -> None:
    side.lose(OSError("unplugged"))
    assert isinstance(side.told[-1], Closed)
    side.receive_frame(FIN | TEXT, b"late")
    side.receive_eof()
    side.close()
    side.on_time(1e9)
    assert isinstance(side.told[-1], Closed)
    assert len(side.told) == 1
    assert side.connection.next_deadline() is None
