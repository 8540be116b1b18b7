"""Callbacks: what handlers are called with, and what becomes of what they raise."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from tieline.engine.callbacks import Callbacks, Watcher, callbacks_of
from tieline.engine.handlers import NO_HANDLERS, FrameAction, Handlers
from tieline.options import Options
from tieline.protocol.events import Frame
from tieline.protocol.wire import Opcode

LOG = logging.getLogger("tieline")
FRAME = Frame(Opcode.TEXT, b"a")


def callbacks(**handlers: Any) -> Callbacks:
    return Callbacks(Handlers(**handlers), LOG)


def test_both_message_handlers_get_each_message() -> None:
    calls: list[Any] = []
    both = callbacks(
        callback=lambda message: calls.append(("callback", message)),
        on_message=lambda message: calls.append(("on_message", message)),
    )
    both.messages(["a", b"b"])
    both.closed("info")  # type: ignore[arg-type]
    assert calls == [
        ("callback", "a"),
        ("on_message", "a"),
        ("callback", b"b"),
        ("on_message", b"b"),
        ("callback", None),
    ]


def test_a_callback_that_raises_takes_nothing_from_on_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    got: list[Any] = []
    errors: list[Exception] = []

    def callback(message: Any) -> None:
        raise ValueError(message)

    callbacks(callback=callback, on_message=got.append, on_error=errors.append).messages(["a", "b"])
    assert got == ["a", "b"] and [str(error) for error in errors] == ["a", "b"]
    assert [line.getMessage() for line in caplog.records] == ["handler callback raised"] * 2


def test_on_close_comes_before_the_callback_with_none() -> None:
    order: list[Any] = []
    callbacks(callback=order.append, on_close=order.append).closed("info")  # type: ignore[arg-type]
    assert order == ["info", None]


def test_nobody_asked_for_messages() -> None:
    callbacks(on_open=print).messages(["a"])


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), GeneratorExit()])
def test_the_next_message_comes_whatever_was_raised(error: BaseException, caplog: Any) -> None:
    got: list[str] = []
    errors: list[BaseException] = []
    raised: list[BaseException] = []

    def handle(message: str) -> None:
        got.append(message)
        if message == "bad":
            raise error

    made = Callbacks(
        Handlers(on_message=handle, on_error=errors.append), LOG, on_raised=raised.append
    )
    made.messages(["a", "bad", "b", "bad", "c"])
    assert got == ["a", "bad", "b", "bad", "c"]
    assert errors == raised == [error, error]
    assert caplog.text.count("handler on_message raised") == 2
    assert "Traceback" in caplog.text


def test_ctrl_c_on_the_main_thread_goes_through() -> None:
    """There it is the user's; on any other thread somebody raised it by hand."""

    def handle(message: str) -> None:
        raise KeyboardInterrupt

    made = callbacks(on_message=handle, on_open=handle, on_frame=handle)
    for call in (
        lambda: made.messages(["a"]),
        lambda: made.opened(None),  # type: ignore[arg-type]
        lambda: made.frame(FRAME),
    ):
        with pytest.raises(KeyboardInterrupt):
            call()
        thread = threading.Thread(target=call)
        thread.start()
        thread.join(20)


def test_what_on_frame_returns(caplog: Any) -> None:
    assert callbacks(on_message=print).frame(FRAME) is FrameAction.PROCESS
    for action in FrameAction:
        assert callbacks(on_frame=lambda frame, a=action: a).frame(FRAME) is action
    assert callbacks(on_frame=lambda frame: None).frame(FRAME) is FrameAction.PROCESS
    assert "on_frame must return a FrameAction, got NoneType" in caplog.text


def test_slow_handlers_are_told_of() -> None:
    told: list[Any] = []
    made = Callbacks(
        Handlers(
            on_message=lambda message: threading.Event().wait(0.01 if message == "slow" else 0),
            on_open=lambda response: threading.Event().wait(0.01),
        ),
        LOG,
        slow_callback=0.005,
        on_slow=lambda name, seconds: told.append((name, seconds > 0.005)),
    )
    made.messages(["slow"])
    made.opened(None)  # type: ignore[arg-type]
    assert told == [("on_message", True), ("on_open", True)]


def test_a_slow_handler_that_raises_is_told_of_as_well(caplog: Any) -> None:
    told: list[Any] = []

    def handle(message: Any) -> None:
        threading.Event().wait(0.01)
        raise ValueError

    made = Callbacks(
        Handlers(on_message=handle), LOG, 0.005, on_slow=lambda name, _: told.append(name)
    )
    made.messages(["a"])
    assert told == ["on_message"]


def test_a_watcher_sees_messages_until_its_own() -> None:
    got: list[Any] = []
    made = callbacks(on_message=got.append)
    watcher = Watcher(lambda message: message == "b", 0)
    made.watch(watcher)
    made.messages(["a"])
    assert not watcher.done.is_set()
    made.messages(["b", "c"])
    assert watcher.done.is_set() and watcher.message == "b"
    assert got == ["a", "b", "c"]
    made.unwatch(watcher)
    made.unwatch(watcher)


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt()])
def test_what_a_predicate_raises_is_the_watchers(error: BaseException) -> None:
    """The message is delivered, and the handlers' thread goes on."""
    got: list[Any] = []
    made = callbacks(on_message=got.append)

    def predicate(message: Any) -> bool:
        raise error

    watcher = Watcher(predicate, 0)
    made.watch(watcher)
    made.messages(["a", "b"])
    assert got == ["a", "b"]
    assert watcher.error is error and watcher.done.is_set()


def test_giving_up() -> None:
    made = callbacks(on_message=print)
    waiting, done = Watcher(lambda message: False, 1), Watcher(lambda message: True, 1)
    made.watch(waiting)
    made.watch(done)
    done.show("a")
    error = ValueError("the end")
    made.give_up_watching(1, error)
    assert waiting.error is error and waiting.done.is_set()
    assert done.error is None and done.message == "a"


def test_the_end_of_one_connection_is_not_that_of_the_next() -> None:
    """A handler may connect again before the old connection's end is told."""
    made = callbacks(on_message=print)
    waiting = Watcher(lambda message: message == "news", 2)
    made.watch(waiting)
    made.serves = 1
    made.messages(["news"])  # of the first, which is to be told before its end
    made.give_up_watching(1, ValueError("the end of the first"))
    assert not waiting.done.is_set()
    made.serves = 2
    made.messages(["news"])
    assert waiting.message == "news"


def test_watchers_that_leave_while_messages_come() -> None:
    """A wait that times out at the very moment at which its message comes harms nobody."""
    made = callbacks(on_message=lambda message: None)
    stop = threading.Event()

    def deliver() -> None:
        while not stop.is_set():
            made.messages(["a"] * 10)

    thread = threading.Thread(target=deliver)
    thread.start()
    try:
        for _ in range(500):
            watcher = Watcher(lambda message: True, 0)
            made.watch(watcher)
            made.unwatch(watcher)
    finally:
        stop.set()
        thread.join(20)
    assert made.watchers == []


def test_log_lines_name_the_connection(caplog: Any) -> None:
    from tieline.engine.log import ConnectionLog

    made = callbacks(on_message=lambda message: 1 / 0)
    made.begin(ConnectionLog(None, 42))
    made.messages(["a"])
    assert "[42] handler on_message raised" in caplog.text


def test_ctrl_c_in_on_close_keeps_the_callback_from_nothing() -> None:
    order: list[Any] = []

    def interrupted(info: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        callbacks(callback=order.append, on_close=interrupted).closed("info")  # type: ignore[arg-type]
    assert order == [None]


class Told:
    """Who is told of slow handlers, and of those that raise."""

    def slow_callback(self, handler: str, seconds: float) -> None: ...
    def handler_raised(self, error: BaseException) -> None: ...


def made(handlers: Handlers = NO_HANDLERS, **options: Any) -> Callbacks:
    return callbacks_of(handlers, Options.build("ws://one/", options), Told())


def test_lines_without_handlers_share_what_has_nothing_to_call() -> None:
    shared = made()
    assert shared is made(slow_callback=1.0) and shared.are_none
    shared.begin(LOG)  # which changes nothing for the others
    assert shared._log != [LOG]
    assert made(Handlers(on_close=print)) is not made(Handlers(on_close=print))


def test_what_may_raise_is_told_to_the_log_of_its_own_connection() -> None:
    assert made(reconnect=True) is not made(reconnect=True)
    assert made(heartbeat_message=input, heartbeat_interval=1.0).are_none
    assert made(heartbeat_message=input, heartbeat_interval=1.0) is not made()
