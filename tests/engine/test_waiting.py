"""wait_for_event: no longer than asked, and never for long at once."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tieline.engine import waiting
from tieline.engine.waiting import SLICE, wait_for_event


class Event:
    """Is set by the nth wait; time passes only in waits."""

    def __init__(self, set_by: int | None, monkeypatch: Any) -> None:
        self.set_by = set_by
        self.waits: list[float] = []
        self.now = 100.0
        monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: self.now))

    def wait(self, timeout: float) -> bool:
        self.waits.append(timeout)
        self.now += timeout
        return len(self.waits) == self.set_by


def test_an_event_that_is_set() -> None:
    event = threading.Event()
    event.set()
    assert wait_for_event(event, None) and wait_for_event(event, 0)


def test_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    event = Event(4, monkeypatch)
    assert wait_for_event(event, None)  # type: ignore[arg-type]
    assert event.waits == [SLICE] * 4


def test_until_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    event = Event(None, monkeypatch)
    assert not wait_for_event(event, 2.5)  # type: ignore[arg-type]
    assert event.now == 102.5
    assert max(event.waits) <= SLICE


def test_not_at_all() -> None:
    assert not wait_for_event(threading.Event(), 0)
