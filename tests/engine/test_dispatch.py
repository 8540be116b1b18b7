"""Dispatcher: control events reach handlers, waiters and `on_event`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tieline.engine.callbacks import Callbacks
from tieline.engine.delivery import Delivery
from tieline.engine.dispatch import Dispatcher
from tieline.engine.handlers import Handlers
from tieline.engine.locks import ReentrantLock
from tieline.engine.pings import PingWaiter
from tieline.engine.telling import Teller
from tieline.errors import ConnectionClosed
from tieline.options import Options
from tieline.protocol.events import (
    AnsweredPing,
    Close,
    ClosingStarted,
    HeartbeatDue,
    PingReceived,
    PingSent,
    PongReceived,
)
from tieline.testing import ManualClock, Recorder

LOG = logging.getLogger("tieline")


class Session(Dispatcher):
    """The rest of a session: notes what it is asked for."""

    def __init__(self, bench: Bench, *arguments: Any) -> None:
        self._init_dispatcher(*arguments)
        self.bench = bench

    def answers_pings(self) -> bool:
        return self.bench.answers

    def on_round_trip(self, seconds: float) -> None:
        self.bench.round_trips.append(seconds)

    def send_heartbeat(self) -> None:
        self.bench.heartbeats += 1


class Bench:
    def __init__(self) -> None:
        self.recorder = Recorder()
        self.calls: list[Callable[[], None]] = []
        self.answers = True
        self.round_trips: list[float] = []
        self.heartbeats = 0
        handlers = Handlers(**self.recorder.handlers("ping", "pong", "event"))
        delivery = Delivery(Callbacks(handlers, LOG), None, 10)
        teller = Teller(
            delivery,
            7,
            Options.build("ws://a/", {"frame_events": True}),
            log=LOG,
            now=ManualClock(),
            owner=self,
        )
        self.dispatcher = Session(self, ReentrantLock(), delivery, teller, LOG, 7)

    def call_handler(self, function: Callable[[], None]) -> None:
        self.calls.append(function)

    def told(self, event: Any) -> list[Any]:
        """What comes of it: a handler's name and data, or an event's class and frame."""
        self.dispatcher.pass_on(event)
        while self.calls:
            self.calls.pop(0)()
        found: list[Any] = []
        for record in self.recorder.take():
            if record.kind == "event":
                frame = getattr(record.value, "frame", None)
                kind = type(record.value).__name__
                found.append((kind, frame.opcode.name) if frame else kind)
            else:
                found.append((record.kind, record.value))
        return found


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_ping_of_the_peers(bench: Bench) -> None:
    assert bench.told(PingReceived(b"a")) == [
        ("ping", b"a"),
        "PingEvent",
        ("FrameSentEvent", "PONG"),
    ]
    bench.answers = False
    assert bench.told(PingReceived(b"a")) == [("ping", b"a"), "PingEvent"]


def test_a_heartbeat_is_due(bench: Bench) -> None:
    """Whoever sends it tells of it."""
    assert bench.told(HeartbeatDue()) == []
    assert bench.heartbeats == 1


def test_a_ping_of_the_keepalive(bench: Bench) -> None:
    assert bench.told(PingSent(b"a")) == ["PingEvent", ("FrameSentEvent", "PING")]


def test_a_pong_that_answers(bench: Bench) -> None:
    waiters = [PingWaiter(lambda: False) for _ in range(2)]
    for waiter in waiters:
        bench.dispatcher.expect(waiter)
    answered = (
        AnsweredPing(waiters[0], 0.5),
        AnsweredPing(None, 0.4),
        AnsweredPing(waiters[1], 0.3),
    )
    assert bench.told(PongReceived(b"a", answered)) == [("pong", b"a"), "PongEvent"]
    assert [waiter.wait(0) for waiter in waiters] == [0.5, 0.3]
    assert bench.round_trips == [0.3]


def test_a_pong_that_answers_nothing(bench: Bench) -> None:
    assert bench.told(PongReceived(b"a", ())) == [("pong", b"a"), "PongEvent"]
    assert bench.round_trips == []


def test_the_close_frame_is_shown_once(bench: Bench) -> None:
    close = Close(1000, "")
    assert bench.told(ClosingStarted(close, None, None)) == [
        "ClosingEvent",
        ("FrameSentEvent", "CLOSE"),
    ]
    assert bench.told(ClosingStarted(close, close, None)) == ["ClosingEvent"]


def test_giving_up(bench: Bench) -> None:
    kept, forgotten = (PingWaiter(lambda: False) for _ in range(2))
    bench.dispatcher.expect(kept)
    bench.dispatcher.expect(forgotten)
    bench.dispatcher.forget(forgotten)
    bench.dispatcher.give_up(ConnectionClosed("over"))
    assert kept.done and not forgotten.done
