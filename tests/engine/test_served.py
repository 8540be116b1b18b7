"""Served: one registry, in which connections are found by their descriptors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.builds import IS_COMPILED
from tests.moments import at_every_moment
from tieline.engine.served import Registrant, Served


class One:
    """A connection with a number."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_served = False
        self.served_as = self.watched_for = 0
        self.errors: list[Exception] = []

    def fileno(self) -> int:
        return self.descriptor

    def fail(self, error: Exception) -> None:
        self.errors.append(error)


class Desk(Served):
    """Notes when a thread would be started and woken up."""

    def __init__(self) -> None:
        super().__init__()
        self.now = lambda: 100.0
        self.started: list[tuple[Registrant, bool]] = []
        self.woken = 0
        #: What is there to read can bring the thread.
        self.may_read = True

    def _start(self, registrant: Registrant, lazily: bool) -> None:
        self.started.append((registrant, lazily))
        self._thread = object()  # type: ignore[assignment]
        self._add(registrant)

    def _reads_at_once(self, registrant: Registrant) -> bool:
        return self.may_read

    def _wake(self) -> None:
        self.woken += 1

    def look(self) -> None:
        """What the thread does, before it waits for long."""
        self._unseen.clear()
        self.calls.clear()
        self._looks_at = 1000.0


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.register(one(3))
    desk.look()
    return desk


def one(descriptor: int) -> Any:
    return One(descriptor)


def called(desk: Desk) -> list[Callable[[], None]]:
    """What the thread would call."""
    return [callback for _, callback in desk.calls]


def test_the_first_one_starts_the_thread() -> None:
    desk, first, second = Desk(), one(3), one(4)
    desk.register(first, lazily=True)
    desk.register(second)
    assert desk.started == [(first, True)]
    assert desk.registrants() == [first, second]


def test_of_several_who_ask_the_first_wakes_the_thread(desk: Desk) -> None:
    served = desk.registrants()[0]
    for _ in range(3):
        desk.call_soon(served, desk.look)
    desk.register(one(4))
    assert desk.woken == 1 and len(desk.calls) == 4
    desk.look()
    desk.call_soon(served, desk.look)
    assert desk.woken == 2


def test_the_next_one_wakes_the_thread_where_ctrl_c_kept_the_first_from_it() -> None:
    served = one(3)

    def make() -> Desk:
        desk = Desk()
        desk.register(served)
        desk.look()
        return desk

    interrupted = 0
    for desk, error in at_every_moment(make, lambda it: it.call_soon(served, it.look)):
        interrupted += isinstance(error, KeyboardInterrupt)
        desk.call_soon(served, desk.look)
        assert desk.woken
        woken = desk.woken
        desk.call_soon(served, desk.look)
        assert desk.woken == woken
    assert interrupted or IS_COMPILED  # where it has no such moment


def test_who_is_not_served_is_not_called(desk: Desk) -> None:
    served = desk.registrants()[0]
    desk.call_soon(one(3), desk.look)
    desk._remove(served)
    desk.call_soon(served, desk.look)
    assert called(desk) == [] and desk.registrants() == []


def test_it_is_removed_by_the_number_that_it_came_with(desk: Desk) -> None:
    """Whoever has closed its descriptor."""
    [served] = desk.registrants()
    served.descriptor = -1
    desk._remove(served)
    assert desk.registrants() == [] and not served.is_served
    desk._remove(served)


def test_a_number_that_was_given_away(desk: Desk) -> None:
    """The connection that had it fails, and does not take the new one with it."""
    [before], after = desk.registrants(), one(3)
    desk.register(after)
    for callback in called(desk):
        callback()
    assert "closed by somebody else" in str(before.errors[0])
    desk._remove(before)
    assert desk.registrants() == [after] and after.served_as == 3
    desk.register(after)
    assert after.errors == []


def test_withdrawn_and_taken_back(desk: Desk) -> None:
    lazy = one(4)
    desk.register(lazy, lazily=True)
    assert desk.is_unseen(lazy) and desk.withdraw(lazy)
    assert lazy not in desk.registrants() and not desk.withdraw(lazy)
    desk.calls.clear()
    desk.take_back(lazy, desk.look)
    assert lazy in desk.registrants() and desk.is_unseen(lazy)
    assert called(desk)[-1] == desk.look


@pytest.mark.parametrize(
    ("looks_at", "at_once", "lazily"),
    [
        (99.0, True, True),  # it is busy, with one connection maybe
        (100.1, True, False),
        (100.3, True, True),
        (0.0, False, False),  # it has just begun, and looks before it waits
    ],
)
def test_when_it_is_told_of_a_newcomer(
    desk: Desk, looks_at: float, at_once: bool, lazily: bool
) -> None:
    for number, (is_lazy, is_told) in enumerate([(False, at_once), (True, lazily)]):
        desk.look()
        desk._looks_at = looks_at
        desk.woken = 0
        desk.register(one(10 + number), lazily=is_lazy)
        assert desk.woken == is_told


def test_newcomers_are_seen_once_in_order(desk: Desk) -> None:
    seen: list[Any] = []
    for descriptor in (5, 4):
        newcomer = one(descriptor)
        newcomer.on_registered = lambda descriptor=descriptor: seen.append(descriptor)
        desk.register(newcomer)
    desk._see()
    desk._see()
    assert seen == [5, 4]


@pytest.mark.parametrize("may_read", [True, False])
def test_a_quiet_one_is_lazy_where_its_bytes_bring_the_thread(desk: Desk, may_read: bool) -> None:
    desk._looks_at = 100.1
    desk.may_read = may_read
    desk.register(one(4), quietly=True)
    assert desk.woken == (not may_read)
