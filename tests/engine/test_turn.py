"""Turn: one thread at a time, and no work that nobody does."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.builds import reaches_inside
from tieline.engine.locks import ReentrantLock
from tieline.engine.turn import Turn
from tieline.engine.waiting import News

SOON = 20.0


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns after nearly every instruction."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_thread(function: Callable[[], Any]) -> Any:
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(function()))
    thread.start()
    thread.join(SOON)
    return outcome[0]


def test_one_has_it() -> None:
    turn = Turn(ReentrantLock())
    assert not turn.is_taken
    assert turn.take()
    assert turn.is_taken and turn.is_mine
    assert in_thread(lambda: (turn.is_mine, turn.is_taken, turn.take())) == (False, True, False)
    turn.give_back()
    assert not turn.is_taken and not turn.is_mine
    assert in_thread(lambda: (turn.take(), turn.give_back()))[0]


def test_only_its_holder_can_give_it_back() -> None:
    turn = Turn(ReentrantLock())
    turn.take()
    in_thread(turn.give_back)
    assert turn.is_mine
    turn.give_back()
    turn.give_back()
    assert in_thread(lambda: (turn.take(), turn.give_back()))[0]


def test_waiting_for_it() -> None:
    turn = Turn(ReentrantLock())
    turn.take()
    asked = threading.Event()
    taken: list[bool] = []

    def wait() -> None:
        asked.set()
        taken.append(turn.take(SOON))
        turn.give_back()

    thread = threading.Thread(target=wait)
    thread.start()
    assert asked.wait(SOON)
    turn.give_back()
    thread.join(SOON)
    assert taken == [True]
    turn.take()
    assert in_thread(lambda: turn.take(0.01)) is False


@reaches_inside
def test_nobody_is_told_once_nobody_waits() -> None:
    """For as long as somebody is told, each message takes twice as long."""
    turn = Turn(ReentrantLock())
    turn.take()
    assert turn._news is None
    leave = threading.Event()
    begun = threading.Semaphore(0)

    def wait(timeout: float) -> None:
        begun.release()
        turn.take(timeout)
        leave.wait(SOON)
        turn.give_back()

    waits = [threading.Thread(target=wait, args=(timeout,)) for timeout in (SOON, 0.01)]
    for thread in waits:
        thread.start()
        assert begun.acquire(timeout=SOON)
    while (news := turn._news) is None or news.waiting != 1:  # one has given up, one waits
        in_thread(lambda: turn.take(0.01))
    turn.give_back()
    leave.set()
    for thread in waits:
        thread.join(SOON)
    assert turn._news is None and not turn.is_taken


def test_a_signal_handler_that_waits_on_top_of_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = Turn(ReentrantLock())
    turn.take()
    original = News.wait_for
    begun = threading.Event()
    on_top: list[bool] = []

    def wait_for(news: News, predicate: Callable[[], bool], timeout: float) -> bool:
        if not on_top:
            on_top.append(True)
            on_top.append(turn.take(0.01))
            begun.set()
        return original(news, predicate, timeout)

    monkeypatch.setattr(News, "wait_for", wait_for)
    taken: list[bool] = []
    seconds: list[float] = []

    def wait() -> None:
        start = time.monotonic()
        taken.append(turn.take(SOON))
        seconds.append(time.monotonic() - start)
        turn.give_back()

    thread = threading.Thread(target=wait)
    thread.start()
    assert begun.wait(SOON)
    turn.give_back()
    thread.join(2 * SOON)
    assert (taken, on_top) == ([True], [True, False])
    assert seconds[0] < SOON / 2  # it was told


class _Interrupting:
    """A lock in whose release Ctrl-C comes."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()
        raise KeyboardInterrupt


@reaches_inside
def test_ctrl_c_while_it_is_taken() -> None:
    lock: Any = _Interrupting()
    turn = Turn(lock)
    with pytest.raises(KeyboardInterrupt):
        try:
            turn.take()
        finally:
            turn.give_back()
    turn.lock = ReentrantLock()
    assert in_thread(lambda: (turn.take(), turn.give_back()))[0]


def test_whoever_finds_it_taken_leaves_the_work_to_the_holder(switching: None) -> None:
    """The rule of the class's docstring: not a single piece of work is left undone."""
    turn = Turn(ReentrantLock())
    work: list[int] = []
    done: list[int] = []
    inside = 0

    def serve() -> None:
        nonlocal inside
        turn.is_asked = True
        while turn.is_asked:
            try:
                if not turn.take():
                    return
                turn.is_asked = False
                inside += 1
                assert inside == 1
                while work:
                    done.append(work.pop())
                inside -= 1
            finally:
                turn.give_back()

    def add(first: int) -> None:
        for number in range(first, first + 500):
            work.append(number)
            serve()

    threads = [threading.Thread(target=add, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert work == [] and len(done) == 1500
