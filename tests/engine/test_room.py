"""Room: who waits is told, in whatever way it waits."""

from __future__ import annotations

import threading

import pytest

from tieline.engine import room as engine_room
from tieline.engine.room import Room

SOON = 20.0


def test_a_thread_and_a_call() -> None:
    lock = threading.RLock()
    room = Room(lock)
    told: list[str] = []
    waiting = threading.Event()

    def wait() -> None:
        with lock:
            waiting.set()
            room.wait(SOON)
            told.append("thread")

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(SOON)
    with lock:  # the thread has let go of it, so it waits
        assert room.is_wanted
        room.call(lambda: told.append("call"))
        room.tell()
        room.tell()
        assert told == ["call"], "once, and at once"
    thread.join(SOON)
    assert told == ["call", "thread"]
    assert not room.is_wanted


def test_a_wait_that_is_too_long() -> None:
    lock = threading.RLock()
    room = Room(lock)
    with lock:
        room.wait(0.0)
    assert not room.is_wanted


def test_after_a_fork() -> None:
    held = threading.RLock()
    room = Room(held)
    room.call(lambda: None)
    lock = threading.RLock()
    room.abandon_after_fork(lock)
    assert not room.is_wanted
    with lock:
        room.wait(0.0)


@pytest.mark.parametrize("timeout", [None, SOON])
def test_no_wait_is_longer_than_a_slice(
    monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    """A signal that comes just before the system call is heard when the call is over."""
    monkeypatch.setattr(engine_room, "SLICE", 0.01)
    waited = threading.Event()

    def wait() -> None:
        lock = threading.RLock()
        with lock:
            Room(lock).wait(timeout)
        waited.set()

    threading.Thread(target=wait, daemon=True).start()
    assert waited.wait(SOON / 2)
