"""A front that is to stay up → what its handlers were told, in words, and waits without waiting."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import tieline
from tests.fronts import PATIENCE, AsyncioTalk, CallbackTalk, Talk
from tieline import events
from tieline.aio.pause import LoopPause
from tieline.engine import dial
from tieline.engine.pause import Pause
from tieline.testing import FaultProxy, ProxiedConnection
from tieline.testing.faults import HEAD_END, Fault, Kind
from tieline.transport import attempt

#: Seconds: the bound of the first delay in the matrix, and thus, with `Waits`, the delay.
INITIAL = 1.0

#: What a wait calls when there is news.
OnNews = Callable[[], None]


def delays(count: int) -> list[float]:
    """The first delays of an outage, when each is as long as its bound (multiplier 2)."""
    return [INITIAL * 2**number for number in range(count)]


def policy(**options: Any) -> tieline.Reconnect:
    """How the clients of the matrix reconnect."""
    return tieline.Reconnect(**({"initial": INITIAL, "stable_after": 60.0} | options))


class Waits:
    """Takes the place of the waits between dials: each is over at once, or when the test says so.

    Its random numbers are the greatest that there can be, so every delay is its bound.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        #: How long each wait should have been, in seconds.
        self.seconds: list[float] = []
        #: The ranges that delays were drawn from.
        self.drawn: list[tuple[float, float]] = []
        #: Called before the wait of that number (1 is the first) is over.
        self.before: dict[int, Callable[[], object]] = {}
        self._changed = threading.Condition()
        self._is_held = False
        patch.setattr(random, "uniform", self._draw)
        patch.setattr(Pause, "wait", self._stand_in(Pause.wait))
        patch.setattr(LoopPause, "wait", self._awaited_stand_in(LoopPause.wait))

    def _draw(self, low: float, high: float) -> float:
        self.drawn.append((low, high))
        return high

    def _note(self, seconds: float) -> None:
        with self._changed:
            self.seconds.append(seconds)
            number = len(self.seconds)
            self._changed.notify_all()
        self.before.get(number, int)()

    def _stand_in(self, wait: Callable[..., bool]) -> Callable[..., bool]:
        def waited(pause: Pause, seconds: float, *on_news: OnNews) -> bool:
            self._note(seconds)
            while self._is_held:
                if not wait(pause, 0.005, *on_news):
                    return False
            return wait(pause, 0.0, *on_news)

        return waited

    def _awaited_stand_in(self, wait: Any) -> Any:
        async def waited(pause: LoopPause, seconds: float, on_news: OnNews) -> bool:
            self._note(seconds)
            while self._is_held:
                if not await wait(pause, 0.005, on_news):
                    return False
            return bool(await wait(pause, 0.0, on_news))

        return waited

    @contextmanager
    def held(self) -> Iterator[None]:
        """In the body no wait ends by itself."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False

    def wait_for(self, count: int) -> None:
        """Until so many waits have begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.seconds) >= count, PATIENCE), (
                f"expected {count} waits between dials, got {self.seconds}"
            )


class DialTime:
    """The time of dials: it runs out at once for one that meets a line without a word."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._proxies: list[FaultProxy] = []
        # Lines without a word that earlier dials have met.
        self._met: set[ProxiedConnection] = set()
        patch.setattr(dial, "Attempt", self._attempt)
        patch.setattr(attempt, "_LONGEST_POLL", 0.01)

    def watch(self, proxy: FaultProxy) -> FaultProxy:
        self._proxies.append(proxy)
        return proxy

    def _attempt(self, timeout: float, _clock: Any, on_event: Any) -> attempt.Attempt:
        self._met.update(self._silent_lines())

        def clock() -> float:
            has_run_out = not self._met.issuperset(self._silent_lines())
            return time.monotonic() + (1000.0 if has_run_out else 0.0)

        return attempt.Attempt(timeout, clock, on_event)

    def _silent_lines(self) -> set[ProxiedConnection]:
        return {
            connection
            for proxy in self._proxies
            for connection in proxy.connections
            if connection.has_struck and _is_silent(connection.fault)
        }


def _is_silent(fault: Fault) -> bool:
    """A client that meets it while it dials has to give up by itself."""
    is_slow = fault.kind is Kind.DRIP and fault.interval is not None
    silent = (Kind.STALL, Kind.BLACK_HOLE, Kind.DRIP)
    return fault.kind in silent and not is_slow and fault.past != HEAD_END


class Watch:
    """One front, and what its handlers were told. Made before it connects."""

    def __init__(self, front: type[Talk]) -> None:
        self._front = front
        #: Set by `open`.
        self.talk: Talk
        self._changed = threading.Condition()
        # What was not expected yet.
        self._calls: list[str] = []
        self._events: list[str] = []
        #: What `on_reconnecting` got.
        self.attempts: list[tieline.ReconnectAttempt] = []
        #: What `on_open` got.
        self.responses: list[Any] = []
        #: What `on_close` got.
        self.ends: list[tieline.CloseInfo] = []
        #: What `on_error` got.
        self.errors: list[BaseException] = []
        #: Runs inside of `on_reconnecting`.
        self.on_reconnecting: Callable[[tieline.ReconnectAttempt], object] = lambda attempt: None

    def open(self, url: Any, **options: Any) -> Talk:
        """Connect. Raises what connecting raises."""
        handlers: dict[str, Any] = {
            "on_open": self._opened,
            "on_close": self._closed,
            "on_error": self._failed,
            "on_reconnecting": self._reconnecting,
            "on_event": self._event,
        }
        if self._front is CallbackTalk:
            handlers["callback"] = self._called
        unless_given = {"reconnect": policy(), "ping_interval": None}
        self.talk = self._front(url, **(unless_given | handlers | options))
        return self.talk

    @property
    def state(self) -> tieline.State:
        return self.talk.front.state

    # --- handlers

    def _note(self, words: list[str], word: str) -> None:
        with self._changed:
            words.append(word)
            self._changed.notify_all()

    def _opened(self, response: Any) -> None:
        self.responses.append(response)
        self._note(self._calls, "open again" if response.reconnected else "open")

    def _closed(self, info: tieline.CloseInfo) -> None:
        self.ends.append(info)
        self._note(self._calls, f"close {int(info.code)}")

    def _called(self, message: str | bytes | None) -> None:
        if message is None:
            self._note(self._calls, "end")

    def _failed(self, error: BaseException) -> None:
        self.errors.append(error)
        self._note(self._calls, f"error {type(error).__name__}")

    def _reconnecting(self, attempt: tieline.ReconnectAttempt) -> None:
        self.attempts.append(attempt)
        self._note(self._calls, f"reconnecting {attempt.number}")
        self.on_reconnecting(attempt)

    def _event(self, event: Any) -> None:
        if isinstance(event, events.OpenEvent):
            self._note(self._events, "open")
        elif isinstance(event, events.ClosedEvent):
            self._note(self._events, f"closed {int(event.info.code)}")
        elif isinstance(event, events.ReconnectingEvent):
            self._note(self._events, f"reconnecting {event.number}")
        elif isinstance(event, events.GaveUpEvent):
            self._note(self._events, f"gave up after {event.attempts}")
        elif isinstance(event, events.MessageDroppedEvent):
            self._note(self._events, f"dropped {event.reason}")

    # --- what a test asks

    def expect(self, *calls: str) -> None:
        """The next calls of handlers are these, in this order. Waits for them. "*": anything."""
        if self._front is not CallbackTalk:
            calls = tuple(call for call in calls if call != "end")  # nobody is called with None
        self._take(self._calls, calls)

    def expect_events(self, *told: str) -> None:
        """The next events are these, in this order."""
        self._take(self._events, told)

    def _take(self, words: list[str], wanted: tuple[str, ...]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(words) >= len(wanted), PATIENCE)
            came = tuple(words[: len(wanted)])
            assert len(came) == len(wanted) and all(map(_is_as, came, wanted)), (came, wanted)
            del words[: len(wanted)]

    def finish(self) -> None:
        """The user closes: nothing else was told, and nothing follows."""
        self.talk.close_now()
        self.expect("close 1000", "end")
        self.expect_events("closed 1000")
        self.expect_nothing()

    def expect_nothing(self) -> None:
        """Nothing else was told."""
        assert (self._calls, self._events) == ([], [])

    def close(self) -> None:
        if hasattr(self, "talk"):
            self.talk.close()


def _is_as(word: str, wanted: str) -> bool:
    return word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted


def settled(talk: Talk, receipt: Any) -> None:
    """Wait for a receipt. Raises what kept the message from being sent."""
    if isinstance(talk, AsyncioTalk):
        talk.run(receipt.wait(PATIENCE))
    else:
        receipt.wait(PATIENCE)


class Inbound:
    """What a server has received, in order: the fate of each message."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.messages: list[str] = []

    def __call__(self, connection: Any, message: str) -> str:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()
        return message

    def wait_for(self, *messages: str) -> None:
        """It has received exactly these."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.messages) >= len(messages), PATIENCE)
            assert self.messages == list(messages)


def wait_until(predicate: Callable[[], object]) -> None:
    """For what nobody tells of."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not predicate():
        assert time.monotonic() < deadline, "it does not come to hold"
        pause.wait(0.002)
