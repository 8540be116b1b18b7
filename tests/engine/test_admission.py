"""Admission: what a sender is told before it adds anything; waits are in test_sender.py."""

from __future__ import annotations

import threading

import pytest

from tests.engine.test_sender import Bench, text
from tieline.errors import SendBufferFull
from tieline.protocol.wire import Opcode


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_who_has_to_wait_for_room(bench: Bench) -> None:
    assert not bench.sender.must_wait()
    bench.handler = threading.get_ident()  # so that nothing here waits
    text(bench, "x" * 97)
    text(bench, "y" * 48)
    assert bench.sender.buffered == 49 and not bench.sender.must_wait()
    text(bench, "")
    assert bench.sender.must_wait() and bench.sender.is_full
    with pytest.raises(SendBufferFull, match="write_limit=50"):
        text(bench, "z")


def test_who_has_to_wait_for_anothers_message(bench: Bench) -> None:
    bench.sender.frames([(Opcode.TEXT, b"a", False)])
    assert bench.sender.is_mid_message and not bench.sender.must_wait()
    seen: list[bool] = []
    thread = threading.Thread(
        target=lambda: seen.extend([bench.sender.is_mid_message, bench.sender.must_wait()])
    )
    thread.start()
    thread.join(5)
    assert seen == [False, True]
    bench.sender.frames([(Opcode.CONTINUATION, b"b", True)])
    assert not bench.sender.is_mid_message


def test_the_lock_is_told_of(bench: Bench) -> None:
    assert not bench.sender.is_locked_by_caller
    with bench.lock:
        assert bench.sender.is_locked_by_caller


def test_patience_follows_the_peer() -> None:
    bench = Bench(timeout=5.0)
    assert bench.sender.patience(None) is None
    with bench.sender.waiting(10) as deadline:
        assert deadline == bench.clock.now() + 5.0
        bench.clock.advance(4.0)
        assert bench.sender.patience(deadline) == 1.0
    assert bench.told == [(10, 4.0, 0)]


def test_calls_for_room_come_once(bench: Bench) -> None:
    bench.handler = threading.get_ident()
    text(bench, "x" * 98)
    text(bench, "y" * 60)
    told: list[str] = []
    bench.sender.call_when_ready(lambda: told.append("room"))
    assert told == []
    for _ in range(2):
        bench.received()
        assert told == ["room"]
