"""Threads that run one function each, and wait for another one."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest

from tieline.aio.diallers import Diallers

PATIENCE = 20.0


class Job:
    """A function that ends when a test wants it."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def __call__(self) -> None:
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.go_on.wait(PATIENCE)


@pytest.fixture
def diallers() -> Iterator[Callable[[float], Diallers]]:
    """diallers(linger); their threads are let go at the end."""
    made: list[Diallers] = []

    def make(linger: float) -> Diallers:
        made.append(Diallers(linger))
        return made[-1]

    yield make
    for each in made:
        each.linger = 0.0
        while each._waiting:
            each.run(lambda: None)


def _waits(diallers: Diallers, count: int = 1) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.001)):
        if len(diallers._waiting) == count:
            return
        pause.wait(0.001)
    pytest.fail(f"{len(diallers._waiting)} threads wait, expected {count}")


def _done(diallers: Diallers) -> threading.Thread:
    """The thread that has run a function, and is done with it."""
    job = Job()
    job.go_on.set()
    diallers.run(job)
    assert job.begun.wait(PATIENCE) and job.thread is not None
    return job.thread


def test_a_thread_runs_one_after_the_other(diallers: Any) -> None:
    ours = diallers(PATIENCE)
    first = _done(ours)
    _waits(ours)
    assert first.daemon and first.name.startswith("tieline-dial-")
    assert _done(ours) is first
    _waits(ours)


def test_none_waits_for_another_one(diallers: Any) -> None:
    ours, jobs = diallers(PATIENCE), [Job() for _ in range(3)]
    for job in jobs:
        ours.run(job)
    assert all(job.begun.wait(PATIENCE) for job in jobs)
    assert len({job.thread for job in jobs}) == 3
    for job in jobs:
        job.go_on.set()
    _waits(ours, 3)


def test_it_ends_when_nothing_comes(diallers: Any) -> None:
    ours = diallers(0.0)
    thread = _done(ours)
    thread.join(PATIENCE)
    assert not thread.is_alive() and ours._waiting == []


@pytest.mark.parametrize("given", [print, None])
def test_one_that_was_chosen_as_its_time_ended(diallers: Any, given: Any) -> None:
    """What it was given is run. Nothing: whoever has chosen it was interrupted, and it ends."""
    ours = diallers(0.0)

    class Functions:
        def get(self, timeout: float | None = None) -> Any:
            if timeout is not None:
                ours._waiting.remove(dialler)
                raise Empty
            return given

        def empty(self) -> bool:
            return given is None

    dialler = SimpleNamespace(functions=Functions())
    assert ours.next_of(dialler) is given
    assert ours._waiting == []


def test_nothing_is_kept_while_it_waits(diallers: Any) -> None:
    ours, job = diallers(PATIENCE), Job()
    job.go_on.set()
    kept = weakref.ref(job)
    ours.run(job)
    assert job.begun.wait(PATIENCE)
    del job
    _waits(ours)
    assert kept() is None


def test_what_a_function_raises_ends_only_its_thread(
    diallers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_type))
    ours = diallers(PATIENCE)

    def fail() -> None:
        raise LookupError

    ours.run(fail)
    thread = _done(ours)
    _waits(ours)
    assert told == [LookupError] and thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_its_own(diallers: Any) -> None:
    ours = diallers(PATIENCE)
    _done(ours)
    _waits(ours)
    child = os.fork()
    if child == 0:
        ran = threading.Event()
        ours.run(ran.set)
        os._exit(0 if ran.wait(PATIENCE) else 1)
    assert os.waitpid(child, 0)[1] == 0
