"""StreamDelivery: a stream for each message, in order, off the reading thread, within bounds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.builds import reaches_inside
from tests.engine.owning import Owner
from tieline.engine import serial, stream_delivery
from tieline.engine.callbacks import Callbacks
from tieline.engine.chunks import MAX_WAITING
from tieline.engine.delivery import Delivery
from tieline.engine.handlers import Handlers
from tieline.engine.serial import Runner
from tieline.engine.stream_delivery import StreamDelivery
from tieline.engine.streams import MessageStream
from tieline.errors import ConnectionClosed
from tieline.protocol.events import MessageChunk

SOON = 20.0


class Bench:
    """A delivery whose handlers run on a thread of their own, or when the test runs `jobs`."""

    def __init__(self, handler: Callable[[MessageStream], Any], max_queue: int = 4) -> None:
        self.rooms = 0
        self.jobs: list[Callable[[], None]] = []
        callbacks = Callbacks(Handlers(on_message=handler), logging.getLogger("tieline"))
        runner = Runner(self.jobs.append)
        self.delivery = StreamDelivery(callbacks, runner, max_queue, Owner(self._room))

    def _room(self) -> None:
        self.rooms += 1

    def run(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()

    def feed(self, *parts: str | bytes, last: bool = False) -> None:
        for part in parts:
            self.delivery.chunk(MessageChunk(part, last))

    def start(self) -> threading.Thread:
        """The handlers run, on a thread that may wait."""
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        return thread


def joined(got: list[Any]) -> Callable[[MessageStream], None]:
    return lambda stream: got.append(list(stream))


def test_whole_messages() -> None:
    got: list[Any] = []
    bench = Bench(joined(got))
    bench.delivery.messages(["a", b"b", ""])
    assert bench.delivery.load == 3
    bench.run()
    assert got == [["a"], [b"b"], [""]] and bench.delivery.load == 0


def test_in_order_with_all_else() -> None:
    got: list[Any] = []
    bench = Bench(joined(got))
    bench.delivery.messages(["a"])
    bench.feed("b", "c")
    bench.delivery.post(got.append, "posted")
    bench.feed("d", last=True)
    bench.delivery.messages(["e"])
    bench.run()
    assert got == [["a"], ["b", "c", "d"], "posted", ["e"]]


def test_a_handler_waits_for_the_rest() -> None:
    got: list[Any] = []
    asked = threading.Event()

    def handler(stream: MessageStream) -> None:
        for chunk in stream:
            got.append(chunk)
            asked.set()

    bench = Bench(handler)
    bench.feed("a")
    thread = bench.start()
    assert asked.wait(SOON)
    bench.feed("b", "c")
    bench.feed("", last=True)
    thread.join(SOON)
    assert got == ["a", "b", "c"]


def test_the_rest_is_thrown_away_when_the_handler_has_returned() -> None:
    kept: list[MessageStream] = []
    bench = Bench(kept.append)
    bench.feed("a" * (MAX_WAITING + 1))
    assert bench.delivery.is_full
    bench.run()
    assert not bench.delivery.is_full and bench.rooms
    bench.feed("b" * (2 * MAX_WAITING))
    assert not bench.delivery.is_full
    with pytest.raises(RuntimeError, match="the handler that got this stream has returned"):
        next(kept[0])
    bench.feed("c", last=True)
    bench.delivery.messages(["next"])
    bench.run()
    assert len(kept) == 2


def test_a_handler_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    got: list[str] = []

    def handler(stream: MessageStream) -> None:
        got.append(str(next(stream)))
        raise ValueError("of the user's")

    bench = Bench(handler)
    bench.feed("a")
    bench.run()
    bench.feed("rest", last=True)
    bench.delivery.messages(["b"])
    bench.run()
    assert got == ["a", "b"] and len(caplog.records) == 2


def test_the_connection_ends_in_the_middle() -> None:
    outcome: list[Any] = []

    def handler(stream: MessageStream) -> None:
        outcome.append(next(stream))
        try:
            next(stream)
        except ConnectionClosed as error:
            outcome.append(type(error))

    bench = Bench(handler)
    bench.feed("a")
    thread = bench.start()
    bench.delivery.end(None)
    bench.delivery.post(outcome.append, "closed")
    thread.join(SOON)
    bench.run()
    assert outcome == ["a", ConnectionClosed, "closed"]


def test_what_waits_behind_does_not_keep_the_rest_from_coming() -> None:
    """The handler that could make room waits for more of its own message."""
    begun, go_on = threading.Event(), threading.Event()
    got: list[Any] = []

    def handler(stream: MessageStream) -> None:
        got.append(next(stream))
        begun.set()
        assert go_on.wait(SOON)
        got.extend(stream)

    bench = Bench(handler, max_queue=1)
    bench.feed("a")
    assert bench.delivery.is_full
    thread = bench.start()
    assert begun.wait(SOON)
    assert not bench.delivery.is_full and bench.rooms
    for number in range(5):
        bench.delivery.post(got.append, number, weight=1)
    assert not bench.delivery.is_full
    go_on.set()
    bench.feed("b", last=True)
    thread.join(SOON)
    assert got == ["a", "b"]  # the Pings would have filled the memory


def test_complete_messages_that_nobody_reads_fill_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (serial, stream_delivery):
        monkeypatch.setattr(module, "MAX_WAITING", 10)
    got: list[Any] = []
    bench = Bench(joined(got), max_queue=100)
    for _ in range(2):
        assert not bench.delivery.is_full
        bench.feed("abc")
        bench.feed("def", last=True)
    assert bench.delivery.is_full
    bench.run()
    assert not bench.delivery.is_full and len(got) == 2 and bench.rooms


def test_a_thread_of_its_own() -> None:
    threads: list[threading.Thread] = []
    callbacks = Callbacks(
        Handlers(on_message=lambda stream: threads.append(threading.current_thread())),
        logging.getLogger("tieline"),
    )
    delivery = StreamDelivery(callbacks, None, 4)
    delivery.join(0.0)
    for _ in range(2):
        finished = threading.Event()
        delivery.messages(["a"])
        delivery.finish(finished.set)
        assert finished.wait(SOON)
        delivery.join(SOON)
    assert [thread.name for thread in threads] == ["tieline-handlers"] * 2
    assert not any(thread.is_alive() for thread in threads)


def test_in_a_child_process() -> None:
    got: list[Any] = []
    bench = Bench(joined(got))
    bench.feed("parent's")
    bench.delivery.abandon_after_fork()
    bench.delivery.end(None)
    assert not bench.delivery.is_full and bench.delivery.load == 0
    bench.jobs.clear()
    bench.delivery.messages(["child's"])
    bench.run()
    assert got == [["child's"]]


@reaches_inside
def test_who_was_told_of_the_end_finds_the_thread_to_join(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the thread is that told the last handlers."""
    callbacks = Callbacks(Handlers(on_message=print), logging.getLogger("tieline"))
    delivery = StreamDelivery(callbacks, None, 4)
    delivery.post(lambda: None)
    finished = threading.Event()
    post, joined = Delivery.post, threading.Event()

    def slow(*arguments: Any, **named: Any) -> None:
        post(*arguments, **named)
        assert joined.wait(SOON)

    monkeypatch.setattr(Delivery, "post", slow)
    reactor = threading.Thread(target=delivery.finish, args=(finished.set,), daemon=True)
    reactor.start()
    assert finished.wait(SOON)
    delivery.join(SOON)
    names = [thread.name for thread in threading.enumerate()]
    joined.set()
    reactor.join(SOON)
    assert "tieline-handlers" not in names
