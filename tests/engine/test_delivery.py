"""Delivery: at once on the reactor's thread, or queued for an executor."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from tests.engine.owning import Owner
from tieline.engine.callbacks import Callbacks
from tieline.engine.delivery import Delivery
from tieline.engine.handlers import Handlers
from tieline.engine.serial import Runner


def delivery(submit: Any, calls: list[Any], room: Callable[[], None] = lambda: None) -> Delivery:
    handlers = Handlers(on_message=calls.append)
    runner = None if submit is None else Runner(submit)
    return Delivery(Callbacks(handlers, logging.getLogger("tieline")), runner, 3, Owner(room))


def test_at_once() -> None:
    calls: list[Any] = []
    made = delivery(None, calls)
    made.messages(["a", "b"])
    made.post(calls.append, "posted")
    assert calls == ["a", "b", "posted"]
    assert not made.is_full and made.load == 0 and not made.in_handler()
    made.abandon_after_fork()


def test_queued() -> None:
    calls: list[Any] = []
    jobs: list[Callable[[], None]] = []
    rooms: list[int] = []
    made = delivery(jobs.append, calls, lambda: rooms.append(1))
    made.messages(["a", "b"])
    assert made.load == 2 and not made.is_full
    made.messages(["c"])
    made.post(lambda: calls.append(made.in_handler()))
    assert made.is_full and calls == []
    jobs.pop()()
    assert calls == ["a", "b", "c", True]
    assert rooms == [1] and made.load == 0 and not made.in_handler()


def test_what_a_peer_can_make_many_of_counts_as_load() -> None:
    jobs: list[Callable[[], None]] = []
    made = delivery(jobs.append, [])
    for _ in range(3):
        made.post(lambda: None, weight=1)
    assert made.is_full and made.load == 3
    jobs.pop()()
    assert made.load == 0


def test_after_a_fork() -> None:
    calls: list[Any] = []
    jobs: list[Callable[[], None]] = []
    made = delivery(jobs.append, calls)
    made.messages(["parent's"] * 3)
    made.abandon_after_fork()
    assert not made.is_full
    jobs.clear()
    made.messages(["child's"])
    jobs.pop()()
    assert calls == ["child's"]
