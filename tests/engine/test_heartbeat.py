"""HeartbeatSender: the application's heartbeat goes out, waits for nobody and breaks nothing."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.builds import reaches_inside
from tieline.protocol.state import State
from tieline.protocol.wire import Opcode
from tieline.testing import Recorder

Lines = Callable[..., Any]
SOON = 10.0


def beats(line: Any) -> list[Any]:
    return [event for event in line.server_gets() if isinstance(event, str | bytes)]


@pytest.fixture
def beating(line_of: Lines) -> Callable[..., Any]:
    """A line whose heartbeat is due every 30 s, and that has no other timers."""
    return lambda message, **options: line_of(
        **{
            "heartbeat_message": message,
            "heartbeat_interval": 30,
            "ping_interval": None,
            "compression": None,
        }
        | options
    )


@pytest.mark.parametrize("message", ["beat", b"beat", ""])
def test_a_message(beating: Any, message: str | bytes) -> None:
    line = beating(message)
    line.reactor.advance(29.9)
    assert beats(line) == []
    line.reactor.advance(0.1)
    assert beats(line) == [message]
    line.reactor.advance(90)
    assert beats(line) == [message] * 3


def test_a_function_is_asked_each_time(beating: Any) -> None:
    messages: Iterator[Any] = iter(["a", None, bytearray(b"b"), "c"])
    line = beating(lambda: next(messages))
    line.reactor.advance(120)
    assert beats(line) == ["a", b"b", "c"]


@pytest.mark.parametrize("wrong", [7, ["a"], {"type": "beat"}, "\ud800"])
def test_what_cannot_be_sent_is_an_error_and_nothing_more(
    beating: Any, recorder: Recorder, wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    messages: Iterator[Any] = iter([wrong, "right"])
    line = beating(lambda: next(messages))
    line.reactor.advance(60)
    assert beats(line) == ["right"]
    recorder.expect("open")
    recorder.expect("error")
    assert "handler heartbeat_message raised" in caplog.text


def test_a_function_that_raises(
    beating: Any, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def ask() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise ValueError("no token")
        return "beat"

    line = beating(ask)
    line.reactor.advance(90)
    assert beats(line) == ["beat"] and line.session.is_open
    errors = [record.value for record in recorder.take() if record.kind == "error"]
    assert [str(error) for error in errors] == ["no token"] * 2
    assert "Traceback" in caplog.text


def test_a_function_may_use_the_connection_and_other_threads_may_meanwhile(beating: Any) -> None:
    """No lock is held."""

    def ask() -> str:
        line.session.speaker.message(Opcode.TEXT, b"before")
        line.in_another_thread(lambda: line.session.speaker.message(Opcode.TEXT, b"beside"))
        return "beat"

    line = beating(ask)
    line.reactor.advance(30)
    assert beats(line) == ["before", "beside", "beat"]


def test_a_function_that_ends_the_connection(beating: Any, recorder: Recorder) -> None:
    def ask() -> str:
        line.session.close(4000, "enough")
        return "too late"

    line = beating(ask)
    line.reactor.advance(30)
    assert beats(line) == []
    assert line.session.connection.state is not State.OPEN
    assert "error" not in [record.kind for record in recorder.take()]


def test_only_while_open(beating: Any) -> None:
    asked: list[int] = []
    line = beating(lambda: asked.append(1))
    line.session.close(1000, "")
    line.reactor.advance(300)
    assert asked == []


def test_a_full_write_buffer_is_not_waited_for(
    beating: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is it an error: a log line tells, and the next one goes out when there is room."""
    line = beating("beat", write_limit=1000, capacity=1000)
    line.session.speaker.message(Opcode.BINARY, bytes(5000))
    line.reactor.advance(30)
    assert line.session.is_open
    (told,) = [record for record in caplog.records if "heartbeat was skipped" in record.message]
    assert told.levelno == logging.WARNING
    line.near.other.capacity = line.near.capacity = None
    assert beats(line) == []
    line.run()
    assert [len(message) for message in beats(line)] == [5000]
    line.reactor.advance(30)
    assert beats(line) == ["beat"]


def test_between_the_fragments_of_a_message_it_waits_for_their_end(beating: Any) -> None:
    line = beating("beat")
    begun, go_on = threading.Event(), threading.Event()

    def send() -> None:
        line.session.speaker.frames([(Opcode.TEXT, b"half", False)])
        begun.set()
        assert go_on.wait(SOON)
        line.session.speaker.frames([(Opcode.CONTINUATION, b" and half", True)])

    thread = threading.Thread(target=send)
    thread.start()
    assert begun.wait(SOON)
    line.reactor.advance(30)
    assert beats(line) == []
    go_on.set()
    thread.join(SOON)
    assert beats(line) == ["half and half", "beat"]


def test_between_the_fragments_of_a_handler_it_is_skipped(
    beating: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can tell the two from each other: they are sent on one thread."""
    line = beating("beat")
    line.session.speaker.frames([(Opcode.TEXT, b"half", False)])
    line.reactor.advance(30)
    assert line.session.is_open
    assert "a heartbeat was skipped: a fragmented message is being sent" in caplog.text
    line.session.speaker.frames([(Opcode.CONTINUATION, b" and half", True)])
    line.reactor.advance(30)
    assert beats(line) == ["half and half", "beat"]


def test_a_function_waits_for_its_turn_on_an_executor(
    beating: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """In order with the handlers; what became due meanwhile is one, not many."""
    jobs: list[Callable[[], None]] = []
    asked: list[int] = []
    line = beating(lambda: asked.append(1) or f"beat {len(asked)}", submit=jobs.append)
    line.reactor.advance(100)
    assert asked == []
    assert caplog.text.count("a heartbeat was skipped") == 2
    while jobs:
        jobs.pop(0)()
    assert asked == [1]
    assert beats(line) == ["beat 1"]
    line.reactor.advance(30)
    while jobs:
        jobs.pop(0)()
    assert beats(line) == ["beat 2"]


def test_a_message_needs_no_turn(beating: Any) -> None:
    """Handlers that are behind do not make the server think that nobody is there."""
    jobs: list[Callable[[], None]] = []
    line = beating("beat", submit=jobs.append)
    line.reactor.advance(90)
    assert beats(line) == ["beat"] * 3
    while jobs:
        jobs.pop(0)()


@reaches_inside
def test_a_question_that_was_thrown_away_holds_up_nothing(beating: Any) -> None:
    """As streaming handlers that are far behind do with what they are told."""
    line = beating(lambda: "beat")
    post = line.delivery.post
    line.delivery.post = lambda function, *arguments, **keywords: None
    line.reactor.advance(30)
    gc.collect()
    line.delivery.post = post
    line.reactor.advance(30)
    assert beats(line) == ["beat"]


def test_on_a_connection_that_a_thread_drives(beating: Any) -> None:
    """The caretaker sends it, while the thread waits for a message."""
    line = beating("beat", drivable=True)
    waiting = threading.Thread(target=line.drive)
    waiting.start()
    waiting.join(SOON)
    line.reactor.advance(30)
    assert beats(line) == ["beat"]


def test_it_is_told_as_a_frame(beating: Any, recorder: Recorder) -> None:
    line = beating("beat", kinds=("event",), frame_events=True)
    line.reactor.advance(30)
    sent = [record.value.frame for record in recorder.take() if hasattr(record.value, "frame")]
    assert [(frame.opcode, frame.payload) for frame in sent] == [(Opcode.TEXT, b"beat")]
