"""Handlers of a plain connection → in order, one at a time, wherever it is served."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tieline import events
from tieline.protocol.wire import Opcode
from tieline.testing import Recorder

SOON = 20.0

#: Seconds that calls take which do not wait, on a busy machine; a wait of any kind would last for
#: 10 s and more.
AT_ONCE = 8.0

Plain = Callable[..., tieline.Connection]

ALL_BUT_MESSAGES = ("open", "close", "ping", "pong", "error", "frame", "event")


def controls(peer: Any) -> None:
    """Ping, Pong, text, Ping, and what no server may send."""
    peer.accept_upgrade()
    peer.send_frame(Opcode.PING, b"1")
    peer.send_frame(Opcode.PONG, b"2")
    peer.send_text("a")
    peer.send_frame(Opcode.PING, b"3")
    peer.expect_frame(Opcode.PONG, b"1")
    peer.expect_frame(Opcode.PONG, b"3")
    peer.send_raw(b"\x83\x00")
    peer.expect_close(1002)


@pytest.mark.parametrize("driving", [True, False], ids=["driven", "adopted"])
def test_in_order_and_never_two_at_once(
    plain: Plain, scripted: Any, recorder: Recorder, driving: bool
) -> None:
    handlers = recorder.handlers(*ALL_BUT_MESSAGES)
    ws = plain(scripted(controls).url, frame_events=True, **handlers)
    if driving:
        assert ws.recv() == "a"
        with pytest.raises(tieline.ConnectionClosed, match="reserved"):
            ws.recv()
    recorder.wait_for("close")
    records = recorder.take()
    told = [record for record in records if record.kind not in ("event", "frame")]
    assert [record.kind for record in told] == ["open", "ping", "pong", "ping", "error"]
    assert [record.value for record in told[1:4]] == [b"1", b"2", b"3"]
    assert told[0].value is ws.response
    assert isinstance(told[4].value, tieline.ProtocolError)
    frames = [record.value.opcode.name for record in records if record.kind == "frame"]
    assert frames == ["PING", "PONG", "TEXT", "PING"]
    kinds = [type(record.value) for record in records if record.kind == "event"]
    assert kinds.index(events.OpenEvent) < kinds.index(events.PingEvent)
    assert kinds.count(events.FrameSentEvent) == 3 and kinds[-1] is events.ClosedEvent
    assert recorder.overlaps == []


def test_events_of_other_threads_come_beside_no_handler(
    echo: Any, plain: Plain, recorder: Recorder, in_thread: Any
) -> None:
    """`frame_events` of what one thread sends, while another one drives and runs handlers."""
    ws = plain(echo.url, frame_events=True, **recorder.handlers("event", "pong"))

    def send() -> None:
        for number in range(200):
            ws.send(str(number))
            ws.ping()

    result = in_thread(send)
    for number in range(200):
        assert ws.recv(SOON) == str(number)
    result()
    ws.close()
    records = recorder.take()
    sent = [
        record.value.frame.payload
        for record in records
        if isinstance(record.value, events.FrameSentEvent)
        and record.value.frame.opcode is Opcode.TEXT
    ]
    assert sent == [str(number).encode() for number in range(200)]
    assert recorder.overlaps == []


@pytest.mark.parametrize("driving", [True, False], ids=["driven", "adopted"])
def test_what_handlers_may_do(
    plain: Plain, scripted: Any, recorder: Recorder, driving: bool
) -> None:
    """Sending never blocks there, waiting is refused, closing returns at once."""
    closed = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_frame(Opcode.PING, b"")
        peer.send_text("a")
        peer.expect_frame(Opcode.PONG)  # in the buffer before the handler was called
        peer.expect_text("from the handler")
        peer.expect_close(4000)
        closed.set()
        peer.send_close(4000)

    seconds: list[float] = []

    def act(data: bytes) -> None:
        started = time.monotonic()
        ws.send("from the handler")
        for wait in (ws.recv, lambda: ws.recv(0), lambda: ws.ping().wait()):
            with pytest.raises(RuntimeError, match="in a handler"):
                wait()
        ws.close(4000)
        ws.close()
        assert not ws.is_open()
        seconds.append(time.monotonic() - started)

    connected = threading.Event()
    recorder.react("ping", lambda data: connected.wait(SOON) and act(data))
    ws = plain(scripted(script).url, **recorder.handlers("ping", "error", "close"))
    connected.set()
    if driving:
        assert ws.recv() == "a"
        with pytest.raises(tieline.ConnectionClosed, match="4000"):
            ws.recv()
    assert closed.wait(SOON)
    recorder.wait_for("close")
    assert [record.kind for record in recorder.take()] == ["ping"]
    assert len(seconds) == 1 and seconds[0] < AT_ONCE


def test_a_handler_that_sends_to_a_peer_that_does_not_read(
    plain: Plain, scripted: Any, recorder: Recorder
) -> None:
    """On the driving thread, too, it gets an error instead of waiting."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_frame(Opcode.PING, b"")
        peer.send_text("a")
        peer.hold()

    def send(data: bytes) -> None:
        with pytest.raises(tieline.SendBufferFull):
            while True:
                ws.send(bytes(1 << 20))

    connected = threading.Event()
    recorder.react("ping", lambda data: connected.wait(SOON) and send(data))
    ws = plain(scripted(script, receive_buffer=4096).url, **recorder.handlers("ping", "error"))
    connected.set()
    assert ws.recv(SOON) == "a"
    recorder.expect("ping")
    recorder.assert_exhausted()


def test_a_slow_handler_holds_up_its_own_connection_only(
    echo: Any, plain: Plain, recorder: Recorder, scripted: Any
) -> None:
    """It runs on the thread for all that nobody receives on, or on a thread that receives."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_frame(Opcode.PING, b"")
        peer.expect_frame(Opcode.PONG, b"")
        peer.hold()

    inside, returned = threading.Event(), threading.Event()
    recorder.react("ping", lambda data: (inside.set(), returned.wait(SOON)))
    slow = plain(scripted(script).url, **recorder.handlers("ping"))
    try:
        assert inside.wait(SOON)
        other = tieline.connect(echo.url, proxy=None)
        for number in range(10):
            other.send(str(number))
            assert other.recv(SOON) == str(number)
        echo.close_connections(4000)
        with pytest.raises(tieline.ConnectionClosed, match="4000"):
            other.recv(SOON)
        assert other.close_info is not None and other.close_info.clean
        assert slow.is_open()
    finally:
        returned.set()
    other.close()


def test_a_handler_that_raises(echo: Any, plain: Plain, recorder: Recorder) -> None:
    recorder.react("pong", lambda data: 1 / 0)
    ws = plain(echo.url, **recorder.handlers("pong", "error"))
    ws.ping()
    ws.send("a")
    assert ws.recv() == "a"
    recorder.expect("pong")
    assert isinstance(recorder.expect("error"), ZeroDivisionError)


def test_on_frame_decides(echo: Any, plain: Plain) -> None:
    def decide(frame: tieline.Frame) -> tieline.FrameAction:
        if frame.payload == b"skip":
            return tieline.FrameAction.SKIP
        if frame.payload == b"stop":
            return tieline.FrameAction.STOP
        return tieline.FrameAction.PROCESS

    ws = plain(echo.url, on_frame=decide)
    for message in ("1", "skip", "2", "stop", "3"):
        ws.send(message)
    assert list(ws) == ["1", "2"]
    assert ws.close_info is not None and ws.close_info.sent.code == 1001


def test_receiving_on_another_connection_in_a_handler(
    echo: Any, plain: Plain, scripted: Any, recorder: Recorder
) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_text("go")
        peer.send_frame(Opcode.PING, b"")
        for number in range(100):
            peer.send_text(str(number))
        peer.hold()

    other = plain(echo.url)
    got: list[Any] = []

    def ask(data: bytes) -> None:
        other.send("x" * 5000)
        got.append(other.recv(SOON))

    recorder.react("ping", ask)
    ws = plain(scripted(script).url, **recorder.handlers("ping", "error"))
    ws.send("go")
    assert [ws.recv(SOON) for _ in range(100)] == [str(number) for number in range(100)]
    assert got == ["x" * 5000]
