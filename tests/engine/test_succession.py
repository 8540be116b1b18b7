"""Succession: connections of one line are served one after the other, and so are handlers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from tieline.engine.succession import Succession


class Served:
    """What a session is to its succession."""

    def __init__(self, name: str, bench: Bench) -> None:
        self.name, self._bench = name, bench
        self.has_ended = False
        self.connection_id = 7
        self.connection = SimpleNamespace(outgoing=SimpleNamespace(is_open=True))
        self.pump = self
        self.later: list[Callable[[], None]] = []
        #: What its start raises.
        self.error: BaseException | None = None

    def start(self, response: Any) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        self._bench.note(f"{self.name} started")
        self._bench.served.append(self)

    def drop(self) -> None:
        # Whoever has this session's lock may want the line's.
        assert self._bench.is_free_for_others()
        self._bench.note(f"{self.name} dropped")

    def fail_unserved(self, error: Exception) -> None:
        self._bench.note(f"{self.name}: {error}")
        self._bench.succession.leave(self)  # type: ignore[arg-type]

    def call_soon(self, function: Callable[[], None]) -> None:
        self.later.append(function)

    def abandon_after_fork(self) -> None:
        self._bench.note(f"{self.name} abandoned")


class CountedLock:
    """A lock; when it is let go of for the so-manieth time, somebody else comes in."""

    def __init__(self, number: int, comes: Callable[[], None]) -> None:
        self._lock = threading.RLock()
        self._left, self._comes = number, comes

    @property
    def is_reached(self) -> bool:
        return self._left <= 0

    def __enter__(self) -> None:
        self._lock.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._lock.__exit__(*error)
        self._left -= 1
        if self._left == 0:
            self._comes()


class Bench:
    """The line, and its delivery."""

    def __init__(self) -> None:
        self.lock: Any = threading.RLock()
        self.delivery = self.reactor = self
        self.is_direct = True
        self.callbacks = SimpleNamespace(serves=0)
        self.served: list[Served] = []
        self.is_abandoned = False
        self.session: Any = None
        self.notes: list[str] = []
        self.succession: Any = Succession(self)  # type: ignore[arg-type]

    def registrants(self) -> list[Served]:
        return self.served

    def begin(self) -> None:
        """A connection is about to be served."""

    def discard_rest(self) -> None:
        self.note("the rest is not wanted")

    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        function(*arguments)

    post_always = post

    def note(self, what: str) -> None:
        self.notes.append(what)

    def take(self) -> list[str]:
        notes, self.notes = self.notes, []
        return notes

    def is_free_for_others(self) -> bool:
        free: list[bool] = []

        def look() -> None:
            free.append(self.lock.acquire(blocking=False))
            if free[0]:
                self.lock.release()

        thread = threading.Thread(target=look)
        thread.start()
        thread.join(20.0)
        return free[0]

    def open(self, name: str) -> tuple[Served, Any]:
        """A connection, and the driver that has brought it up."""
        driver, self.session = object(), Served(name, self)
        self.succession.enter(driver)
        with self.lock:
            self.succession.start(self.session, None, driver)
        return self.session, driver


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_first_one_is_served_at_once(bench: Bench) -> None:
    """Its own driver calls no handlers any more."""
    one, driver = bench.open("one")
    assert bench.take() == ["one started"] and bench.succession.served is one
    bench.succession.leave(driver)
    assert bench.take() == []


def test_the_next_ones_wait_for_their_turn(bench: Bench) -> None:
    one, first = bench.open("one")
    two, second = bench.open("two")
    three, third = bench.open("three")
    for driver in (first, second, third):
        bench.succession.leave(driver)
    assert bench.take() == ["one started"] and bench.succession.served is one
    bench.succession.leave(one)
    assert bench.take() == ["two started"] and bench.succession.served is two
    bench.succession.leave(one)  # once more, after Ctrl-C
    assert bench.take() == []
    bench.succession.leave(two)
    assert bench.take() == ["three started"] and bench.succession.served is three


def test_another_driver_may_still_call_handlers(bench: Bench) -> None:
    """A handler of its outage has connected by itself, say."""
    other = object()
    bench.succession.enter(other)
    _, driver = bench.open("one")
    bench.succession.leave(driver)
    assert bench.take() == []
    bench.succession.leave(other)
    assert bench.take() == ["one started"]


def test_somebody_waits_for_the_last_one(bench: Bench) -> None:
    """Those before it end at once, and their handlers are still called in order."""
    bench.open("one")
    bench.succession.hurry()
    assert bench.take() == ["one started"]
    bench.open("two")
    bench.open("three")
    bench.succession.hurry()
    assert bench.take() == ["one dropped", "two dropped"]


def test_no_thread_can_be_had_for_the_next_one(bench: Bench) -> None:
    """It ends, is told of, and those behind it have their turn."""
    one, first = bench.open("one")
    two, second = bench.open("two")
    two.error = RuntimeError("no thread")
    three, third = bench.open("three")
    for driver in (first, second, third):
        bench.succession.leave(driver)
    bench.succession.leave(one)
    assert bench.take() == ["one started", "two: no thread", "three started"]


def test_interrupted_while_it_was_put_in_line(bench: Bench) -> None:
    """It never has its turn."""
    one, first = bench.open("one")
    two, second = bench.open("two")
    bench.succession.not_started(two)
    for each in (first, second, one):
        bench.succession.leave(each)
    assert bench.take() == ["one started"]
    three, third = bench.open("three")
    assert bench.take() == ["three started"]
    bench.succession.not_started(three)
    assert bench.succession.served is None


def test_interrupted_while_it_was_started(bench: Bench) -> None:
    """Whoever settles after Ctrl-C calls again."""
    one, first = bench.open("one")
    two, second = bench.open("two")
    two.error = KeyboardInterrupt()
    bench.succession.leave(first)
    bench.succession.leave(one)
    with pytest.raises(KeyboardInterrupt):
        bench.succession.leave(second)
    bench.succession.leave(second)
    bench.succession.leave(second)
    assert bench.take() == ["one started", "two started"]
    bench.open("three")
    bench.succession.leave(two)
    assert bench.take() == []  # its driver is not done


def test_nobody_holds_the_line_any_more(bench: Bench) -> None:
    bench.is_abandoned = True
    started = Served("one", bench)
    bench.session = started
    bench.succession.start(started, None, object())
    assert bench.take() == ["one started", "one dropped"]


def test_what_a_driver_tells_comes_behind_what_a_connection_tells(bench: Bench) -> None:
    """So that no two handlers run at once."""
    one, first = bench.open("one")
    bench.succession.leave(first)
    driver = object()
    bench.succession.enter(driver)
    bench.succession.tell(bench.note, "beside", driver=driver)
    assert bench.take() == ["one started"]
    (later,) = one.later
    later()
    assert bench.take() == ["beside"]
    bench.succession.leave(one)
    bench.succession.tell(bench.note, "afterwards", driver=driver)
    assert bench.take() == ["afterwards"]


def test_while_the_last_handlers_of_one_that_has_ended_run(bench: Bench) -> None:
    """What the driver of the next one tells waits for them, and comes before its beginning."""
    one, first = bench.open("one")
    bench.succession.leave(first)
    one.has_ended = True
    two = Served("two", bench)
    driver = object()
    bench.succession.enter(driver)
    bench.succession.tell(bench.note, "dialled", driver=driver)
    bench.succession.tell(bench.note, "connected", driver=driver)
    with bench.lock:
        bench.succession.start(two, None, driver)
    bench.succession.leave(driver)
    assert bench.take() == ["one started"]
    bench.succession.leave(one)
    assert bench.take() == ["dialled", "connected", "two started"]


def test_what_is_told_while_a_connection_takes_leave(bench: Bench) -> None:
    """At any moment of that: it is heard at once, not when the next one has ended."""
    for moment in range(1, 6):
        one, first = bench.open("one")
        bench.succession.leave(first)
        one.has_ended = True
        driver: Any = object()
        bench.succession.enter(driver)
        bench.succession.tell(bench.note, "before", driver=driver)
        tell = partial(bench.succession.tell, bench.note, "then", driver=driver)
        bench.lock = lock = CountedLock(moment, tell)
        bench.succession.leave(one)
        if lock.is_reached:
            assert bench.take() == ["one started", "before", "then"]
        bench.lock = threading.RLock()
        bench.succession.leave(driver)
        bench.take()
    assert not lock.is_reached


def test_drivers_that_tell_at_the_same_time(bench: Bench) -> None:
    """One of them calls the handlers of both."""
    first, second = object(), object()
    bench.succession.enter(first)
    bench.succession.enter(second)

    def beside(what: str) -> None:
        bench.note(f"{what} begins")
        bench.succession.tell(bench.note, "of the other", driver=second)
        bench.note(f"{what} ends")

    bench.succession.tell(beside, "a handler", driver=first)
    assert bench.take() == ["a handler begins", "a handler ends", "of the other"]


def test_who_calls_what_another_has_told_is_in_a_handler(bench: Bench) -> None:
    """Also at its end: otherwise it would wait for itself."""
    one, first = bench.open("one")
    bench.succession.leave(first)
    one.has_ended = True
    driver, known = object(), []
    bench.succession.enter(driver)
    bench.succession.tell(
        lambda _: known.append(bench.succession.is_driven_by_caller()), "", driver=driver
    )
    assert not bench.succession.is_driven_by_caller()
    bench.succession.leave(one)
    assert known == [True] and not bench.succession.is_driven_by_caller()


def test_a_lot_is_told(bench: Bench) -> None:
    """Each costs the same, however many wait."""
    one, first = bench.open("one")
    bench.succession.leave(first)
    one.has_ended = True
    driver = object()
    bench.succession.enter(driver)
    for number in range(50_000):
        bench.succession.tell(bench.note, str(number), driver=driver)
    bench.succession.leave(one)
    assert bench.take() == ["one started", *map(str, range(50_000))]


def test_ctrl_c_in_what_a_driver_tells(bench: Bench) -> None:
    """The next one is served all the same, and what is told later is heard."""
    one, first = bench.open("one")
    bench.succession.leave(first)
    one.has_ended = True

    def interrupted(what: str) -> None:
        raise KeyboardInterrupt

    driver = object()
    bench.succession.enter(driver)
    bench.succession.tell(interrupted, "", driver=driver)
    bench.succession.tell(bench.note, "behind it", driver=driver)
    two = Served("two", bench)
    with bench.lock:
        bench.succession.start(two, None, driver)
    bench.succession.leave(driver)
    with pytest.raises(KeyboardInterrupt):
        bench.succession.leave(one)
    assert bench.take() == ["one started", "two started"]
    bench.succession.leave(two)
    assert bench.take() == ["behind it"]


def test_whose_messages_come_now(bench: Bench) -> None:
    bench.open("one")
    assert bench.callbacks.serves == 7


def test_one_that_is_closed_while_it_waits(bench: Bench) -> None:
    """What the one before has left behind must not keep the answer to its Close from being read."""
    one, first = bench.open("one")
    bench.succession.leave(first)
    two, second = bench.open("two")
    bench.succession.leave(second)
    two.connection.outgoing.is_open = False
    bench.succession.leave(one)
    assert bench.take() == ["one started", "the rest is not wanted", "two started"]


def test_where_handlers_have_a_queue_that_is_the_order(bench: Bench) -> None:
    bench.is_direct = False
    one, first = bench.open("one")
    bench.succession.leave(first)
    bench.succession.tell(bench.note, "behind the queue", driver=object())
    assert bench.take() == ["one started", "behind the queue"] and one.later == []


def test_a_fork(bench: Bench) -> None:
    """In the child nobody has a turn: all of them are the parent's."""
    one, first = bench.open("one")
    bench.open("two")
    bench.succession.abandon_after_fork()
    bench.succession.leave(one)
    assert bench.take() == ["one started", "two abandoned"]
