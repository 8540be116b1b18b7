"""Pump: what is read is delivered, in order, by one thread at a time, and nothing is left lying."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from tests.builds import reaches_inside
from tests.engine.instead import instead
from tieline.engine.receive_buffer import ReceiveBuffer
from tieline.errors import ConnectionClosed, ProtocolError
from tieline.protocol.wire import Opcode
from tieline.testing import Recorder

Lines = Callable[..., Any]
SOON = 20.0


def unread(line: Any, *messages: str) -> None:
    """The server sends them, and nobody reads them yet."""
    for message in messages:
        line.server.outgoing.message(Opcode.TEXT, message.encode())
    line.flush_server()


def read(line: Any) -> bool:
    return bool(line.session.pump.read(line.reactor.now(), ReceiveBuffer()))


def test_any_thread_may_read_and_deliver(line: Any, recorder: Recorder) -> None:
    unread(line, "a", "b")
    assert line.in_another_thread(lambda: read(line)) is True
    assert recorder.messages == ["a", "b"]
    assert line.in_another_thread(lambda: read(line)) is False


def test_on_open_comes_first_whoever_is_first(line_of: Lines, recorder: Recorder) -> None:
    """A thread may drive before the reactor's has come to the new connection."""
    line = line_of(start=False, drivable=True)
    unread(line, "early")
    line.session.start(line.response)
    line.server.outgoing.ping(b"?", line.clock.now())
    line.flush_server()
    line.in_another_thread(lambda: line.drive())
    line.run()
    assert [record.kind for record in recorder.take()] == ["open", "ping"]
    assert line.delivery.take() == "early"


def test_no_second_thread_reads_while_one_delivers(line: Any, recorder: Recorder) -> None:
    outcome: list[bool] = []

    def during(message: str) -> None:
        assert line.session.pump.is_mine and not line.session.pump.is_busy
        if message == "1":
            unread(line, "3")
            outcome.append(line.in_another_thread(lambda: line.session.pump.is_busy))
            outcome.append(line.in_another_thread(lambda: read(line)))

    recorder.react("message", during)
    unread(line, "1", "2")
    read(line)
    assert outcome == [True, False]
    assert recorder.messages == ["1", "2"]
    assert not line.session.pump.is_mine
    read(line)
    assert recorder.messages == ["1", "2", "3"]


def test_a_reader_may_wait_for_its_turn(line: Any, recorder: Recorder) -> None:
    waiting = threading.Event()
    results: list[bool] = []

    def other() -> None:
        waiting.set()
        results.append(line.session.pump.read(line.reactor.now(), ReceiveBuffer(), SOON))

    thread = threading.Thread(target=other)

    def during(message: str) -> None:
        if message == "1":
            thread.start()
            assert waiting.wait(SOON)
            unread(line, "2")

    recorder.react("message", during)
    unread(line, "1")
    read(line)
    thread.join(SOON)
    assert results == [True]
    assert recorder.messages == ["1", "2"]
    assert recorder.overlaps == []


@pytest.mark.parametrize("what", [None, b"data"])
def test_what_came_up_during_a_read_is_delivered_behind_it(
    line: Any, recorder: Recorder, what: bytes | None
) -> None:
    """Also when there was nothing to read: nobody else would come for it."""
    receive = line.near.receive_into

    def with_news(buffer: memoryview) -> int | None:
        line.near.receive_into = receive
        line.session.connection.connection_lost(OSError("gone"))
        line.in_another_thread(lambda: line.session.pump.deliver(line.reactor.now()))
        return receive(buffer)

    line.near.receive_into = with_news
    if what is not None:
        unread(line, "a")
    read(line)
    assert line.session.has_ended
    assert recorder.take()[-1].kind == "end"


def test_what_came_up_in_a_handler_is_delivered_by_its_thread(
    line: Any, recorder: Recorder
) -> None:
    def drop(message: str) -> None:
        line.session.drop()
        line.in_another_thread(lambda: line.session.pump.deliver(line.reactor.now()))
        assert not line.session.has_ended

    recorder.react("message", drop)
    unread(line, "a")
    read(line)
    assert line.session.has_ended
    assert [record.kind for record in recorder.take()] == ["open", "message", "close", "end"]


def test_calls_of_other_threads_are_handlers_among_the_others(
    line: Any, recorder: Recorder
) -> None:
    """Not beside one that runs, and not after the last."""
    calls: list[str] = []

    def during(message: str) -> None:
        line.in_another_thread(lambda: line.session.pump.call_soon(lambda: calls.append(message)))
        line.in_another_thread(lambda: line.session.pump.deliver(line.reactor.now()))
        assert calls == []

    recorder.react("message", during)
    unread(line, "a")
    read(line)
    assert calls == ["a"]
    line.session.pump.call_soon(lambda: calls.append("soon"))
    line.run()
    assert calls == ["a", "soon"]
    recorder.react("close", lambda _: line.session.pump.call_soon(lambda: calls.append("late")))
    line.session.drop()
    line.run()
    assert calls == ["a", "soon"]


def test_handlers_hold_no_lock(line: Any, recorder: Recorder) -> None:
    def during(message: str) -> None:
        lock = line.session.lock
        assert line.in_another_thread(lambda: lock.acquire(timeout=0.1) and lock.release() is None)

    recorder.react("message", during)
    line.server_sends("a")
    assert recorder.messages == ["a"]
    assert not [record for record in recorder.take() if record.kind == "error"]


def test_a_handler_that_forks(line: Any, recorder: Recorder) -> None:
    """The child's lock is another one, and the old one may be held by a thread of the parent."""

    def fork(message: str) -> None:
        line.in_another_thread(line.session.lock.acquire)
        line.session.abandon_after_fork()

    recorder.react("message", fork)
    unread(line, "a")
    read(line)
    assert line.session.has_ended and not line.session.pump.is_mine


def test_an_error_inside_gives_the_turn_back(line: Any, recorder: Recorder) -> None:
    def broken(buffer: memoryview) -> int:
        raise ValueError("a bug")

    line.near.receive_into = broken
    with pytest.raises(ValueError, match="a bug"):
        read(line)
    assert not line.session.pump.is_mine
    line.session.drop()
    line.run()
    assert line.session.has_ended


def test_seconds_and_bytes_are_counted(line: Any) -> None:
    unread(line, "abc")
    receive = line.near.receive_into

    def slow(buffer: memoryview) -> int | None:
        line.clock.advance(0.25)
        return receive(buffer)

    line.near.receive_into = slow
    read(line)
    assert line.session.pump.bytes_read == 5
    assert line.session.pump.receive_seconds == 0.25


@reaches_inside
def test_a_lost_end_is_found_again(
    line: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between taking the last event and passing it on."""
    finish = line.session.finish

    def interrupted() -> None:
        instead(monkeypatch, line.session, "finish", finish)
        raise KeyboardInterrupt

    instead(monkeypatch, line.session, "finish", interrupted)
    line.session.connection.connection_lost(None)
    with pytest.raises(KeyboardInterrupt):
        line.session.pump.deliver(line.reactor.now())
    assert not line.session.has_ended
    line.session.pump.deliver(line.reactor.now())
    assert line.session.has_ended
    assert [record.kind for record in recorder.take()] == ["open", "close", "end"]


def test_a_round_trip_is_never_negative(line: Any) -> None:
    """The thread that reads looked at the clock, and then another one sent the Ping."""
    early = line.reactor.now()
    line.clock.advance(1.0)
    line.session.speaker.ping(b"p")
    line.clock.advance(0.5)
    line.server.outgoing.pong(b"p")
    line.flush_server()
    line.session.pump.read(early, ReceiveBuffer())
    assert line.round_trips == [0.5]


# --- full


def test_no_more_is_asked_for_than_there_is_room_for(line_of: Lines) -> None:
    """One read may bring more than fits: the rest waits as it came, in memory of its own."""
    jobs: list[Any] = []
    line = line_of(submit=jobs.append, max_queue=2)
    while jobs:
        jobs.pop(0)()
    for number in range(6):  # a Ping ends a run
        line.server.outgoing.message(Opcode.TEXT, b"%d" % number)
        line.server.outgoing.ping(b"", 0.0)
    line.flush_server()
    memory = ReceiveBuffer()
    assert line.session.pump.read(line.reactor.now(), memory)
    assert line.session.pump.has_more and line.delivery.load <= 3
    memory.buffer[:] = bytes(len(memory.buffer))
    assert read(line) is False, "nothing may be read over what is not used up"
    line.run()
    assert line.delivery.load <= 3
    while jobs:
        jobs.pop(0)()
        line.run()
        assert line.delivery.load <= 3
    assert not line.session.pump.has_more


def test_the_rest_comes_in_order(line_of: Lines, recorder: Recorder) -> None:
    jobs: list[Any] = []
    line = line_of(submit=jobs.append, max_queue=2, kinds=("open", "close", "ping"))
    for number in range(6):
        line.server.outgoing.message(Opcode.TEXT, b"%d" % number)
        line.server.outgoing.ping(b"%d" % number, 0.0)
    line.flush_server()
    line.server_sends("last")
    while jobs:
        jobs.pop(0)()
        line.run()
    assert recorder.messages == [*map(str, range(6)), "last"]
    assert [record.value for record in recorder.take() if record.kind == "ping"] == [
        b"%d" % number for number in range(6)
    ]


@pytest.mark.parametrize("how", ["fail", "lost", "drop"])
def test_full_keeps_no_end_from_being_told(line_of: Lines, recorder: Recorder, how: str) -> None:
    jobs: list[Any] = []
    line = line_of(submit=jobs.append, max_queue=1)
    line.server_sends("1")
    line.server_sends("2")
    unread(line, "3")
    assert line.delivery.is_full
    if how == "fail":
        line.session.fail(ValueError("a bug"), 1011)
        line.run()
        assert line.session.connection.state.value == "closing"
        line.reactor.advance(line.options.close_timeout + 1)
    elif how == "lost":
        line.session.fail(OSError("gone"))
    else:
        line.session.drop()
    line.run()
    assert line.session.has_ended
    while jobs:
        jobs.pop(0)()
    assert recorder.take()[-1].kind == "end"


def test_reading_up_to_the_peers_close(line_of: Lines) -> None:
    """`close()` with a full inbox: what finds no room is counted."""
    line = line_of(drivable=True, max_queue=2)
    line.session.driver.give_back()
    line.run()
    dropped: list[int] = []
    line.owner.on_dropped = dropped.append
    for number in range(6):
        line.server.outgoing.message(Opcode.TEXT, b"%d" % number)
        line.server.outgoing.ping(b"", 0.0)
    line.flush_server()
    line.run()
    assert line.delivery.is_full and line.session.pump.has_more
    line.session.close(1000, "")
    line.run()
    line.server_gets()
    line.far.close()
    line.run()
    assert line.session.has_ended and line.session.connection.close_info.clean
    assert len(line.delivery) == 2 and dropped == [4]


def test_a_broken_write_does_not_overfill(line_of: Lines) -> None:
    """What the peer had sent before is read as there is room for it, and its Close is found."""
    line = line_of(drivable=True, max_queue=1)
    line.session.driver.give_back()
    line.run()
    for number in range(3):
        line.server.outgoing.message(Opcode.TEXT, b"%d" % number)
        line.server.outgoing.ping(b"", 0.0)
    line.server.send_close(4000, "bye", 0.0)
    line.flush_server()
    line.far.close()
    line.session.sender.ping(b"", None)
    line.run()
    got = []
    while not line.session.has_ended or len(line.delivery):
        assert len(line.delivery) <= 1
        got.append(line.delivery.take())
        line.run()
    assert got == ["0", "1", "2"]
    assert line.session.connection.close_info.code == 4000


# --- chunks


def test_chunks_are_delivered(line_of: Lines) -> None:
    line = line_of(drivable=True)
    line.session.driver.give_back()
    line.run()
    line.session.pump.stream_messages()
    line.server_sends("whole")
    for opcode, payload, fin in (
        (Opcode.TEXT, b"a\xc3", False),
        (Opcode.CONTINUATION, b"\xa4b", False),
        (Opcode.CONTINUATION, b"", True),
    ):
        line.server.outgoing.fragment(opcode, payload, fin)
        line.flush_server()
        line.run()
    assert line.delivery.take_whole() == "whole"
    chunks = line.delivery.take_chunks()
    assert [chunks.take() for _ in range(3)] == ["a", "äb", None]


def test_what_came_before_is_the_first_chunk(line_of: Lines) -> None:
    """And it is there although nothing more comes."""
    line = line_of(drivable=True)
    line.session.driver.give_back()
    line.server.outgoing.fragment(Opcode.TEXT, b"before", False)
    line.flush_server()
    line.run()
    assert not line.delivery.has_chunks()
    line.session.pump.stream_messages()
    line.run()
    assert line.delivery.take_chunks().take() == "before"
    line.session.pump.stream_messages()


def test_chunks_stop_when_enough_of_them_wait(line_of: Lines) -> None:
    line = line_of(drivable=True, capacity=8 << 20)
    line.session.driver.give_back()
    line.run()
    line.session.pump.stream_messages()
    line.server_sends(b"x" * (4 << 20))
    chunks = line.delivery.take_chunks()
    assert line.delivery.is_full and chunks.waiting < 2 << 20
    size = 0
    while (part := chunks.take()) is not None:
        size += len(part)
        line.run()
        assert chunks.waiting < 2 << 20
    assert size == 4 << 20


def test_bad_text_in_the_middle(line_of: Lines) -> None:
    line = line_of(drivable=True)
    line.session.driver.give_back()
    line.run()
    line.session.pump.stream_messages()
    for opcode, payload in ((Opcode.TEXT, b"good"), (Opcode.CONTINUATION, b"\xff")):
        line.server.outgoing.fragment(opcode, payload, False)
        line.flush_server()
        line.run()
    line.server_gets()
    line.reactor.advance(line.options.close_timeout)
    chunks = line.delivery.take_chunks()
    assert chunks.take() == "good"
    with pytest.raises(ConnectionClosed, match="UTF-8") as raised:
        chunks.take()
    assert isinstance(raised.value.__cause__, ProtocolError)


def test_handlers_get_streams(line_of: Lines, recorder: Recorder) -> None:
    jobs: list[Any] = []
    line = line_of(streaming=True, submit=jobs.append, capacity=2 << 20)
    recorder.react("message", lambda stream: got.append(stream.read()))
    got: list[Any] = []
    line.server_sends("a", "b" * 1_000_000, "c")
    while jobs:
        jobs.pop(0)()
        line.run()
    assert got == ["a", "b" * 1_000_000, "c"]


def test_a_big_message_is_read_to_where_it_stays(line: Any, recorder: Recorder) -> None:
    payload = bytes(range(256)) * 4096
    read_directly = []
    receive = line.near.receive_into

    def told(view: memoryview) -> int | None:
        count: int | None = receive(view)
        if view.obj is not memory.buffer:
            read_directly.append(count)
        return count

    line.near.receive_into = told
    memory = ReceiveBuffer()
    line.server.outgoing.message(Opcode.BINARY, payload)
    line.server.outgoing.message(Opcode.TEXT, b"after it")
    stream = b"".join(line.server.data_to_send())
    for start in range(0, len(stream), 60_000):
        line.far.write(stream[start : start + 60_000])
        assert line.session.pump.read(line.reactor.now(), memory)
    assert recorder.messages == [payload]  # to its very end
    assert line.session.pump.read(line.reactor.now(), memory)
    assert recorder.messages == [payload, "after it"]
    assert sum(read_directly) >= len(payload) - 60_000


def test_a_big_text_need_not_be_ascii(line: Any, recorder: Recorder) -> None:
    text = "plain" * 40_000 + "é日" * 100_000
    line.server.outgoing.message(Opcode.TEXT, text.encode())
    stream = b"".join(line.server.data_to_send())
    for start in range(0, len(stream), 60_000):
        line.far.write(stream[start : start + 60_000])
        assert read(line)
    assert recorder.messages == [text]


def test_a_broken_read_does_not_keep_a_big_message(line: Any) -> None:
    line.server.outgoing.message(Opcode.BINARY, bytes(1_000_000))
    line.far.write(b"".join(line.server.data_to_send())[:60_000])
    assert read(line)
    target = weakref.ref(line.session.connection.receive_target)

    def broken(view: memoryview) -> int:
        assert view is target()
        raise ConnectionResetError("reset")

    line.near.receive_into = broken
    read(line)
    line.run()
    assert isinstance(line.session.connection.close_info.error, ConnectionResetError)
    assert target() is None


def test_tls_that_pauses_is_read_on_and_is_not_taken_for_silence(
    line: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer may send records without content for ever, and the stream gives others their turn."""
    stream, pump = line.session.stream, line.session.pump
    pauses = iter((None, None, None))
    receive = stream.receive_into

    def receive_into(buffer: memoryview) -> int | None:
        for pause in pauses:
            stream.has_buffered_input = True
            return pause
        stream.has_buffered_input = False
        return receive(buffer)

    monkeypatch.setattr(stream, "receive_into", receive_into)
    before = pump.found_nothing_at
    line.clock.advance(1.0)
    assert read(line) is True
    assert pump.found_nothing_at == before, "there may be more"
    unread(line, "behind it")
    pump.read_buffered()
    line.run()
    assert recorder.messages == ["behind it"]
    assert next(pauses, "over") == "over"


def answer_close(line: Any) -> None:
    """The server does so, and nobody reads it yet."""
    line.session.close(1000, "")
    line.run()
    data = line.far.read()
    line.server.receive_data(data, len(data), line.clock.now())
    while line.server.next_event(line.clock.now()) is not None:
        pass
    line.flush_server()


def test_the_end_that_follows_the_peers_close_is_found_with_it(
    line_of: Lines, recorder: Recorder
) -> None:
    line = line_of(ping_interval=None)
    answer_close(line)
    line.far.shutdown_write()
    assert read(line)
    assert line.session.has_ended and line.session.connection.close_info.clean
    assert [record.kind for record in recorder.take()] == ["open", "close", "end"]


def test_a_peer_that_goes_on_after_its_close_is_not_read_for_ever(line_of: Lines) -> None:
    line = line_of(ping_interval=None)
    answer_close(line)
    reads: list[int] = []
    receive = line.near.receive_into

    def more(view: memoryview) -> int | None:
        reads.append(len(view))
        line.far.write(b"and another thing")
        count: int | None = receive(view)
        return count

    line.near.receive_into = more
    assert read(line)
    assert len(reads) == 2 and not line.session.has_ended
