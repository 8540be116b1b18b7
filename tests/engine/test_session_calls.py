from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tieline.engine.session_calls import SessionCalls


class Calls(SessionCalls):
    """A session that notes what is asked of it, and its own reactor, pump, speaker and delivery."""

    def __init__(self) -> None:
        this: Any = self
        self.reactor = self.pump = self.speaker = self._delivery = self.log = this
        self.callbacks = None
        self._heartbeat = None
        self._heartbeat_message = "beat"
        self.told: list[object] = []
        self.is_here = False

    def call_soon(self, *arguments: Any) -> None:
        self.told.append(arguments[-1])

    def in_thread(self) -> bool:
        return self.is_here

    def message(self, opcode: int, payload: bytes) -> None:
        self.told.append(payload)

    def watch(self) -> None:
        self.told.append("watched")

    def after_broken_write(self) -> None: ...


def test_the_reactor_is_asked() -> None:
    calls = Calls()
    function: Callable[[], None] = lambda: None  # noqa: E731 - what it is does not matter
    calls.call_handler(function)
    calls.on_blocked()
    calls.on_broken()
    calls._on_reactor(function)
    assert calls.told == [function, calls.watch, calls.after_broken_write, function]


def test_at_once_on_its_thread() -> None:
    calls = Calls()
    calls.is_here = True
    calls._on_reactor(calls.watch)
    assert calls.told == ["watched"]


def test_heartbeats() -> None:
    calls = Calls()
    calls.send_heartbeat()
    calls.send_heartbeat()
    assert calls.told == [b"beat", b"beat"]
