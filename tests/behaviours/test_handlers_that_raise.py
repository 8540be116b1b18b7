"""A handler that raises → a traceback in the log, a call of on_error, and the next message."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tieline.testing import Recorder

SOON = 20.0
RAISED = [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit]


@pytest.mark.parametrize("kind", RAISED)
def test_messages_go_on(
    echo: Any, clients: Any, recorder: Recorder, caplog: Any, kind: type[BaseException]
) -> None:
    def fail(message: Any) -> None:
        if message == "bad":
            raise kind("went wrong")

    recorder.react("message", fail)
    client = clients(recorder.callback, echo.url, **recorder.handlers("error"))
    client.connect()
    client.send("bad")
    assert client.wait_for(lambda message: message == "good", SOON, send="good") == "good"
    client.disconnect()
    assert recorder.messages == ["bad", "good"]
    error = recorder.wait_for("error")
    assert type(error) is kind and str(error) == "went wrong"
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert "handler callback raised" in record.getMessage()
    assert record.getMessage().startswith("[") and not record.getMessage().startswith("[0]")
    assert record.exc_info[1] is error


def test_in_the_middle_of_a_run_of_messages(
    scripted: Any, clients: Any, recorder: Recorder, caplog: Any
) -> None:
    from tieline.protocol.wire import Opcode
    from tieline.testing.frames import frame_bytes

    def script(peer: Any) -> None:
        texts = [str(number) for number in range(9)]
        peer.accept_upgrade(then=b"".join(frame_bytes(Opcode.TEXT, text) for text in texts))
        peer.expect_close()
        peer.send_close(1001)

    def fail(message: str) -> None:
        if int(message) % 3 == 0:
            raise ValueError(message)

    recorder.react("message", fail)
    client = clients(recorder.callback, scripted(script).url, **recorder.handlers("error"))
    client.connect()
    client.disconnect()
    assert recorder.messages == [str(number) for number in range(9)]
    assert [str(one.value) for one in recorder.take() if one.kind == "error"] == ["0", "3", "6"]


@pytest.mark.parametrize("kind", ["open", "close", "end", "ping", "pong", "frame", "event"])
def test_every_handler(
    scripted: Any, clients: Any, recorder: Recorder, caplog: Any, kind: str
) -> None:
    """The connection has its usual life, whoever raises."""
    from tieline.protocol.wire import Opcode

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_frame(Opcode.PING, b"a")
        peer.send_frame(Opcode.PONG, b"b")
        peer.send_text("hello")
        peer.expect_frame(Opcode.PONG, b"a")
        peer.finish(1000)

    def fail(value: Any) -> None:
        raise ValueError(kind)

    recorder.react(kind, fail)
    handlers = recorder.handlers("open", "close", "ping", "pong", "error", "event", "frame")
    client = clients(recorder.callback, scripted(script).url, **handlers)
    client.connect()
    assert client.wait(SOON).clean
    records = [one for one in recorder.take() if one.kind not in ("event", "frame")]
    told = [one.kind for one in records if one.kind != "error"]
    assert told == ["open", "ping", "pong", "message", "close", "end"]
    errors = {str(one.value) for one in records if one.kind == "error"}
    assert errors == {kind}


def test_on_error_itself(echo: Any, clients: Any, recorder: Recorder, caplog: Any) -> None:
    def fail(value: Any) -> None:
        raise ValueError("again")

    recorder.react("message", fail)
    recorder.react("error", fail)
    client = clients(recorder.callback, echo.url, **recorder.handlers("error"))
    client.connect()
    client.send("a")
    assert client.wait_for(lambda message: message == "b", SOON, send="b") == "b"
    assert "handler on_error raised" in caplog.text


def test_close_on_callback_error(echo: Any, clients: Any, recorder: Recorder, caplog: Any) -> None:
    """The peer learns that it was an error, but not which."""

    def fail(message: Any) -> None:
        raise ValueError("the password is hunter2")

    recorder.react("message", fail)
    client = clients(
        recorder.callback, echo.url, close_on_callback_error=True, **recorder.handlers("error")
    )
    client.connect()
    client.send("a")
    info = client.wait(SOON)
    assert info.sent == (1011, "a handler raised ValueError")
    assert str(info.error.__cause__) == "the password is hunter2"
