"""Speaker: what users send reaches the sender, and is told of only when it went out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tieline.engine import sender
from tieline.engine.callbacks import Callbacks
from tieline.engine.delivery import Delivery
from tieline.engine.handlers import Handlers
from tieline.engine.locks import ReentrantLock
from tieline.engine.pings import PingWaiter
from tieline.engine.speaker import Speaker
from tieline.engine.telling import Teller
from tieline.engine.unsent import Unsent
from tieline.errors import ConnectionClosed
from tieline.events import FrameSentEvent, SlowSendEvent
from tieline.options import Options
from tieline.protocol.events import AnsweredPing, Frame, PongReceived
from tieline.protocol.wire import Opcode
from tieline.testing import ManualClock

LOG = logging.getLogger("tieline")


class Sender(sender.Sender):
    """Notes what it is given; `takes` so many seconds for it, or `refuses`."""

    def __init__(self, clock: ManualClock) -> None:
        self.sent: list[Any] = []
        #: What was said about compression and waiting.
        self.choices: list[Any] = []
        #: What was to be noted with each message.
        self.noted: list[Unsent | None] = []
        self.takes = 0.0
        self.refuses: Exception | None = None
        self.clock = clock

    def message(
        self,
        opcode: Opcode,
        payload: bytes,
        compress: bool | None = None,
        unsent: Unsent | None = None,
    ) -> None:
        self._take((opcode, payload))
        self.choices.append(compress)
        self.noted.append(unsent)

    def frames(
        self,
        frames: list[tuple[Opcode, bytes, bool]],
        compress: bool = False,
        *,
        waits: bool,
        unsent: Unsent | None = None,
    ) -> None:
        self._take(list(frames))
        self.choices.append((compress, waits))
        self.noted.append(unsent)

    def greet(self, entries: list[Unsent]) -> None:
        self._take(list(entries))

    def mark(self, unsent: Unsent) -> None:
        self._take(unsent)

    def compresses(self, size: int, compress: bool | None) -> bool:
        return compress is True or (compress is None and size > 10)

    def ping(self, data: bytes, token: object) -> None:
        self._take((Opcode.PING, data, token))

    def pong(self, data: bytes) -> None:
        self._take((Opcode.PONG, data))

    def _take(self, what: Any) -> None:
        self.clock.advance(self.takes)
        if self.refuses is not None:
            raise self.refuses
        self.sent.append(what)


class Session(Speaker):
    """What else a session is."""

    def __init__(self, *arguments: Any) -> None:
        self._init_speaker(*arguments)

    def new_waiter(self) -> PingWaiter:
        return PingWaiter(lambda: False)

    def on_round_trip(self, seconds: float) -> None:
        """Nobody looks at it here."""


class Bench:
    def __init__(self, **options: Any) -> None:
        clock = ManualClock(100.0)
        self.events: list[Any] = []
        self.calls: list[Callable[[], None]] = []
        delivery = Delivery(Callbacks(Handlers(on_event=self.events.append), LOG), None, 10)
        teller = Teller(
            delivery,
            7,
            Options.build("ws://example.com/", options),
            log=LOG,
            now=clock,
            owner=self,
        )
        self.sender = Sender(clock)
        self.speaker = Session(ReentrantLock(), self.sender, delivery, teller, LOG, 7)

    def call_handler(self, function: Callable[[], None]) -> None:
        self.calls.append(function)

    def told(self) -> list[Any]:
        while self.calls:
            self.calls.pop(0)()
        return self.events


def send_everything(speaker: Speaker) -> None:
    speaker.message(Opcode.TEXT, b"a")
    speaker.frames([(Opcode.BINARY, b"b", False), (Opcode.CONTINUATION, b"c", True)])
    speaker.ping(b"p")
    speaker.pong(b"q")


def test_everything_reaches_the_sender() -> None:
    bench = Bench()
    send_everything(bench.speaker)
    assert bench.sender.sent[0] == (Opcode.TEXT, b"a")
    assert bench.sender.sent[1] == [
        (Opcode.BINARY, b"b", False),
        (Opcode.CONTINUATION, b"c", True),
    ]
    assert bench.sender.sent[2][:2] == (Opcode.PING, b"p")
    assert bench.sender.sent[3] == (Opcode.PONG, b"q")
    assert bench.told() == []


def test_frames_are_told_when_wanted() -> None:
    bench = Bench(frame_events=True)
    send_everything(bench.speaker)
    assert all(isinstance(event, FrameSentEvent) for event in bench.told())
    assert [event.frame for event in bench.events] == [
        Frame(Opcode.TEXT, b"a"),
        Frame(Opcode.BINARY, b"b", False),
        Frame(Opcode.CONTINUATION, b"c"),
        Frame(Opcode.PING, b"p"),
        Frame(Opcode.PONG, b"q"),
    ]


def test_what_is_said_about_compression_and_waiting() -> None:
    bench = Bench()
    for compress in (None, True, False):
        bench.speaker.message(Opcode.TEXT, b"a", compress)
    bench.speaker.frames([(Opcode.TEXT, b"a", True)], True, waits=False)
    bench.speaker.frames([(Opcode.TEXT, b"a", True)])
    assert bench.sender.choices == [None, True, False, (True, False), (False, True)]


def test_a_compressed_message_is_told_as_it_was_given() -> None:
    """With the bit that marks it on the wire, which is on its first frame."""
    bench = Bench(frame_events=True)
    bench.speaker.message(Opcode.TEXT, b"small")
    bench.speaker.message(Opcode.TEXT, b"small", True)
    bench.speaker.message(Opcode.TEXT, b"not so small")
    bench.speaker.message(Opcode.TEXT, b"not so small", False)
    frames = [(Opcode.BINARY, b"b", False), (Opcode.CONTINUATION, b"c", True)]
    bench.speaker.frames(frames, True)
    bench.speaker.frames(frames)
    bench.told()
    assert [event.frame for event in bench.events] == [
        Frame(Opcode.TEXT, b"small"),
        Frame(Opcode.TEXT, b"small", rsv1=True),
        Frame(Opcode.TEXT, b"not so small", rsv1=True),
        Frame(Opcode.TEXT, b"not so small"),
        Frame(Opcode.BINARY, b"b", False, rsv1=True),
        Frame(Opcode.CONTINUATION, b"c"),
        Frame(Opcode.BINARY, b"b", False),
        Frame(Opcode.CONTINUATION, b"c"),
    ]


def test_what_was_not_sent_is_not_told() -> None:
    bench = Bench(frame_events=True)
    bench.sender.refuses = ConnectionClosed("gone")
    for send in (
        lambda: bench.speaker.message(Opcode.TEXT, b"a"),
        lambda: bench.speaker.frames([(Opcode.TEXT, b"a", True)]),
        lambda: bench.speaker.ping(b""),
        lambda: bench.speaker.pong(b""),
    ):
        with pytest.raises(ConnectionClosed):
            send()
    assert bench.told() == []


def test_slow_sends_are_told() -> None:
    bench = Bench(slow_send=1.0)
    bench.sender.takes = 0.5
    bench.speaker.message(Opcode.TEXT, b"quick")
    bench.sender.takes = 2.0
    bench.speaker.message(Opcode.TEXT, b"slow")
    bench.speaker.frames([(Opcode.TEXT, b"ab", False), (Opcode.CONTINUATION, b"c", True)])
    told = bench.told()
    assert [(type(event), event.seconds, event.size) for event in told] == [
        (SlowSendEvent, 2.0, 4),
        (SlowSendEvent, 2.0, 3),
    ]


def test_a_ping_is_resolved_by_its_pong() -> None:
    bench = Bench()
    waiter = bench.speaker.ping(b"p")
    assert not waiter.done
    token = bench.sender.sent[0][2]
    bench.speaker.pass_on(PongReceived(b"p", (AnsweredPing(token, 0.25),)))
    assert waiter.wait(0) == 0.25


def test_a_ping_that_was_not_sent_is_forgotten() -> None:
    bench = Bench()
    bench.sender.refuses = ConnectionClosed("gone")
    with pytest.raises(ConnectionClosed):
        bench.speaker.ping(b"p")
    bench.sender.refuses = None
    other = bench.speaker.ping(b"q")
    bench.speaker.give_up(ConnectionClosed("ended"))
    with pytest.raises(ConnectionClosed, match="ended"):
        other.wait(0)


def test_what_is_noted() -> None:
    bench = Bench()
    whole, last = (Unsent(Opcode.TEXT, b"a", True, 0.0) for _ in range(2))
    bench.speaker.message(Opcode.TEXT, b"a", True, whole)
    bench.speaker.frames([(Opcode.TEXT, b"a", True)], unsent=last)
    bench.speaker.unsent(whole)
    assert bench.sender.noted == [whole, last, whole]
    assert bench.sender.sent[2] == (Opcode.TEXT, b"a") and bench.sender.choices[2] is True
    mark = Unsent(None, b"", None, 0.0)
    bench.speaker.unsent(mark)
    assert bench.sender.sent[3] is mark


def test_what_a_connection_begins_with_is_told_of() -> None:
    entries = [
        Unsent(Opcode.TEXT, b"a", None, 0.0),
        Unsent(None, b"", None, 0.0),
        Unsent(Opcode.BINARY, b"not so small", None, 0.0),
    ]
    for wanted in (False, True):
        bench = Bench(frame_events=wanted)
        bench.speaker.greet(entries)
        assert bench.sender.sent == [entries]
        assert [event.frame for event in bench.told()] == [
            Frame(Opcode.TEXT, b"a"),
            Frame(Opcode.BINARY, b"not so small", rsv1=True),
        ][: 2 * wanted]
