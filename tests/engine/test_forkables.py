"""Forkables: who is there is told of a fork, and who is gone takes no room."""

from __future__ import annotations

import threading
import weakref

import pytest

from tieline.engine.forkables import _FEW, Forkables


class Told:
    def __init__(self, told: list[int] | None = None, number: int = 0) -> None:
        self._told, self._number = told if told is not None else [], number

    def abandon_after_fork(self) -> None:
        self._told.append(self._number)


def test_who_is_gone_is_not_told_of_a_fork() -> None:
    told: list[int] = []
    forkables = Forkables()
    kept = [Told(told, number) for number in range(3)]
    for one in kept:
        forkables.add(one)
    gone = Told(told, 9)
    forkables.add(gone)
    del gone
    forkables.abandon_after_fork()
    assert told == [0, 1, 2] and list(forkables) == kept


def test_those_who_are_gone_take_no_room() -> None:
    forkables = Forkables()
    kept = []
    for number in range(10_000):
        one = Told(number=number)
        forkables.add(one)
        if number % 100 == 0:
            kept.append(one)
    del one
    assert list(forkables) == kept
    assert len(forkables._references) <= 2 * len(kept) + _FEW


@pytest.mark.parametrize("count", [1, 1000])
def test_those_who_come_while_others_are_taken_out(count: int) -> None:
    """In a signal handler on top, for example, in which there may be many."""
    forkables = Forkables()
    late = [Told() for _ in range(count)]
    waiting = [late]

    class Meanwhile(weakref.ref[Told]):
        def __call__(self) -> Told | None:
            for one in waiting.pop() if waiting else ():
                forkables.add(one)
            return super().__call__()

    first = [Told() for _ in range(_FEW)]
    for one in first:
        forkables.add(one)
    forkables._references[0] = Meanwhile(first[0])
    last = Told()
    forkables.add(last)
    assert set(forkables) == {*first, *late, last} and not waiting


def test_in_a_child_process_the_lock_is_free() -> None:
    forkables = Forkables()
    thread = threading.Thread(target=forkables._lock.acquire)
    thread.start()
    thread.join()
    forkables.abandon_after_fork()
    kept = [Told() for _ in range(_FEW + 1)]
    for one in kept:
        forkables.add(one)
    assert list(forkables) == kept
