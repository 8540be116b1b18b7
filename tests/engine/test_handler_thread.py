"""HandlerThread: one thread, in order, and none when it may rest."""

from __future__ import annotations

import threading

from tieline.engine.handler_thread import HandlerThread

SOON = 20.0


def test_in_order_on_one_thread() -> None:
    executor = HandlerThread("test-handlers")
    done: list[tuple[int, threading.Thread]] = []
    for number in range(100):
        executor.submit(lambda number=number: done.append((number, threading.current_thread())))
    thread = executor.rest()
    assert thread is not None and thread.daemon and thread.name == "test-handlers"
    thread.join(SOON)
    assert done == [(number, thread) for number in range(100)]


def test_no_thread_before_and_after() -> None:
    before = threading.active_count()
    executor = HandlerThread()
    assert executor.rest() is None
    assert threading.active_count() == before
    executor.submit(lambda: None)
    thread = executor.rest()
    assert thread is not None
    thread.join(SOON)
    assert threading.active_count() == before and executor.rest() is None


def test_what_comes_after_a_rest_runs() -> None:
    """Beside a function that does not return, if there is one."""
    executor = HandlerThread()
    held, ran = threading.Event(), threading.Event()
    executor.submit(lambda: held.wait(SOON) and None)
    first = executor.rest()
    executor.submit(ran.set)
    assert ran.wait(SOON)
    held.set()
    second = executor.rest()
    assert first is not None and second is not None and first is not second
    first.join(SOON)
    second.join(SOON)


def test_in_a_child_process() -> None:
    executor = HandlerThread()
    held, ran = threading.Event(), threading.Event()
    executor.submit(lambda: held.wait(SOON) and None)
    parents, functions = executor._thread, executor._functions
    executor._lock.acquire()
    executor.abandon_after_fork()
    executor.submit(ran.set)
    assert ran.wait(SOON)
    childs = executor.rest()
    held.set()
    functions.put(None)
    assert parents is not None and childs is not None
    parents.join(SOON)
    childs.join(SOON)
