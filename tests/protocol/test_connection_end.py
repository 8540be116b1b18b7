"""How a connection ends, in both roles: RFC 6455 sections 5.5.1 and 7."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from tests.builds import IS_COMPILED
from tests.moments import at_every_moment
from tests.protocol.frame_bytes import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    TEXT,
    header,
)
from tests.protocol.pair import ConnectedPair, Cut, Side, byte_by_byte, opened, whole
from tests.protocol.splits import every_split
from tests.protocol.test_wire import NOT_SENDABLE, SENDABLE
from tieline.errors import ConnectionClosed, MessageTooBig, OptionError, ProtocolError
from tieline.protocol.closing import LINGER
from tieline.protocol.events import Close, Closed, ClosingStarted, PingReceived
from tieline.protocol.settings import Settings
from tieline.protocol.state import State
from tieline.protocol.wire import Opcode


def code(number: int) -> bytes:
    return number.to_bytes(2, "big")


class TestHandshake:
    """The closing handshake."""

    @pytest.mark.parametrize("reason", ["", "bye", "€" * 41])
    def test_back_to_back(self, connected_pair: ConnectedPair, reason: str) -> None:
        near, far = connected_pair.near, connected_pair.far
        near.close(4000, reason)
        assert near.connection.state is State.CLOSING
        assert near.told == [ClosingStarted(Close(4000, reason), None, None)]
        connected_pair.exchange()
        for side, initiator in ((near, "local"), (far, "remote")):
            assert side.connection.state is State.CLOSED
            assert side.info.clean
            assert side.info.error is None
            assert side.info.initiator == initiator
        assert far.info.received == Close(4000, reason)
        assert near.info.received == far.info.sent == Close(4000, "")
        assert far.told[0] == ClosingStarted(Close(4000, ""), Close(4000, reason), None)

    @pytest.mark.parametrize("split", [whole, byte_by_byte])
    def test_a_code_is_echoed(self, side: Side, split: Cut) -> None:
        for number in SENDABLE:
            one = opened(side.role)
            one.receive_frame(FIN | CLOSE, code(number) + b"why", split)
            assert one.sent_frames() == [(FIN | CLOSE, code(number))]
            one.receive_eof()
            assert (one.info.code, one.info.reason, one.info.clean) == (number, "why", True)

    def test_an_empty_close(self, side: Side) -> None:
        side.receive_frame(FIN | CLOSE)
        assert side.sent_frames() == [(FIN | CLOSE, b"")]
        side.receive_eof()
        assert (side.info.code, side.info.reason, side.info.clean) == (1005, "", True)
        assert side.info.sent == side.info.received == Close(1005, "")

    def test_at_once_from_both_sides(self, connected_pair: ConnectedPair) -> None:
        """7.1.3 wants the code of the first Close that comes; both are local, and clean."""
        near, far = connected_pair.near, connected_pair.far
        near.close(4001, "near")
        far.close(4002, "far")
        connected_pair.exchange()
        assert near.info.received == far.info.sent == Close(4002, "far")
        assert far.info.received == near.info.sent == Close(4001, "near")
        assert near.info.clean and far.info.clean
        assert near.info.initiator == far.info.initiator == "local"

    def test_only_once(self, side: Side) -> None:
        side.close(1000, "one")
        side.close(1001, "two")
        assert side.sent_frames() == [(FIN | CLOSE, code(1000) + b"one")]
        side.receive_frame(FIN | CLOSE, code(1000))
        side.close(1001, "three")
        assert side.sent() == b""

    def test_the_first_code_that_may_not_be_sent_changes_nothing(self, side: Side) -> None:
        for number in NOT_SENDABLE:
            with pytest.raises(OptionError, match="may not be sent"):
                side.close(number)
        with pytest.raises(OptionError, match="at most 123 bytes"):
            side.close(1000, "x" * 124)
        assert side.connection.state is State.OPEN
        assert side.sent() == b""

    def test_nothing_is_sent_after_it(self, side: Side) -> None:
        side.close()
        side.sent()
        outgoing = side.connection.outgoing
        sends: list[Callable[[], None]] = [
            lambda: outgoing.message(Opcode.TEXT, b"a"),
            lambda: outgoing.fragment(Opcode.TEXT, b"a", False),
            lambda: outgoing.ping(b"", 100.0),
            lambda: outgoing.pong(b""),
        ]
        for send in sends:
            with pytest.raises(ConnectionClosed):
                send()
        side.receive_frame(FIN | PING, b"p")
        assert side.told[-1] == PingReceived(b"p")
        assert side.sent() == b""

    def test_messages_before_the_answer_are_still_delivered(self, side: Side) -> None:
        side.close()
        side.receive_frame(FIN | TEXT, b"late")
        side.receive_frame(BINARY, b"and ")
        side.receive_frame(FIN, b"later")
        assert side.messages == ["late", b"and later"]

    def test_data_after_a_close_is_ignored(self, side: Side) -> None:
        stream = side.peers_frame(FIN | CLOSE, code(1000)) + side.peers_frame(FIN | TEXT, b"no")
        for pieces in every_split(stream + b"\xff\xff garbage"):
            one = opened(side.role)
            for piece in pieces:
                one.receive(piece)
            assert one.messages == []
            assert one.sent_frames() == [(FIN | CLOSE, code(1000))]
            one.receive_eof()
            assert one.info.clean

    def test_a_close_within_a_fragmented_message(self, side: Side) -> None:
        """Autobahn 7.1.5: the message is lost, the Close is echoed with its code."""
        side.receive_frame(TEXT, b"half of")
        side.receive_frame(FIN | CLOSE, code(1000))
        assert side.sent_frames() == [(FIN | CLOSE, code(1000))]
        side.receive_eof()
        assert side.messages == []
        assert (side.info.code, side.info.clean) == (1000, True)

    def test_a_close_while_we_send_fragments(self, side: Side) -> None:
        side.connection.outgoing.fragment(Opcode.TEXT, b"half of", False)
        side.receive_frame(FIN | CLOSE, code(1001))
        assert side.sent_frames() == [(TEXT, b"half of"), (FIN | CLOSE, code(1001))]

    def test_messages_and_echoes_come_before_the_answer(self, side: Side) -> None:
        outgoing = side.connection.outgoing
        side.on_event = lambda event: (
            [outgoing.message(Opcode.TEXT, text.encode()) for text in event]
            if isinstance(event, list)
            else None
        )
        stream = side.peers_frame(FIN | TEXT, b"one") + side.peers_frame(FIN | TEXT, b"two")
        side.receive(stream + side.peers_frame(FIN | CLOSE, code(1000)))
        assert side.messages == ["one", "two"]
        assert side.sent_frames() == [
            (FIN | TEXT, b"one"),
            (FIN | TEXT, b"two"),
            (FIN | CLOSE, code(1000)),
        ]

    def test_the_server_closes_tcp_first(self) -> None:
        """7.1.1: it ends with the answer; the client waits for the end of the stream."""
        server, client = opened("server"), opened("client")
        for side in (server, client):
            side.receive_frame(FIN | CLOSE, code(1000))
        assert server.connection.state is State.CLOSED
        assert server.info.clean
        assert client.connection.state is State.CLOSING
        assert client.connection.next_deadline() == 100.0 + LINGER
        client.on_time(100.0 + LINGER)
        assert client.info.clean
        assert client.info.error is None

    def test_a_server_that_began_ends_with_the_answer(self) -> None:
        side = opened("server")
        side.close(1001)
        assert side.connection.state is State.CLOSING
        side.receive_frame(FIN | CLOSE, code(1001))
        assert side.info.clean


class TestDeadline:
    def test_the_peer_does_not_answer(self, side: Side) -> None:
        side.close(1000)
        assert side.connection.next_deadline() == 110.0
        side.on_time(109.9)
        assert side.connection.state is State.CLOSING
        side.on_time(110.0)
        assert (side.info.code, side.info.clean, side.info.initiator) == (1006, False, "local")
        assert isinstance(side.info.error, TimeoutError)
        assert "close_timeout=10 s" in str(side.info.error)

    def test_messages_do_not_move_it(self, side: Side) -> None:
        side.close(1000)
        for now in range(101, 110):
            side.clock.now = float(now)
            side.receive_frame(FIN | TEXT, b"chatter")
        assert side.connection.next_deadline() == 110.0

    def test_no_keepalive_any_more(self, role: str) -> None:
        side = opened(role, Settings(ping_interval=1.0, close_timeout=None))
        side.close(1000)
        side.sent()
        assert side.connection.next_deadline() is None
        side.on_time(1e9)
        assert side.sent() == b""
        assert side.connection.state is State.CLOSING

    def test_a_slow_answer_leaves_the_rest_of_the_time(self) -> None:
        side = opened("client")
        side.close(1000)
        side.clock.now = 109.5
        side.receive_frame(FIN | CLOSE, code(1000))
        assert side.connection.next_deadline() == 110.0
        side.on_time(110.0)
        assert side.info.clean

    def test_after_a_broken_rule(self, side: Side) -> None:
        side.receive(b"\x83\x00" if side.role == "client" else b"\x83\x80")
        assert side.connection.next_deadline() == 100.0 + LINGER
        side.on_time(100.0 + LINGER)
        assert isinstance(side.info.error, ProtocolError)


def failed(side: Side) -> tuple[int, Exception]:
    """The code of the Close that went out, and the error that is told."""
    started = side.events(ClosingStarted)[-1]
    assert started.error is not None
    ((first, payload),) = side.sent_frames()[-1:]
    assert first == FIN | CLOSE
    assert started.sent == Close(int.from_bytes(payload[:2], "big"), payload[2:].decode())
    assert str(started.error).startswith(payload[2:].decode())
    assert len(payload) <= 125
    return int.from_bytes(payload[:2], "big"), started.error


class TestFailing:
    """Section 7.1.7: a Close with the code, nothing is read any more, and the stream ends."""

    @pytest.mark.parametrize(
        ("first", "payload", "close_code"),
        [
            (0xC1, b"", 1002),  # RSV1
            (0x83, b"", 1002),  # a reserved opcode
            (0x80, b"", 1002),  # a continuation of nothing
            (0x09, b"", 1002),  # a fragmented Ping
            (0x88, b"\x03", 1002),  # half a close code
            (0x88, b"\x03\xe8\xff", 1007),  # a reason that is not UTF-8
            (0x81, b"\xff", 1007),
            (0x01, b"\xed\xa0", 1007),
            (0x82, b"x" * 101, 1009),
        ],
    )
    def test_codes(self, role: str, first: int, payload: bytes, close_code: int) -> None:
        for split in (whole, byte_by_byte):
            side = opened(role, Settings(max_message_size=100))
            side.receive_frame(first, payload, split)
            assert failed(side)[0] == close_code
            assert side.connection.state is State.CLOSING
            side.receive_frame(FIN | TEXT, b"ignored")
            side.receive_frame(FIN | CLOSE, code(1000))
            assert side.messages == []
            assert side.sent() == b""
            side.receive_eof()
            info = side.info
            assert (info.code, info.clean, info.initiator) == (1006, False, "local")
            assert info.sent is not None
            assert info.sent.code == info.error.close_code == close_code
            assert info.received is None

    def test_a_close_code_that_may_not_be_sent(self, role: str) -> None:
        for number in NOT_SENDABLE:
            if 0 <= number < 65536:
                side = opened(role)
                side.receive_frame(FIN | CLOSE, code(number) + b"why")
                close_code, error = failed(side)
                assert close_code == 1002
                assert f"got {number} " in str(error)
                assert side.connection.state is State.CLOSING

    def test_the_other_roles_masking(self, side: Side) -> None:
        side.receive(header(FIN | TEXT, 0, masked=side.role == "client"))
        assert failed(side)[0] == 1002
        assert "mask" in str(side.events(ClosingStarted)[0].error)

    def test_good_messages_and_their_echoes_come_first(self, side: Side) -> None:
        """Autobahn 3.x, 4.x and 5.15, at every split."""
        good = [(FIN | TEXT, b"one"), (FIN | PING, b"p"), (FIN | BINARY, b"two")]
        stream = b"".join(side.peers_frame(*part) for part in good)
        stream += side.peers_frame(0x84, b"bad") + side.peers_frame(FIN | TEXT, b"no")
        for pieces in every_split(stream):
            one = opened(side.role)
            outgoing = one.connection.outgoing

            def echo(event: object, outgoing: object = outgoing) -> None:
                for message in event if isinstance(event, list) else []:
                    data = message.encode() if isinstance(message, str) else message
                    outgoing.message(Opcode.TEXT, data)

            one.on_event = echo
            for piece in pieces:
                one.receive(piece)
            assert one.messages == ["one", b"two"]
            assert [frame[0] for frame in one.sent_frames()] == [
                FIN | TEXT,
                FIN | PONG,
                FIN | TEXT,
                FIN | CLOSE,
            ]

    @pytest.mark.parametrize("announced", [101, 2**31, 2**32, 2**63 - 1])
    def test_a_length_over_the_limit_is_refused_by_its_header(
        self, role: str, announced: int
    ) -> None:
        side = opened(role, Settings(max_message_size=100))
        side.receive(header(FIN | BINARY, announced, masked=role == "server"))
        number, error = failed(side)
        assert number == 1009
        assert isinstance(error, MessageTooBig)
        assert str(error) == (
            f"message too big: at least {announced} bytes, the {role}'s max_message_size is 100"
        )
        assert (error.side, error.size) == (role, announced)
        assert (error.limit, error.option) == (100, "max_message_size")

    def test_the_limit_holds_for_the_sum(self, role: str) -> None:
        side = opened(role, Settings(max_message_size=100))
        side.receive_frame(BINARY, b"x" * 60)
        side.receive(header(CONTINUATION, 41, masked=role == "server"))
        assert failed(side)[0] == 1009

    def test_many_fragments(self, role: str) -> None:
        side = opened(role, Settings(max_fragments=10))
        side.receive_frame(TEXT)
        for _ in range(9):
            side.receive_frame(CONTINUATION)
        assert side.connection.state is State.OPEN
        side.receive_frame(CONTINUATION)
        number, error = failed(side)
        assert number == 1009
        assert "max_fragments" in str(error)

    def test_bad_text_fails_before_its_frame_is_complete(self, side: Side) -> None:
        side.receive(side.peers_frame(FIN | TEXT, b"ok\xff" + b"x" * 100)[:20])
        assert failed(side)[0] == 1007

    def test_by_the_driver(self, side: Side) -> None:
        side.connection.fail(ValueError("a handler \ud800 raised " + "€" * 100), 1011, 100.0)
        side.pull()
        ((_, payload),) = side.sent_frames()
        assert payload[:2] == code(1011)
        assert len(payload) <= 125
        assert payload[2:].decode().startswith("a handler ? raised €")  # no half character

    def test_after_our_own_close(self, side: Side) -> None:
        """The Close that was sent stays the only one."""
        side.close(1000)
        side.sent()
        side.receive(b"\xff\xff")
        assert side.sent() == b""
        side.receive_eof()
        assert isinstance(side.info.error, ProtocolError)
        assert side.info.sent == Close(1000, "")
        assert not side.info.clean

    def test_the_first_error_is_the_cause(self, side: Side) -> None:
        side.connection.fail(ValueError("first"), 1011, 100.0)
        side.connection.fail(ValueError("second"), 1011, 100.0)
        side.lose(OSError("third"))
        assert str(side.info.error) == "first"

    def test_the_error_does_not_keep_the_buffers(self, side: Side) -> None:
        """`close_info` lives as long as the client; a traceback would keep frames and reads."""
        side.receive_frame(FIN | TEXT, b"\xff")
        side.receive_eof()
        error = side.info.error
        assert error is not None
        assert error.__traceback__ is None
        assert error.__context__ is None
        kind = type(side.connection)
        gc.collect()
        before = sum(type(each) is kind for each in gc.get_objects())
        info = side.info
        del side.connection
        gc.collect()
        assert sum(type(each) is kind for each in gc.get_objects()) == before - 1
        assert info.error is error


class TestEndOfStream:
    def test_while_open(self, side: Side) -> None:
        side.receive_frame(FIN | TEXT, b"last")
        side.receive_eof()
        assert side.messages == ["last"]
        assert (side.info.code, side.info.clean, side.info.initiator) == (1006, False, "none")
        assert str(side.info.error) == "the peer ended the connection without a Close frame"
        assert side.sent() == b""

    def test_at_every_place(self, side: Side) -> None:
        stream = side.peers_frame(FIN | TEXT, b"one") + side.peers_frame(BINARY, b"two")
        stream += side.peers_frame(FIN, b"three") + side.peers_frame(FIN | CLOSE, code(1001))
        for place in range(len(stream) + 1):
            one = opened(side.role)
            one.receive(stream[:place])
            one.receive_eof()
            if place == len(stream):
                assert (one.info.code, one.info.clean) == (1001, True)
            else:
                assert (one.info.code, one.info.clean) == (1006, False)
                assert isinstance(one.info.error, EOFError)

    def test_is_noticed_behind_the_bytes_before_it(self, side: Side) -> None:
        data = side.peers_frame(FIN | TEXT, b"a") + side.peers_frame(FIN | CLOSE, code(1000))
        side.connection.receive_data(data, len(data), 100.0)
        side.connection.receive_eof()
        side.pull()
        assert side.messages == ["a"]
        assert side.info.clean

    def test_instead_of_an_answer(self, side: Side) -> None:
        side.close(1000)
        side.receive_eof()
        assert not side.info.clean
        assert "without answering the Close frame" in str(side.info.error)

    def test_twice(self, side: Side) -> None:
        side.receive_eof()
        side.receive_eof()
        assert len(side.events(Closed)) == 1


class TestLostConnection:
    def test_at_every_place(self, side: Side) -> None:
        stream = side.peers_frame(FIN | TEXT, b"one") + side.peers_frame(FIN | PING, b"p")
        stream += side.peers_frame(FIN | TEXT, b"two")
        for place in range(len(stream) + 1):
            one = opened(side.role)
            one.receive(stream[:place])
            one.lose(ConnectionResetError("reset"))
            assert (one.info.code, one.info.clean, one.info.initiator) == (1006, False, "none")
            assert isinstance(one.info.error, ConnectionResetError)
            with pytest.raises(ConnectionClosed, match="reset"):
                one.connection.outgoing.message(Opcode.TEXT, b"a")

    def test_while_closing(self, side: Side) -> None:
        side.close(1000)
        side.lose(ConnectionResetError("reset"))
        assert (side.info.code, side.info.clean, side.info.initiator) == (1006, False, "local")
        assert isinstance(side.info.error, ConnectionResetError)

    def test_after_the_closing_handshake_it_is_no_error(self) -> None:
        """A server that resets once both Close frames are exchanged takes nothing away."""
        side = opened("client")
        side.close(1000)
        side.receive_frame(FIN | CLOSE, code(1000))
        side.lose(ConnectionResetError("reset"))
        assert side.info.clean
        assert side.info.error is None
        assert side.info.code == 1000

    def test_after_a_broken_rule_the_rule_is_told(self, side: Side) -> None:
        side.receive_frame(0x83)
        side.lose(ConnectionResetError("reset"))
        assert isinstance(side.info.error, ProtocolError)

    def test_with_messages_that_were_not_pulled(self, side: Side) -> None:
        data = side.peers_frame(FIN | TEXT, b"a")
        side.connection.receive_data(data, len(data), 100.0)
        side.lose(OSError("unplugged"))
        assert [type(event) for event in side.told] == [str, Closed]


class TestBuffers:
    """A client lives on with its last connection; half a message must not."""

    def test_half_a_message_is_let_go(self, side: Side) -> None:
        half = 4 * 1024 * 1024
        side.receive(side.peers_frame(TEXT, b"a" * half))
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            side.receive(side.peers_frame(CONTINUATION, b"a" * half))
            held = tracemalloc.get_traced_memory()[0] - before
            side.receive_eof()
            left = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert side.info.code == 1006
        assert held > half // 2
        assert left < half // 8
        assert side.connection.counters()["frames_received"] == 2


class TestInterrupts:
    """Ctrl-C may come at any moment of a step: the step is done, or it can be done again."""

    @pytest.mark.parametrize("start", ["send_close", "fail", "silence", "peers_close"])
    def test_the_closing_has_begun_or_not(self, role: str, start: str) -> None:
        def make() -> Side:
            return opened(role, Settings(close_timeout=5.0, ping_interval=1.0, ping_timeout=1.0))

        steps: dict[str, Callable[[Side], object]] = {
            "send_close": lambda side: side.connection.send_close(1000, "bye", 0.0),
            "fail": lambda side: side.connection.fail(ValueError("why"), 1011, 0.0),
            "silence": lambda side: (
                side.connection.on_time(1e6),
                side.connection.on_time(1e6 + 1.0),
            ),
            "peers_close": lambda side: side.receive_frame(FIN | CLOSE, code(4000)),
        }
        outcomes = set()
        for side, _ in at_every_moment(make, steps[start]):
            connection, state = side.connection, side.connection.state
            outcomes.add(state)
            sent = [first for first, _ in side.sent_frames() if first == FIN | CLOSE]
            if state is State.OPEN:
                assert connection.outgoing.is_open and sent == []
                connection.send_close(4001, "", 0.0)
                assert side.sent_frames() == [(FIN | CLOSE, code(4001))]
            else:
                assert not connection.outgoing.is_open and sent == [FIN | CLOSE]
                connection.send_close(4001, "", 0.0)
                assert side.sent() == b""
            if connection.state is State.CLOSING:
                assert connection.next_deadline() is not None
                connection.on_time(1e9)
            assert connection.state is State.CLOSED
            assert connection.close_info is not None and connection.close_info.sent is not None
        # Compiled, a step that calls no Python has no such moment.
        assert State.OPEN in outcomes or (IS_COMPILED and not outcomes)

    @pytest.mark.parametrize("closing", [True, False])
    def test_a_connection_that_has_ended_says_how(self, role: str, closing: bool) -> None:
        def make() -> Side:
            side = opened(role)
            if closing:
                side.close()
            return side

        cause = ConnectionResetError("reset")
        for side, _ in at_every_moment(make, lambda side: side.connection.connection_lost(cause)):
            connection = side.connection
            if connection.state is not State.CLOSED:
                assert connection.close_info is None
                connection.connection_lost(cause)
            side.pull()
            assert side.info.error is cause
            assert not connection.outgoing.is_open
            assert connection.outgoing.close_info is connection.close_info
