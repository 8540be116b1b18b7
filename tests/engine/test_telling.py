"""Teller: events with their moment and their connection, in order with all else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tieline.engine.callbacks import Callbacks
from tieline.engine.delivery import Delivery
from tieline.engine.handlers import Handlers
from tieline.engine.serial import Runner
from tieline.engine.telling import Teller, teller_of
from tieline.events import (
    ClosedEvent,
    FrameReceivedEvent,
    FrameSentEvent,
    LowThroughputEvent,
    SlowSendEvent,
)
from tieline.options import Options
from tieline.protocol.events import Frame
from tieline.protocol.wire import Opcode
from tieline.testing import ManualClock

LOG = logging.getLogger("tieline")


class Bench:
    def __init__(self, wanted: bool = True, submit: Any = None, **options: Any) -> None:
        self.events: list[Any] = []
        self.clock = ManualClock(100.0)
        self.calls: list[Callable[[], None]] = []
        handlers = Handlers(on_event=self.events.append) if wanted else Handlers(on_open=print)
        delivery = Delivery(Callbacks(handlers, LOG), submit and Runner(submit), 10)
        self.teller = Teller(
            delivery,
            7,
            Options.build("ws://example.com/", options),
            log=LOG,
            now=self.clock,
            owner=self,
        )

    def call_handler(self, function: Callable[[], None]) -> None:
        self.calls.append(function)

    def run(self) -> list[Any]:
        while self.calls:
            self.calls.pop(0)()
        taken, self.events[:] = list(self.events), []
        return taken


def test_an_event_has_its_moment_and_its_connection() -> None:
    bench = Bench()
    bench.teller.tell("ClosedEvent", info="how")
    assert bench.run() == [ClosedEvent(time=100.0, connection_id=7, info="how")]  # type: ignore


def test_the_moment_is_that_of_the_happening() -> None:
    """Not that of the executor's getting round to it."""
    jobs: list[Callable[[], None]] = []
    bench = Bench(submit=jobs.append)
    bench.teller.tell("ClosedEvent", info=None)
    bench.clock.advance(50)
    jobs.pop()()
    assert bench.run()[0].time == 100.0


def test_nobody_listens() -> None:
    bench = Bench(wanted=False, frame_events=True, slow_send=0.1)
    bench.teller.tell("ClosedEvent", info=None)
    bench.teller.sent(Opcode.TEXT, b"a")
    bench.teller.received(Frame(Opcode.TEXT, b"a"))
    assert bench.calls == [] and bench.run() == []


def test_connections_of_which_nobody_is_told_share_one() -> None:
    def teller(wanted: bool = False, **options: Any) -> Teller:
        bench = Bench(wanted)
        built = Options.build("ws://example.com/", options)
        delivery = Delivery(
            Callbacks(Handlers(on_event=print) if wanted else Handlers(), LOG),
            None,
            10,
        )
        return teller_of(delivery, 7, built, log=LOG, now=bench.clock, owner=bench)

    shared = teller(slow_send=None)
    assert teller(slow_send=None) is shared and not shared.watches_sends
    shared.tell("ClosedEvent", info="how")
    shared.received(Frame(Opcode.TEXT, b"", True))
    shared.sent(Opcode.TEXT, b"")
    shared.waited(10, 1.0, 1)
    with shared.timed(10):
        pass
    assert teller(wanted=True) is not shared
    assert teller(slow_send=1.0).slow_send == 1.0
    assert teller(low_throughput=1000.0) is not shared


def test_frames_are_told_only_when_asked_for() -> None:
    for asked in (False, True):
        bench = Bench(frame_events=asked)
        assert bench.teller.shows_frames is asked
        bench.teller.received(Frame(Opcode.TEXT, b"in"))
        bench.teller.sent(Opcode.BINARY, bytearray(b"out"), False)
        told = bench.run()
        assert [type(event) for event in told] == [FrameReceivedEvent, FrameSentEvent] * asked
        if asked:
            assert told[1].frame == Frame(Opcode.BINARY, b"out", False)


@pytest.mark.parametrize("seconds", [0.5, 1.5])
def test_slow_sends(seconds: float, caplog: Any) -> None:
    bench = Bench(slow_send=1.0)
    with bench.teller.timed(10):
        bench.clock.advance(seconds)
    told = bench.run()
    assert told == (
        [SlowSendEvent(time=101.5, connection_id=7, seconds=1.5, size=10)] if seconds > 1 else []
    )
    assert ("sending 10 bytes took 1.500 s" in caplog.text) == (seconds > 1)


def test_a_slow_send_that_fails_is_told_of_as_well() -> None:
    bench = Bench(slow_send=1.0)
    with pytest.raises(TimeoutError), bench.teller.timed(10):
        bench.clock.advance(2)
        raise TimeoutError
    assert [type(event) for event in bench.run()] == [SlowSendEvent]


@pytest.mark.parametrize(("taken", "told"), [(999, True), (1000, False), (0, True)])
def test_low_throughput(taken: int, told: bool, caplog: Any) -> None:
    bench = Bench(low_throughput=500)
    bench.teller.waited(64, 2.0, taken)
    assert caplog.text == ""  # the caller holds the lock
    events = bench.run()
    assert [type(event) for event in events] == [LowThroughputEvent] * told
    if told:
        assert (events[0].bytes_per_second, events[0].size) == (taken / 2, 64)
        assert "bytes per second" in caplog.text


def test_no_throughput_without_a_limit_or_a_wait() -> None:
    bench = Bench()
    bench.teller.waited(64, 2.0, 0)
    bench = Bench(low_throughput=500)
    bench.teller.waited(64, 0.0, 0)
    assert bench.calls == []
