"""Heartbeats, sleeps and signs of life on each front, over real sockets."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.behaviours.every_front.conftest import Open, echo_script, shows
from tests.fronts import PATIENCE, Talk
from tieline.aio import loop_reactor
from tieline.engine import clock_watch, reactor
from tieline.engine.clock_watch import sleepless_clock
from tieline.engine.receiving import CARETAKER
from tieline.testing import ScriptedPeer


@pytest.fixture
def suspend(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """suspend(seconds): the machine was asleep; everybody looks at the clocks all the time."""
    asleep = [0.0]
    real = sleepless_clock()

    def sleepless() -> float:
        return real() + asleep[0]

    for module in (reactor, loop_reactor):
        monkeypatch.setattr(module, "sleepless_clock", lambda: sleepless)
    monkeypatch.setattr(clock_watch, "TICK", 0.01)
    monkeypatch.setattr(CARETAKER.clocks, "_sleepless", sleepless)
    monkeypatch.setattr(CARETAKER.clocks, "_tick", 0.01)

    def sleep(seconds: float) -> None:
        asleep[0] += seconds

    return sleep


def served(talk: Open, url: str, **options: Any) -> Talk:
    """Open, and looked after: handlers run already."""
    begun = threading.Event()
    open_talk = talk(url, on_open=lambda response: begun.set(), **options)
    assert begun.wait(PATIENCE)
    return open_talk


@shows("heartbeat_message", "heartbeat_interval")
def test_a_heartbeat_while_nobody_does_anything(talk: Open, scripted: Any) -> None:
    come = threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for _ in range(3):
            peer.expect_text('{"op":"beat"}')
        come.set()
        peer.expect_close(1000)

    open_talk = talk(
        scripted(script).url,
        heartbeat_message='{"op":"beat"}',
        heartbeat_interval=0.02,
        ping_interval=None,
    )
    assert come.wait(PATIENCE)
    open_talk.close_now()
    assert open_talk.front.stats().messages_sent >= 3


def test_a_heartbeat_that_a_function_gives(
    talk: Open, scripted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """None: not this time. What it raises is told, and the connection goes on."""
    given: list[Any] = ["first", None, ValueError("no"), b"last"]
    errors: list[Exception] = []

    def ask() -> Any:
        one = given.pop(0) if given else None
        if isinstance(one, Exception):
            raise one
        return one

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_text("first")
        peer.expect_frame(tieline.Opcode.BINARY, b"last")
        peer.send_text("seen")
        peer.expect_close(1000)

    with caplog.at_level(logging.CRITICAL, "tieline"):
        open_talk = talk(
            scripted(script).url,
            heartbeat_message=ask,
            heartbeat_interval=0.02,
            ping_interval=None,
            on_error=errors.append,
        )
        assert open_talk.receive() == "seen"
    assert [str(error) for error in errors] == ["no"]
    open_talk.close_now()


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="no clock that a test could set")
def test_after_a_sleep_the_peer_is_asked_at_once(
    talk: Open, scripted: Any, suspend: Callable[[float], None]
) -> None:
    """Long before its next Ping, and its answer is enough."""
    asked = threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        frame = peer.receive_frame()
        assert frame.opcode is tieline.Opcode.PING
        peer.send_frame(tieline.Opcode.PONG, frame.payload)
        asked.set()
        peer.send_text("alive")
        peer.expect_close(1000)

    open_talk = served(talk, scripted(script).url, ping_interval=1000, ping_timeout=1000)
    suspend(3600)
    assert asked.wait(PATIENCE)
    assert open_talk.receive() == "alive"
    open_talk.close_now()


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="no clock that a test could set")
def test_a_line_that_died_in_a_sleep(
    talk: Open, scripted: Any, suspend: Callable[[float], None]
) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.hold()

    open_talk = served(talk, scripted(script).url, ping_interval=1000, ping_timeout=0.1)
    suspend(3600)
    info = open_talk.ended()
    assert info.code == 1006
    assert "the machine was asleep for 3600.0 s" in str(info.error)


@pytest.mark.slow
def test_a_peer_that_drips_is_alive(talk: Open, scripted: Any) -> None:
    """One byte of a frame now and then, which is no message for long, and never a Pong."""
    text = "x" * 24

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.drip(b"\x81" + bytes([len(text)]) + text.encode(), 0.05)
        peer.expect_close(1000)

    open_talk = talk(scripted(script).url, ping_interval=0.1, ping_timeout=1.0)
    assert open_talk.receive() == text
    open_talk.close_now()


@pytest.mark.slow
def test_a_thread_that_is_held_up_gives_nobody_up(talk: Open, echoing: Any) -> None:
    """What serves the connection stands still for longer than ping_timeout, again and again."""
    held: list[int] = []
    done = threading.Event()

    def hold_up() -> None:
        if len(held) < 5:
            held.append(1)
            threading.Event().wait(0.3)
        else:
            done.set()

    open_talk = talk(
        echoing().url,
        heartbeat_message=hold_up,
        heartbeat_interval=0.07,
        ping_interval=0.05,
        ping_timeout=0.2,
    )
    assert done.wait(PATIENCE)
    open_talk.send("alive")
    assert open_talk.receive() == "alive"
    open_talk.close_now()


def test_a_wrong_wall_clock_changes_nothing(
    talk: Open, echoing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    open_talk = talk(echoing().url, ping_interval=0.02, ping_timeout=PATIENCE)
    for number in range(20):
        open_talk.send(str(number))
        assert open_talk.receive() == str(number)
    open_talk.close_now()


def test_the_error_says_that_the_peer_was_silent(talk: Open, scripted: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.hold()

    info = talk(scripted(script).url, ping_interval=0.02, ping_timeout=0.2).ended()
    assert "the peer sent nothing for 0." in str(info.error)
    assert "ping_timeout=0.2 s" in str(info.error)


def test_no_heartbeat_no_message(talk: Open, scripted: Any) -> None:
    open_talk = talk(scripted(echo_script).url)
    open_talk.send("a")
    assert open_talk.receive() == "a"
    open_talk.close_now()
    assert open_talk.front.stats().messages_sent == 1
