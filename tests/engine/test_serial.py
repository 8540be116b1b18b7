"""SerialQueue: one job at a time, in order, on somebody else's threads."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tieline.engine import serial
from tieline.engine.serial import Runner, SerialQueue

SOON = 20.0


def test_order_and_one_at_a_time() -> None:
    running, overlaps, order = [0], [], []
    done = threading.Event()

    def job(number: int) -> None:
        running[0] += 1
        overlaps.append(running[0])
        order.append(number)
        running[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        queue = SerialQueue(Runner(pool), 10, lambda: None)
        for number in range(1000):
            queue.post(lambda number=number: job(number))
        queue.post(done.set)
        assert done.wait(SOON)
    assert order == list(range(1000))
    assert set(overlaps) == {1}


def test_many_posters() -> None:
    counts: dict[int, list[int]] = {number: [] for number in range(8)}
    done = threading.Barrier(9)
    with ThreadPoolExecutor(4) as pool:
        queue = SerialQueue(Runner(pool.submit), 10, lambda: None)

        def post(poster: int) -> None:
            for number in range(200):
                queue.post(lambda number=number: counts[poster].append(number))
            finished = threading.Event()
            queue.post(finished.set)
            assert finished.wait(SOON)
            done.wait(SOON)

        threads = [threading.Thread(target=post, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        done.wait(SOON)
        for thread in threads:
            thread.join(SOON)
    assert all(numbers == list(range(200)) for numbers in counts.values())


def test_load_and_room() -> None:
    jobs: list[Callable[[], None]] = []
    room: list[int] = []
    queue = SerialQueue(Runner(jobs.append), 4, lambda: room.append(queue.load))
    for _ in range(3):
        queue.post(lambda: None, 1)
    assert not queue.is_full
    queue.post(lambda: None, 1)
    assert queue.is_full and queue.load == 4
    assert len(jobs) == 1  # one submission serves the whole queue
    jobs.pop()()
    assert room == [2]
    assert queue.load == 0 and not queue.is_full


def test_room_is_told_again_each_time() -> None:
    jobs: list[Callable[[], None]] = []
    room: list[int] = []
    queue = SerialQueue(Runner(jobs.append), 1, lambda: room.append(queue.load))
    for _ in range(3):
        queue.post(lambda: None, 1)
        assert queue.is_full
        jobs.pop()()
    assert room == [0, 0, 0]


def test_large_messages_fill_it_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "MAX_WAITING", 1000)
    jobs: list[Callable[[], None]] = []
    room: list[int] = []
    queue = SerialQueue(Runner(jobs.append), 100, lambda: room.append(queue.load))
    for _ in range(3):
        queue.post(lambda: None, 1, 300)
        assert not queue.is_full
    queue.post(lambda: None, 1, 300)
    assert queue.is_full
    jobs.pop()()
    assert room == [1] and not queue.is_full


def test_a_job_knows_where_it_is() -> None:
    inside: list[bool] = []
    queue = SerialQueue(Runner(lambda job: job()), 1, lambda: None)
    assert not queue.in_job()
    queue.post(lambda: inside.append(queue.in_job()))
    assert inside == [True] and not queue.in_job()


def test_jobs_posted_by_jobs_come_behind() -> None:
    order: list[str] = []
    queue = SerialQueue(Runner(lambda job: job()), 1, lambda: None)

    def first() -> None:
        queue.post(lambda: order.append("second"))
        order.append("first")

    queue.post(first)
    assert order == ["first", "second"]


def test_an_executor_that_was_shut_down() -> None:
    """The jobs run where they were posted: an end must be told."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    ran: list[int] = []
    queue = SerialQueue(Runner(pool.submit), 10, lambda: None)
    queue.post(lambda: ran.append(threading.get_ident()))
    assert ran == [threading.get_ident()]


@pytest.mark.parametrize("cancel", [False, True])
def test_whoever_shuts_an_executor_down_is_told_once(cancel: bool) -> None:
    told: list[str] = []
    done = threading.Event()
    pool = ThreadPoolExecutor(1)
    inside, release = threading.Event(), threading.Event()

    def block() -> None:
        inside.set()
        release.wait(SOON)

    pool.submit(block)
    assert inside.wait(SOON)
    queue = SerialQueue(Runner(pool), 10, lambda: None, told.append)
    if cancel:
        queue.post(lambda: None)
    pool.shutdown(wait=False, cancel_futures=cancel)
    for _ in range(3):
        queue.post(lambda: None)
    queue.post(done.set)
    assert done.wait(SOON)
    release.set()
    assert len(told) == 1
    assert ("has thrown away" if cancel else "RuntimeError: cannot schedule new") in told[0]


def test_the_end_of_a_program_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an executor says then."""

    def submit(job: Callable[[], None]) -> None:
        raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr("concurrent.futures.thread._shutdown", True)
    told: list[str] = []
    ran: list[int] = []
    SerialQueue(Runner(submit), 10, lambda: None, told.append).post(lambda: ran.append(1))
    assert (ran, told) == ([1], [])


def test_ctrl_c_in_the_log_line_of_an_executor_that_refuses() -> None:
    """The jobs run all the same, now and later."""

    def refuse(job: Callable[[], None]) -> None:
        raise RuntimeError("shut down")

    def interrupted(why: str) -> None:
        raise KeyboardInterrupt

    order: list[str] = []
    jobs = SerialQueue(Runner(refuse), 10, print, interrupted)
    with pytest.raises(KeyboardInterrupt):
        jobs.post(lambda: order.append("first"))
    jobs.post(lambda: order.append("second"))
    assert order == ["first", "second"]


def test_an_executor_that_refuses_a_job() -> None:
    """Such as a bounded queue's `put_nowait`: no job is lost, and the next ones go there again."""
    place: queue.Queue[Callable[[], None]] = queue.Queue(1)
    place.put_nowait(lambda: None)
    order: list[str] = []
    jobs = SerialQueue(Runner(place.put_nowait), 10, lambda: None)
    jobs.post(lambda: order.append("refused"))
    assert order == ["refused"]
    place.get_nowait()
    jobs.post(lambda: order.append("taken"))
    assert order == ["refused"]
    place.get_nowait()()
    assert order == ["refused", "taken"]


def test_an_executor_that_throws_the_jobs_away() -> None:
    pool = ThreadPoolExecutor(1)
    inside, release = threading.Event(), threading.Event()

    def block() -> None:
        inside.set()
        release.wait(SOON)

    pool.submit(block)
    assert inside.wait(SOON)
    queue = SerialQueue(Runner(pool.submit), 10, lambda: None)
    ran: list[int] = []
    done = threading.Event()
    queue.post(lambda: ran.append(1), 1)
    pool.shutdown(wait=False, cancel_futures=True)
    queue.post(lambda: ran.append(2), 1)
    queue.post(done.set)
    assert done.wait(SOON)
    release.set()
    assert ran == [1, 2] and queue.load == 0


def test_a_loop_that_is_closed_with_a_job_scheduled() -> None:
    """It throws the job away without a word: still nothing is lost, also of what comes later."""
    loop = asyncio.new_event_loop()
    ran: list[int] = []
    done = threading.Event()
    jobs = SerialQueue(Runner(loop), 10, lambda: None)
    jobs.post(lambda: ran.append(1), 1)
    jobs.post(lambda: ran.append(2), 1)
    loop.close()
    jobs.post(lambda: ran.append(3), 1)
    jobs.post(done.set)
    assert done.wait(SOON)
    assert ran == [1, 2, 3] and jobs.load == 0


def test_a_loop_that_is_closed_while_a_job_is_posted() -> None:
    """It had looked whether it was closed, and took the job after it had thrown all away."""
    loop = asyncio.new_event_loop()
    kept: list[Any] = []

    class Loop:
        def call_soon_threadsafe(self, function: Callable[[], None]) -> None:
            loop.close()
            kept.append(function)

        is_closed = loop.is_closed

    ran = threading.Event()
    SerialQueue(Runner(Loop()), 10, lambda: None).post(ran.set)
    assert ran.wait(SOON)
    ran.clear()
    kept[0]()
    assert not ran.is_set()


def test_an_executor_that_forgets_a_job() -> None:
    ran = threading.Event()
    SerialQueue(Runner(lambda function: None), 10, lambda: None).post(ran.set)
    assert ran.wait(SOON)


def test_a_job_that_raises_is_reported_and_the_next_one_runs() -> None:
    jobs: list[Callable[[], None]] = []
    ran: list[int] = []
    queue = SerialQueue(Runner(jobs.append), 2, lambda: None)

    def fail() -> None:
        raise ZeroDivisionError

    queue.post(fail, 1)
    queue.post(lambda: ran.append(1), 1)
    with pytest.raises(ZeroDivisionError):
        jobs.pop(0)()
    assert not queue.in_job()
    jobs.pop(0)()
    assert ran == [1] and queue.load == 0


def test_after_a_fork_nothing_of_the_parents_runs() -> None:
    jobs: list[Callable[[], None]] = []
    ran: list[str] = []
    queue = SerialQueue(Runner(jobs.append), 1, lambda: None)
    queue.post(lambda: ran.append("parent's"), 1)
    queue._lock.acquire()
    queue.abandon_after_fork()
    jobs.clear()
    queue.post(lambda: ran.append("child's"), 1)
    jobs.pop()()
    assert ran == ["child's"] and queue.load == 0


@pytest.mark.parametrize("kind", ["pool", "function"])
def test_what_runs_jobs(kind: str) -> None:
    pool = ThreadPoolExecutor(1)
    given: Any = pool if kind == "pool" else lambda function: function()
    ran = threading.Event()
    Runner(given).submit(ran.set)
    assert ran.wait(SOON)
    pool.shutdown()
