"""wait_for_event: no longer than asked, and never for long at once."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tieline.engine import waiting
from tieline.engine.waiting import SLICE, News, Once, wait_for_event


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


def test_what_happens_once() -> None:
    once = Once(threading.RLock())
    assert not once.is_set() and not once.wait(0)
    waiters = [threading.Thread(target=lambda: seen.append(once.wait(60))) for _ in range(3)]
    seen: list[bool] = []
    for waiter in waiters:
        waiter.start()
    once.set()
    once.set()
    for waiter in waiters:
        waiter.join(60)
    assert seen == [True] * 3 and once.is_set() and once.wait(0)
    assert wait_for_event(once, 0)


def test_news_of_a_lock() -> None:
    lock = threading.RLock()
    news = News(lock)
    told: list[bool] = []
    with lock:
        news.notify_all()  # nobody is there
        news.wait(0)
        assert not news.wait_for(lambda: False, 0)

    def tell() -> None:
        with lock:
            told.append(True)
            news.notify_all()

    with lock:
        teller = threading.Thread(target=tell)
        teller.start()
        assert news.wait_for(lambda: bool(told), 60)
    teller.join(60)
