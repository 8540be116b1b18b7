"""ReentrantLock: what `threading.RLock` promises, among threads, in conditions and with signals."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.builds import compiled_only
from tieline.engine import locks
from tieline.engine.holding import is_held_by_caller

#: Seconds within which a thread gets what nobody keeps from it.
PATIENCE = 20.0


ReentrantLock = locks.ReentrantLock


@pytest.fixture(autouse=True, params=["as built", "without a GIL"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which lock is tested: also the one of builds for free-threaded interpreters."""
    if request.param == "without a GIL":
        module = pytest.importorskip("tieline.engine._lock", reason="pure")
        monkeypatch.setitem(globals(), "ReentrantLock", module.SharedLock)


@contextmanager
def held_elsewhere(lock: ReentrantLock) -> Iterator[threading.Event]:
    """Another thread has it until the event is set."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            done.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert taken.wait(PATIENCE)
        yield done
    finally:
        done.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_its_owner_may_take_it_again_and_gives_it_back_as_often():
    lock = ReentrantLock()
    assert lock.acquire()
    with lock:
        assert lock.acquire(False)
        lock.release()
        assert is_held_by_caller(lock)
    lock.release()
    assert not is_held_by_caller(lock)
    with pytest.raises(RuntimeError, match="un-acquired"):
        lock.release()


def test_it_can_be_taken_more_often_than_calls_can_be_nested():
    lock = ReentrantLock()
    times = 60_000
    for _ in range(times):
        lock.acquire()
    for _ in range(times):
        assert is_held_by_caller(lock)
        lock.release()
    assert not is_held_by_caller(lock)


def test_it_is_free_again_after_an_error_inside():
    lock = ReentrantLock()
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError
    with held_elsewhere(lock):
        pass


def test_another_thread_does_not_get_it_and_cannot_give_it_back():
    lock = ReentrantLock()
    with held_elsewhere(lock):
        assert not lock.acquire(False)
        assert not lock.acquire(blocking=False)
        assert not lock.acquire(timeout=0)
        assert not lock.acquire(True, 0.01)
        assert not is_held_by_caller(lock)
        with pytest.raises(RuntimeError, match="un-acquired"):
            lock.release()
    assert lock.acquire(timeout=PATIENCE)
    lock.release()


@pytest.mark.parametrize(("blocking", "timeout"), [(False, 1.0), (True, -2.0)])
def test_a_wait_that_means_nothing_is_refused(blocking, timeout):
    with pytest.raises(ValueError, match="timeout"):
        ReentrantLock().acquire(blocking, timeout)


def test_who_waits_gets_it_when_it_is_given_back():
    lock = ReentrantLock()
    got = threading.Event()

    def wait() -> None:
        with lock:
            got.set()

    with held_elsewhere(lock) as done:
        threads = [threading.Thread(target=wait) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert not got.is_set()
        done.set()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert got.is_set()


def test_many_threads_are_never_inside_at_once():
    lock = ReentrantLock()
    inside: list[int] = []
    most = total = 0

    def work() -> None:
        nonlocal most, total
        for turn in range(300):
            if turn % 3:
                lock.acquire()
            else:
                while not lock.acquire(timeout=0.001):
                    pass
            with lock:
                inside.append(1)
                most = max(most, len(inside))
                total += 1
                inside.pop()
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert (most, total) == (1, 1800)


def test_who_waits_is_not_starved_by_those_who_come_again_and_again():
    """They let go of the interpreter inside, as a system call does, and hardly ever outside."""
    lock = ReentrantLock()
    enough = threading.Event()

    def hog() -> None:
        while not enough.is_set():
            with lock:
                os.stat(".")

    hogs = [threading.Thread(target=hog) for _ in range(2)]
    for one in hogs:
        one.start()
    try:
        for _ in range(20):
            assert lock.acquire(timeout=PATIENCE)
            lock.release()
    finally:
        enough.set()
        for one in hogs:
            one.join(PATIENCE)


def test_what_was_promised_to_who_gave_up_is_for_the_next_one():
    """Waits that end at about the moment when the lock is given back leave it usable."""
    lock = ReentrantLock()
    enough = threading.Event()

    def impatient() -> None:
        while not enough.is_set():
            if lock.acquire(timeout=0.0002):
                os.stat(".")
                lock.release()

    threads = [threading.Thread(target=impatient) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            assert lock.acquire(timeout=PATIENCE)
            os.stat(".")
            lock.release()
    finally:
        enough.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert lock.acquire(False)
    lock.release()


def test_a_condition_lets_go_of_all_of_it_and_gets_all_of_it_back():
    lock = ReentrantLock()
    condition = threading.Condition(lock)
    told = threading.Event()

    def tell() -> None:
        with condition:
            told.set()
            condition.notify()

    thread = threading.Thread(target=tell)
    with condition, lock:
        thread.start()
        assert condition.wait_for(told.is_set, PATIENCE)
        lock.release()
        assert is_held_by_caller(lock)
        lock.acquire()
    assert not is_held_by_caller(lock)
    thread.join(PATIENCE)


def test_a_condition_without_the_lock_is_refused():
    with pytest.raises(RuntimeError):
        threading.Condition(ReentrantLock()).notify()


def test_a_signal_handler_runs_in_a_wait_and_what_it_raises_ends_that():
    lock = ReentrantLock()

    class Interruption(Exception):
        pass

    def interrupt(number: int, frame: object) -> None:
        raise Interruption

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with held_elsewhere(lock):
            main = threading.get_ident()
            timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1))
            timer.start()
            with pytest.raises(Interruption):
                lock.acquire(timeout=PATIENCE)
            timer.join(PATIENCE)
            assert not is_held_by_caller(lock)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert lock.acquire(timeout=PATIENCE)
    lock.release()


@compiled_only
@pytest.mark.parametrize("kind", ["as built"], indirect=True)
def test_the_compiled_one_is_used_and_says_who_has_it():
    lock = ReentrantLock()
    assert ReentrantLock is not _thread.RLock
    assert "free" in repr(lock)
    with lock:
        assert f"owner={threading.get_ident()} depth=1" in repr(lock)
