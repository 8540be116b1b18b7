"""Session: from the first message to the one terminal event."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.builds import reaches_inside
from tests.outages import wait_until
from tieline.engine.handlers import FrameAction
from tieline.engine.writer import AT_ONCE
from tieline.errors import ConnectionClosed
from tieline.protocol.events import Closed, PingReceived
from tieline.protocol.state import State
from tieline.protocol.wire import Opcode
from tieline.testing import Recorder

Lines = Callable[..., Any]

SOON = 20.0


def kinds(recorder: Recorder) -> list[str]:
    return [record.kind for record in recorder.take()]


def test_the_whole_life(line: Any, recorder: Recorder) -> None:
    assert line.session.is_open
    line.server_sends("a", b"b")
    line.server.outgoing.ping(b"?", line.clock.now())
    line.flush_server()
    line.run()
    assert [record.kind for record in recorder.take()] == ["open", "message", "message", "ping"]
    assert recorder.messages == ["a", b"b"]
    line.session.speaker.message(Opcode.TEXT, b"c")
    assert "c" in line.server_gets()
    line.session.close(1000, "done")
    assert not line.session.is_open
    assert any(isinstance(event, Closed) for event in line.server_gets())
    line.far.shutdown_write()
    line.run()
    info = line.session.connection.close_info
    assert (info.code, info.clean) == (1000, True)
    assert line.session.has_ended and line.session.finished.is_set()
    assert line.ended == [line.session]
    assert kinds(recorder) == ["close", "end"]
    assert line.reactor.next_deadline() is None


def test_every_cut_of_the_bytes(line_of: Lines, recorder: Recorder) -> None:
    line = line_of()
    line.near.receive_limit = 1
    line.server_sends("ü" * 70, b"\0" * 130, "")
    assert recorder.messages == ["ü" * 70, b"\0" * 130, ""]


def test_replies_of_one_run_leave_together(line: Any, recorder: Recorder) -> None:
    """Of many answers the first few leave at once, as a single message's does; the rest in one."""
    writes: list[int] = []
    send = line.near.send

    def counted(data: Any) -> int:
        writes.append(len(data))
        return send(data)

    line.near.send = counted
    recorder.react(
        "message", lambda m: line.session.speaker.message(Opcode.TEXT, b"re:" + m.encode())
    )
    numbers = [str(number) for number in range(AT_ONCE + 3)]
    line.server_sends(*numbers)
    assert len(writes) == AT_ONCE + 1
    assert [e for e in line.server_gets() if isinstance(e, str)] == [f"re:{n}" for n in numbers]
    line.server_sends(*numbers)
    assert len(writes) == AT_ONCE + 2


def test_good_messages_before_a_bad_frame(line: Any, recorder: Recorder) -> None:
    """They are delivered, and what the handler answers goes out before the Close."""
    recorder.react("message", lambda m: line.session.speaker.message(Opcode.TEXT, m.encode()))
    line.server.outgoing.message(Opcode.TEXT, b"good")
    good = b"".join(line.server.data_to_send())
    line.far.write(good + b"\x83\x00")
    line.run()
    events = line.server_gets()
    assert events[0] == "good"
    closed = line.session.connection
    assert closed.state is State.CLOSING
    assert not line.session.is_open
    line.far.shutdown_write()
    line.run()
    assert line.session.connection.close_info.sent.code == 1002
    assert kinds(recorder) == ["open", "message", "error", "close", "end"]


@pytest.mark.parametrize("call", ["close", "drop", "fail", "fail with a code", "again"])
def test_one_end_whatever_is_called_after_it(line: Any, recorder: Recorder, call: str) -> None:
    line.session.drop()
    line.run()
    session = line.session
    {
        "close": lambda: session.close(1000, ""),
        "drop": session.drop,
        "fail": lambda: session.fail(OSError("late")),
        "fail with a code": lambda: session.fail(OSError("late"), 1011),
        "again": lambda: line.reactor.call_soon(session, session.pump.deliver_now),
    }[call]()
    session.on_writable()
    session.on_readable(0.0)
    line.run()
    assert kinds(recorder) == ["open", "close", "end"]
    assert line.ended == [session]


def test_drop_tells_the_peer_at_once(line: Any, recorder: Recorder) -> None:
    """Before the reactor's thread, which a handler may hold, gets to it."""
    line.session.drop()
    data = line.far.read()
    assert data[0] == 0x80 | Opcode.CLOSE
    assert line.far.at_end
    line.run()
    assert not line.session.connection.close_info.clean
    assert line.session.connection.close_info.error is None
    assert kinds(recorder) == ["open", "close", "end"]


def test_drop_tells_why_unless_the_peer_has_said_all(line: Any, recorder: Recorder) -> None:
    line.session.close(1000, "")
    line.session.drop(TimeoutError("late"))
    line.run()
    assert str(line.session.connection.close_info.error) == "late"
    assert kinds(recorder) == ["open", "error", "close", "end"]


def test_the_stream_breaks_while_reading(line: Any, recorder: Recorder) -> None:
    line.far.reset()
    line.run()
    info = line.session.connection.close_info
    assert isinstance(info.error, ConnectionResetError)
    assert kinds(recorder) == ["open", "error", "close", "end"]


def test_a_broken_write_lets_what_had_come_be_read(line: Any, recorder: Recorder) -> None:
    """The peer's Close had come before its reset was noticed: that is how the connection ended."""
    line.server.outgoing.message(Opcode.TEXT, b"last")
    line.server.send_close(4000, "bye", line.clock.now())
    line.flush_server()
    line.near.send = _raise_reset
    line.session.speaker.message(Opcode.TEXT, b"x")
    assert not line.session.is_open
    line.run()
    line.far.shutdown_write()
    line.run()
    info = line.session.connection.close_info
    assert info.received == (4000, "bye")
    assert recorder.messages == ["last"]
    assert kinds(recorder)[-2:] == ["close", "end"]


def test_a_broken_write_with_a_peer_that_goes_on_for_ever(line: Any, recorder: Recorder) -> None:
    """What it has sent is read, but not what it keeps sending."""
    line.near.send = _raise_reset
    receive = line.near.receive_into

    def endless(buffer: memoryview) -> int:
        line.server.outgoing.message(Opcode.TEXT, b"more")
        for piece in line.server.data_to_send():
            line.far.send(piece)
        return receive(buffer)

    line.near.receive_into = endless
    line.session.speaker.message(Opcode.TEXT, b"x")
    line.run()
    assert line.session.has_ended
    assert isinstance(line.session.connection.close_info.error, ConnectionResetError)


def _raise_reset(data: Any) -> int:
    raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


def test_an_interrupted_write_ends_the_connection(line: Any, recorder: Recorder) -> None:
    """Ctrl-C between the system call and its bookkeeping: a second try might send bytes twice."""

    def interrupted(data: Any) -> int:
        raise KeyboardInterrupt

    line.near.send = interrupted
    with pytest.raises(KeyboardInterrupt):
        line.session.speaker.message(Opcode.TEXT, b"x")
    assert not line.session.is_open
    line.run()
    assert "interrupted" in str(line.session.connection.close_info.error)
    assert kinds(recorder) == ["open", "error", "close", "end"]


def test_a_signal_handler_on_top_of_a_write(line: Any, recorder: Recorder) -> None:
    """What it sends comes behind, its close comes last, and it never waits for itself."""
    send = line.near.send

    def with_signal(data: Any) -> int:
        line.near.send = send
        assert line.session.is_interrupted
        line.session.speaker.message(Opcode.TEXT, b"second")
        line.session.close(1000, "")
        line.session.speaker.message(Opcode.TEXT, b"third")
        return send(data)

    line.near.send = with_signal
    line.session.speaker.message(Opcode.TEXT, b"first")
    assert not line.session.is_interrupted
    line.run()
    events = line.server_gets()
    assert events[:3] == ["first", "second", "third"]
    assert line.session.connection.state is not State.OPEN
    assert line.session.connection.close_info is None or line.session.connection.close_info.clean


def test_keepalive(line_of: Lines, recorder: Recorder) -> None:
    line = line_of(ping_interval=20, ping_timeout=5)
    line.reactor.advance(20)
    events = line.server_gets()
    assert [type(event) for event in events] == [PingReceived]
    assert line.round_trips == [0.0]
    line.reactor.advance(20)
    assert line.session.is_open
    line.reactor.advance(5.1)
    assert line.session.has_ended
    info = line.session.connection.close_info
    assert isinstance(info.error, TimeoutError)
    assert kinds(recorder) == ["open", "pong", "error", "close", "end"]


def test_a_peer_that_slowly_takes_a_big_message_is_not_given_up(
    line_of: Lines,
) -> None:
    """The Ping waits behind it, so there is no Pong; when it takes nothing any more, it is dead."""
    line = line_of(ping_interval=20, ping_timeout=5, compression=None)
    line.near.other.capacity = line.near.capacity = 1000
    line.session.speaker.message(Opcode.BINARY, bytes(1_000_000))
    for _ in range(100):
        line.reactor.advance(4)
        assert line.session.is_open
        line.far.read()
        line.run()
    line.reactor.advance(40)
    assert not line.session.is_open


def test_keepalive_does_not_blame_a_peer_that_is_not_read(
    line_of: Lines, recorder: Recorder
) -> None:
    """With an executor that is behind, reading stops: the Pong may be there, unread."""
    jobs: list[Any] = []
    line = line_of(submit=jobs.append, max_queue=2, ping_interval=10, ping_timeout=10)
    line.server_sends("1", "2", "3")
    assert line.delivery.is_full
    line.server_gets()
    line.reactor.advance(300)
    assert line.session.is_open
    while jobs:
        jobs.pop(0)()
    line.run()
    assert recorder.messages == ["1", "2", "3"]
    line.reactor.advance(35)
    assert line.session.has_ended  # the server has not answered since


def test_pings_that_the_executor_is_too_slow_for_stop_the_reading(line_of: Lines) -> None:
    """A peer that pings without end must not fill the memory."""
    jobs: list[Any] = []
    line = line_of(submit=jobs.append, max_queue=4)
    jobs.pop()()
    for _ in range(10):
        line.server.outgoing.ping(b"x", 0.0)
        line.flush_server()
        line.run()
    assert line.delivery.load == 4
    jobs.pop()()
    line.run()
    assert line.delivery.load > 0


def test_reading_stops_and_goes_on(line_of: Lines, recorder: Recorder) -> None:
    jobs: list[Any] = []
    line = line_of(submit=jobs.append, max_queue=4)
    line.near.receive_limit = 3
    line.server_sends(*[str(number) for number in range(10)])
    assert line.delivery.load == 4
    assert line.near.waiting > 0
    while jobs:
        jobs.pop(0)()
        line.run()
    assert recorder.messages == [str(number) for number in range(10)]


def test_what_the_selector_cannot_see_is_read(line_of: Lines, recorder: Recorder) -> None:
    """TLS has decrypted more than was asked for, and the socket below is empty."""
    line = line_of()
    line.near.receive_limit = 2
    line.server.outgoing.message(Opcode.TEXT, b"hidden")
    data = b"".join(line.server.data_to_send())
    line.far.write(data)
    line.reactor.watch(line.session, readable=False, writable=False)
    line.near.has_buffered_input = True
    receive = line.near.receive_into

    def told(buffer: memoryview) -> int | None:
        count = receive(buffer)
        line.near.has_buffered_input = line.near.waiting > 0
        return count

    line.near.receive_into = told
    line.session.on_readable(line.reactor.now())
    line.run()
    assert recorder.messages == ["hidden"]


def test_what_the_opening_left_in_tls_is_read(line_of: Lines, recorder: Recorder) -> None:
    """The first frames came with the 101, in the same record, and nothing comes behind them."""
    line = line_of(start=False)
    line.server.outgoing.message(Opcode.TEXT, b"early")
    line.flush_server()
    line.near.has_buffered_input = True
    line.reactor.watch = lambda *_, **__: None
    line.open()
    assert recorder.messages == ["early"]


def test_pings_end_with_the_connection(line: Any) -> None:
    waiter = line.session.speaker.ping(b"1")
    with pytest.raises(RuntimeError, match="in a handler"):
        waiter.wait()
    line.far.close()
    line.run()
    assert waiter.done
    with pytest.raises(ConnectionClosed) as error:
        line.in_another_thread(waiter.wait)
    assert error.value.close_info is line.session.connection.close_info
    with pytest.raises(ConnectionClosed):
        line.session.speaker.ping(b"2")
    assert not line.session.speaker._pings


@pytest.mark.parametrize("action", [FrameAction.SKIP, FrameAction.STOP, FrameAction.PROCESS])
def test_on_frame(line_of: Lines, recorder: Recorder, action: FrameAction) -> None:
    line = line_of(kinds=("frame", "close"))
    recorder.react("frame", lambda f: action if f.payload == b"2" else FrameAction.PROCESS)
    line.server_sends("1", "2", "3")
    expected = {
        FrameAction.PROCESS: ["1", "2", "3"],
        FrameAction.SKIP: ["1", "3"],
        FrameAction.STOP: ["1"],
    }
    assert recorder.messages == expected[action]
    if action is FrameAction.STOP:
        assert any(isinstance(event, Closed) for event in line.server_gets())
        line.far.shutdown_write()
        line.run()
        assert line.session.connection.close_info.sent.code == 1001
        assert kinds(recorder)[-2:] == ["close", "end"]


def test_the_traffic_is_counted_exactly(line: Any) -> None:
    line.server_sends("abc", b"12345")
    line.session.speaker.message(Opcode.TEXT, b"hello")
    line.session.speaker.frames([(Opcode.TEXT, b"a", False), (Opcode.CONTINUATION, b"bc", True)])
    line.session.speaker.pong(b"")
    line.session.speaker.ping(b"x")
    line.server_gets()
    traffic = line.session.traffic()
    counted = (
        traffic.messages_received,
        traffic.frames_received,
        traffic.payload_bytes_received,
        traffic.wire_bytes_received,
    )
    assert counted == (2, 3, 8, 2 + 3 + 2 + 5 + 2 + 1)
    assert (traffic.messages_sent, traffic.frames_sent, traffic.payload_bytes_sent) == (2, 5, 8)
    assert traffic.wire_bytes_sent == (6 + 5) + (6 + 1) + (6 + 2) + 6 + (6 + 1)
    assert (traffic.pings_sent, traffic.pongs_sent) == (1, 1)
    assert (traffic.pings_received, traffic.pongs_received) == (0, 1)


def test_a_logger_that_raises_at_the_end(line_of: Lines, recorder: Recorder) -> None:
    """Those who wait for the end do not wait for ever."""
    line = line_of()

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise OSError("disk full")

    line.session.log = Broken()
    line.session.drop()
    line.run()
    assert line.session.finished.is_set()


def test_nothing_is_decoded_after_a_fork(
    line: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may have been in the middle of it, and hold a lock in the decompressor."""
    connection = line.session.connection
    connection.receive_data(b"\x81\x03abc", 5, line.clock.now())

    def looked(*arguments: object) -> None:
        pytest.fail("it looked for messages that are left")

    monkeypatch.setattr("tieline.protocol.connection.messages_left", looked)
    line.session.abandon_after_fork()
    assert recorder.messages == [] and connection.close_info is not None


def test_after_a_fork(line: Any, recorder: Recorder) -> None:
    waiter = line.session.speaker.ping(b"1")
    line.far.read()
    line.session.abandon_after_fork()
    line.session.abandon_after_fork()
    assert line.ended == [line.session]
    assert line.far.read() == b"" and not line.far.at_end
    assert waiter.done and line.session.finished.is_set() and not line.session.is_open
    with pytest.raises(ConnectionClosed, match="fork"):
        line.session.speaker.message(Opcode.TEXT, b"a")
    line.session.close(1000, "")
    line.run()
    assert kinds(recorder) == ["open"]


@reaches_inside
@pytest.mark.parametrize("call", ["close", "drop"])
def test_ctrl_c_while_ending_it(line_of: Lines, call: str) -> None:
    """The Close that was begun goes out, and its deadline holds."""
    line = line_of(ping_interval=None)
    flush = line.session.sender.flush

    def interrupted() -> None:
        line.session.sender.flush = flush
        raise KeyboardInterrupt

    line.session.sender.flush = interrupted
    with pytest.raises(KeyboardInterrupt):
        line.session.close(1000, "") if call == "close" else line.session.drop()
    line.reactor.advance(60)
    assert line.session.finished.is_set()
    assert line.session.connection.close_info.sent is not None


def test_a_wait_for_the_end_that_a_fork_came_in_ends_in_the_child(line: Any) -> None:
    """Such as in a signal handler on top of it: whoever held the lock is the parent's."""
    session, lock = line.session, line.session.lock
    waiting = threading.Thread(target=session.finished.wait, args=(SOON,), daemon=True)
    waiting.start()
    wait_until(lambda: bool(session.finished._waiting))
    with lock:  # as another thread may, which does not exist in the child
        session.abandon_after_fork()
        waiting.join(SOON)
        assert not waiting.is_alive()


@pytest.mark.parametrize("heartbeat", [None, 0.2, 60.0])
def test_it_begins_quietly(line_of: Lines, heartbeat: float | None) -> None:
    """Nobody is to be told of the beginning, nothing has come, and nothing is due soon."""
    given = {} if heartbeat is None else {"heartbeat_interval": heartbeat, "heartbeat_message": "b"}
    line = line_of(start=False, kinds=("close",), **given)
    assert line.session.begins_quietly() is (heartbeat != 0.2)
    line.open()


def test_it_does_not_begin_quietly_when_somebody_is_told(line_of: Lines) -> None:
    for kinds in (("open",), ("event",)):
        line = line_of(start=False, kinds=kinds)
        assert not line.session.begins_quietly()
        line.open()


def test_it_does_not_begin_quietly_with_a_message(line_of: Lines, recorder: Recorder) -> None:
    """The first frames may share a packet with the answer that opened the connection."""
    line = line_of(start=False, kinds=("close",))
    line.server.outgoing.message(Opcode.TEXT, b"hello")
    data = b"".join(bytes(piece) for piece in line.server.data_to_send())
    line.session.connection.receive_data(data, len(data), line.clock.now())
    assert not line.session.begins_quietly()
    line.open()
    assert recorder.messages == ["hello"]


def test_it_does_not_begin_quietly_when_its_greeting_waits(line_of: Lines) -> None:
    line = line_of(start=False, kinds=("close",), capacity=10)
    line.session.speaker.message(Opcode.TEXT, b"hello, hello")
    assert line.session.sender.blocked and not line.session.begins_quietly()
    line.open()
    received = [event for _ in range(2) for event in line.server_gets()]
    assert received == ["hello, hello"]
