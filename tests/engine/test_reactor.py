"""Reactor: one thread that exists while there is something to serve."""

from __future__ import annotations

import errno
import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.builds import IS_COMPILED
from tests.moments import at_every_moment
from tieline.engine.reactor import OwnReactor
from tieline.engine.receive_buffer import FIRST_SIZE
from tieline.engine.served import LAZINESS
from tieline.engine.shared_reactor import Reactor
from tieline.transport.wakeup import Wakeup

SOON = 20.0


class Served:
    """One end of a socket pair, which notes what the reactor calls."""

    def __init__(self, reactor: Reactor, readable: Callable[[], None] | None = None) -> None:
        self.reactor = reactor
        self.socket, self.far = socket.socketpair()
        self.socket.setblocking(False)
        self.readable = readable or (lambda: None)
        self.registered = threading.Event()
        self.calls: list[str] = []
        self.errors: list[Exception] = []
        self.ended = threading.Event()
        self.is_served = False
        self.served_as = self.watched_for = 0

    def fileno(self) -> int:
        return self.socket.fileno()

    def on_registered(self) -> None:
        assert self.reactor.in_thread()
        self.calls.append("registered")
        self.reactor.watch(self, readable=True, writable=False)
        self.registered.set()

    def on_readable(self, now: float) -> None:
        assert self.reactor.in_thread()
        self.calls.append("readable")
        if not self.socket.recv(100):
            self.end()
        self.readable()

    def on_writable(self) -> None:
        self.calls.append("writable")
        self.reactor.watch(self, readable=True, writable=False)

    def end(self) -> None:
        if not self.ended.is_set():
            self.reactor.unregister(self)
            self.socket.close()
            self.ended.set()

    def slept(self, seconds: float) -> None:
        self.calls.append(f"slept {seconds:.0f} s")

    def abandon_after_fork(self) -> None:
        self.calls.append("abandoned")

    def fail(self, error: Exception) -> None:
        self.errors.append(error)
        self.end()


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def serve(reactor: Reactor) -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def make(*arguments: Any) -> Served:
        made.append(Served(reactor, *arguments))
        return made[-1]

    yield make
    for served in made:
        served.far.close()
        if served.registered.is_set():
            assert served.ended.wait(SOON)
        else:
            served.socket.close()
    assert reactor.join(SOON)


def test_the_thread_is_there_while_something_is_served(serve: Any, reactor: Reactor) -> None:
    before = threading.active_count()
    assert reactor.join()
    first, second = serve(), serve()
    reactor.register(first)
    reactor.register(second)
    assert first.registered.wait(SOON) and second.registered.wait(SOON)
    assert threading.active_count() == before + 1
    assert not reactor.in_thread()
    first.far.close()
    assert first.ended.wait(SOON)
    assert not reactor.join(SOON)
    second.far.close()
    assert second.ended.wait(SOON)
    assert reactor.join(SOON)
    assert threading.active_count() == before
    assert "idle" in repr(reactor)


def test_a_thread_that_was_joined_is_not_kept(serve: Any, reactor: Reactor) -> None:
    served = serve()
    reactor.register(served)
    assert served.registered.wait(SOON)
    thread = weakref.ref(reactor._thread)
    served.far.close()
    assert served.ended.wait(SOON)
    assert reactor.join(SOON)
    assert thread() is None
    assert reactor.join(SOON)


def test_it_may_wait_for_another_one(serve: Any, reactor: Reactor) -> None:
    reactor.linger = 600.0
    threads = set()
    for _ in range(3):
        served = serve(lambda: threads.add(threading.get_ident()))
        reactor.register(served)
        served.far.close()
        assert served.ended.wait(SOON)
    assert len(threads) == 1 and not reactor.join(0.0)
    last = serve()
    reactor.register(last)
    assert last.registered.wait(SOON)
    reactor.linger = 0.0
    last.far.close()


def test_it_does_not_wait_for_ever(serve: Any, reactor: Reactor) -> None:
    reactor.linger = 0.01
    served = serve()
    reactor.register(served)
    served.far.close()
    assert served.ended.wait(SOON)
    assert reactor.join(SOON)


def test_it_starts_again(serve: Any, reactor: Reactor) -> None:
    for _ in range(20):
        served = serve()
        reactor.register(served)
        served.far.close()
        assert served.ended.wait(SOON)
        assert reactor.join(SOON)


def test_calls_come_in_order_and_only_for_those_who_are_served(
    serve: Any, reactor: Reactor
) -> None:
    served, stranger = serve(), serve()
    order: list[int] = []
    done = threading.Event()
    reactor.register(served)
    reactor.call_soon(stranger, done.set)
    for number in range(100):
        reactor.call_soon(served, lambda number=number: order.append(number))
    reactor.call_soon(served, done.set)
    assert done.wait(SOON)
    assert order == list(range(100))
    assert len(reactor.calls) == 0


def test_calls_for_nobody_do_not_pile_up(serve: Any, reactor: Reactor) -> None:
    served = serve()
    for _ in range(100):
        reactor.call_soon(served, lambda: None)
    assert len(reactor.calls) == 0


def test_calls_made_in_calls(serve: Any, reactor: Reactor) -> None:
    """They come, and do not keep the sockets from being read."""
    served = serve()
    read = threading.Event()
    served.readable = read.set
    reactor.register(served)
    assert served.registered.wait(SOON)

    def again() -> None:
        if not read.is_set():
            reactor.call_soon(served, again)

    reactor.call_soon(served, again)
    served.far.send(b"a")
    assert read.wait(SOON)


def test_what_a_call_raises_is_its_owners_failure(serve: Any, reactor: Reactor) -> None:
    served, other = serve(), serve()
    reactor.register(served)
    reactor.register(other)

    def fail() -> None:
        raise ZeroDivisionError

    reactor.call_soon(served, fail)
    assert served.ended.wait(SOON)
    assert [type(error) for error in served.errors] == [ZeroDivisionError]
    done = threading.Event()
    reactor.call_soon(other, done.set)
    assert done.wait(SOON)
    assert other.errors == []


def test_what_a_read_raises_is_its_owners_failure(serve: Any, reactor: Reactor) -> None:
    served = serve()

    def fail() -> None:
        raise ZeroDivisionError

    served.readable = fail
    reactor.register(served)
    served.far.send(b"a")
    assert served.ended.wait(SOON)
    assert [type(error) for error in served.errors] == [ZeroDivisionError]


def test_timers(serve: Any, reactor: Reactor) -> None:
    served = serve()
    order: list[str] = []
    done = threading.Event()
    reactor.register(served)

    def plan() -> None:
        now = reactor.now()
        reactor.call_at(now + 0.02, served, lambda: order.append("second"))
        reactor.call_at(now + 0.01, served, lambda: order.append("first"))
        cancelled = reactor.call_at(now + 0.01, served, lambda: order.append("never"))
        reactor.call_at(now + 0.03, served, done.set)
        reactor.call_at(now + 24 * 24 * 3600, served, lambda: order.append("in 24 days"))
        cancelled.cancel()

    reactor.call_soon(served, plan)
    assert done.wait(SOON)
    assert order == ["first", "second"]


def test_what_has_come_counts_before_what_is_due(serve: Any, reactor: Reactor) -> None:
    """So that a Pong which was there in time is read before its deadline is judged."""
    served = serve()
    order: list[str] = []
    done = threading.Event()
    served.readable = lambda: None if done.is_set() else order.append("read")
    reactor.register(served)

    def hold_up() -> None:
        reactor.call_at(reactor.now() + 0.005, served, lambda: order.append("due"))
        reactor.call_at(reactor.now() + 0.005, served, done.set)
        served.far.send(b"a")
        threading.Event().wait(0.02)

    reactor.call_soon(served, hold_up)
    assert done.wait(SOON)
    assert order == ["read", "due"]


def test_writing(serve: Any, reactor: Reactor) -> None:
    served = serve()
    done = threading.Event()
    reactor.register(served)
    reactor.call_soon(served, lambda: reactor.watch(served, readable=True, writable=True))
    reactor.call_soon(served, lambda: reactor.call_soon(served, done.set))
    assert done.wait(SOON)
    assert served.calls.count("writable") == 1


def test_no_thread_to_be_had(serve: Any, reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call says so, nothing stays open, and the next one may succeed."""
    served = serve()

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            reactor.register(served)
    assert reactor.registrants() == []
    assert reactor.join()
    reactor.register(served)
    assert served.registered.wait(SOON)


@pytest.mark.parametrize("what", ["many", "Wakeup"])
def test_no_descriptor_to_be_had(
    serve: Any, reactor: Reactor, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a half-made start is left: the leak check of the suite looks."""
    served = serve()

    def refuse() -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(f"tieline.engine.reactor.{what}", refuse)
        with pytest.raises(OSError):
            reactor.register(served)
    assert reactor.registrants() == []
    reactor.register(served)
    assert served.registered.wait(SOON)


def test_ctrl_c_during_the_start(
    serve: Any, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread runs already, but has not begun: it finds that it is not wanted."""
    served = serve()
    run, start = reactor._run, threading.Thread.start
    is_told = threading.Event()

    def begin_late(*arguments: Any) -> None:
        assert is_told.wait(SOON)
        run(*arguments)

    monkeypatch.setattr(reactor, "_run", begin_late)

    def interrupted(self: threading.Thread) -> None:
        start(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reactor.register(served)
    assert reactor.registrants() == []
    is_told.set()
    assert reactor.join(SOON)
    assert served.calls == []
    reactor.register(served)
    assert served.registered.wait(SOON)


def test_ctrl_c_when_the_thread_has_begun(
    serve: Any, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves the connection, and whoever was interrupted can find that out."""
    served = serve()
    start = threading.Thread.start

    def interrupted(self: threading.Thread) -> None:
        start(self)
        assert served.registered.wait(SOON)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reactor.register(served)
    assert reactor.registrants() == [served]
    served.far.send(b"x")
    served.far.close()
    assert served.ended.wait(SOON)
    assert served.calls[:2] == ["registered", "readable"]


def test_what_came_during_a_slow_handler_is_read_before_deadlines_are_judged(
    serve: Any, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client must not give its peer up because another one's handler held the thread."""
    time = [0.0]
    monkeypatch.setattr(reactor, "now", lambda: time[0])
    prepared, judged = threading.Event(), threading.Event()
    patient = serve()

    def be_slow() -> None:
        patient.far.send(b"Pong")
        time[0] = 11.0

    def prepare() -> None:
        reactor.call_at(10.0, patient, lambda: (patient.calls.append("timer"), judged.set()))
        prepared.set()

    slow = serve(be_slow)
    reactor.register(patient)
    reactor.register(slow)
    reactor.call_soon(patient, prepare)
    assert slow.registered.wait(SOON) and prepared.wait(SOON)
    slow.far.send(b"x")
    assert judged.wait(SOON)
    assert patient.calls == ["registered", "readable", "timer"]


def test_registering_while_the_thread_is_about_to_end(serve: Any, reactor: Reactor) -> None:
    """Whoever wins, the newcomer is served."""
    for _ in range(50):
        old, new = serve(), serve()
        reactor.register(old)
        old.far.close()
        assert old.ended.wait(SOON)
        reactor.register(new)
        assert new.registered.wait(SOON)
        new.far.close()
        assert new.ended.wait(SOON)


def test_the_buffer_is_there_only_with_the_thread(serve: Any, reactor: Reactor) -> None:
    assert len(reactor.memory.buffer) == 0
    served = serve()
    reactor.register(served)
    assert served.registered.wait(SOON)
    assert len(reactor.memory.buffer) == len(reactor.memory.view) == FIRST_SIZE
    served.far.close()
    assert served.ended.wait(SOON)
    assert reactor.join(SOON)
    assert len(reactor.memory.buffer) == 0


def test_a_clients_own_thread_can_be_woken_when_it_has_waited_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before, it looks by itself; and where no descriptor is left, it goes on with that."""
    reactor = OwnReactor()
    served = Served(reactor)
    refused, may_open = threading.Event(), threading.Event()

    def wakeup() -> Wakeup:
        if not may_open.is_set():
            refused.set()
            raise OSError(24, "Too many open files")
        return Wakeup()

    monkeypatch.setattr("tieline.engine.reactor.Wakeup", wakeup)
    reactor.register(served)
    for event in (refused, may_open):
        called = threading.Event()
        reactor.call_soon(served, called.set)
        assert called.wait(SOON)
        assert reactor._wakeup is None
        assert refused.wait(SOON)
        event.set()
    while reactor._wakeup is None:
        pass
    for _ in range(3):
        called = threading.Event()
        reactor.call_soon(served, called.set)
        assert called.wait(SOON)
    served.far.close()
    assert served.ended.wait(SOON)
    assert reactor.join(SOON)


def test_those_who_are_served_are_told_of_a_sleep(
    serve: Any, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next tick; what one of them raises is its own failure."""
    monkeypatch.setattr(reactor.clocks, "_tick", 0.01)
    slept = [0.0]
    monkeypatch.setattr(reactor.clocks, "_sleepless", lambda: reactor.now() + slept[0])
    first, second, told = serve(), serve(), threading.Event()

    def fail(seconds: float) -> None:
        raise ZeroDivisionError

    first.slept = fail
    second.slept = lambda seconds: (second.calls.append(f"slept {seconds:.0f} s"), told.set())
    for served in (first, second):
        reactor.register(served)
        assert served.registered.wait(SOON)
    slept[0] = 3600.0
    assert told.wait(SOON)
    assert first.ended.wait(SOON) and second.calls == ["registered", "slept 3600 s"]
    second.far.close()


def test_after_a_fork_everybody_is_told(serve: Any, reactor: Reactor) -> None:
    """Called here without a fork: the thread of this process sees that its reactor is gone."""
    served = serve()
    reactor.register(served)
    assert served.registered.wait(SOON)
    thread = reactor._thread
    reactor.call_soon(served, reactor.abandon_after_fork)
    thread.join(SOON)
    assert not thread.is_alive()
    assert served.calls == ["registered", "abandoned"]
    assert reactor.registrants() == []
    assert reactor.join()
    served.socket.close()
    served.ended.set()


@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize("is_first", [False, True])
def test_ctrl_c_during_a_registration(
    reactor: Reactor, serve: Any, lazily: bool, is_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread does not stay for nobody, and who is registered can be called, to be ended."""
    first, served = serve(), serve()
    if not is_first:
        reactor.register(first)
        assert first.registered.wait(SOON)
    add = reactor._add

    def interrupted(registrant: Any) -> None:
        add(registrant)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reactor, "_add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reactor.register(served, lazily=lazily)
    assert reactor.registrants() == ([] if is_first else [first, served])
    if not is_first:
        first.far.close()
        assert first.ended.wait(SOON)
        reactor.call_soon(served, served.end)
        assert served.ended.wait(SOON)
        assert served.registered.is_set()
    assert reactor.join(SOON)


def test_a_signal_handler_on_top_of_a_call(
    serve: Any, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    reactor.register(served)
    assert served.registered.wait(SOON)
    told: list[bool] = []
    with monkeypatch.context() as patch:
        patch.setattr(reactor, "_wake", lambda: told.append(reactor.is_interrupted))
        reactor.call_soon(served, lambda: None)
    assert told == [True] and not reactor.is_interrupted


def test_a_lazy_registration_is_seen_without_being_asked_for(serve: Any, reactor: Reactor) -> None:
    served = serve()
    reactor.register(served, lazily=True)
    assert served.registered.wait(SOON)
    assert not reactor.is_unseen(served)
    assert not reactor.withdraw(served)
    served.far.close()
    assert served.ended.wait(SOON)


def test_lazy_for_a_thread_that_looks_late_is_no_different(serve: Any, reactor: Reactor) -> None:
    first, second = serve(), serve()
    reactor.register(first)
    assert first.registered.wait(SOON)
    reactor.register(second, lazily=True)
    assert second.registered.wait(SOON)
    for served in (first, second):
        served.far.close()
        assert served.ended.wait(SOON)


def test_a_quiet_one_does_not_wake_the_thread(
    serve: Any, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What there is to read does, or the moment that the thread would look in any case."""
    monkeypatch.setattr("tieline.engine.served.LAZINESS", SOON)
    first, quiet, later = serve(), serve(), serve()
    reactor.register(first)
    assert first.registered.wait(SOON)
    with reactor._lock:  # the thread cannot look
        reactor.register(quiet, quietly=True)
        reactor.register(later, quietly=True)
        is_for_all = reactor._descriptors.is_for_all
        assert len(reactor.calls) == (0 if is_for_all else 2)
        assert reactor.is_unseen(quiet)
        assert reactor.withdraw(quiet) is not is_for_all
        if not is_for_all:
            reactor.register(quiet, quietly=True)
        quiet.far.send(b"x")
    read = threading.Event()
    quiet.readable = read.set
    assert later.registered.wait(SOON)
    assert read.wait(SOON)
    assert quiet.calls[:2] == ["registered", "readable"]
    for served in (first, quiet, later):
        served.readable = lambda: None
        served.far.close()
        assert served.ended.wait(SOON)


def test_a_quiet_one_of_a_thread_that_would_not_look_for_long(serve: Any, reactor: Reactor) -> None:
    first, quiet = serve(), serve()
    reactor.register(first)
    assert first.registered.wait(SOON)
    reactor.register(quiet, quietly=True)
    assert quiet.registered.wait(SOON)
    assert 0 < reactor._expects_until <= reactor.now() + LAZINESS  # others may follow
    for served in (first, quiet):
        served.far.close()
        assert served.ended.wait(SOON)


def test_a_quiet_one_that_cannot_be_watched_fails_as_any_other(
    serve: Any, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the thread, where its owner expects it: not in the registration, as if it had not been."""
    first, quiet = serve(), serve()
    reactor.register(first)
    assert first.registered.wait(SOON)

    def refuse(registrant: Any, **wanted: bool) -> None:
        if registrant is quiet and any(wanted.values()):
            raise OSError(errno.ENOSPC, "no more can be watched")

    monkeypatch.setattr(reactor, "watch", refuse)
    reactor.register(quiet, quietly=True)
    assert quiet.ended.wait(SOON)
    assert [error.errno for error in quiet.errors if isinstance(error, OSError)] == [errno.ENOSPC]
    monkeypatch.undo()
    first.far.close()
    assert first.ended.wait(SOON)


def test_who_has_lost_its_number_to_another_one_does_not_watch_that(
    serve: Any, reactor: Reactor
) -> None:
    first, second = serve(), serve()
    reactor.register(first)
    assert first.registered.wait(SOON)
    with reactor._lock:  # the thread does not look
        os.dup2(second.socket.fileno(), first.fileno())  # which closes what had it
        second.socket.close()
        second.socket = socket.socket(fileno=first.socket.detach())
        reactor.register(second, lazily=True)
        reactor.watch(first, readable=True, writable=False)
        assert first.watched_for == 0
    assert second.registered.wait(SOON) and second.errors == []
    assert first.ended.wait(SOON) and len(first.errors) == 1
    second.far.close()
    assert second.ended.wait(SOON)


def test_a_quiet_one_of_a_clients_own_thread() -> None:
    """It waits in a way that no other thread can change, and is woken up."""
    reactor = OwnReactor()
    first, quiet = Served(reactor), Served(reactor)
    for served in (first, quiet):
        reactor.register(served, quietly=True)
        assert served.registered.wait(SOON)
    for served in (first, quiet):
        served.far.close()
        assert served.ended.wait(SOON)
    assert reactor.join(SOON)


def test_withdrawn_before_the_thread_has_looked(serve: Any) -> None:
    lingering = Reactor("lingering", linger=0.2)
    first, second = serve(), serve()
    first.reactor = lingering
    lingering.register(first)
    assert first.registered.wait(SOON)
    with lingering._lock:  # the thread cannot look
        lingering.register(second, lazily=True)
        assert lingering.is_unseen(second) and second in lingering.registrants()
        assert lingering.withdraw(second)
        assert not lingering.is_unseen(second) and second not in lingering.registrants()
    first.far.close()
    assert first.ended.wait(SOON)
    assert lingering.join(SOON)
    assert second.calls == []


def test_what_was_withdrawn_can_be_taken_back(serve: Any, reactor: Reactor) -> None:
    served, called = serve(), threading.Event()
    with reactor._lock:
        reactor.register(served, lazily=True)
        assert reactor.withdraw(served)
        reactor.take_back(served, called.set)
    assert called.wait(SOON)
    assert served.calls == ["registered"]
    served.far.close()
    assert served.ended.wait(SOON)


@pytest.mark.parametrize("linger", [0.0, 0.01])
def test_the_first_one_is_withdrawn_before_the_thread_has_begun(serve: Any, linger: float) -> None:
    """The thread does not stay for nobody."""
    reactor, served = Reactor("fresh", linger=linger), serve()
    for _ in range(20):
        with reactor._lock:  # the thread cannot look
            reactor.register(served, lazily=True)
            assert reactor.withdraw(served)
        assert reactor.join(SOON)
    assert served.calls == []


def test_a_thread_that_is_busy_with_one_hears_of_lazy_ones_too(
    serve: Any, reactor: Reactor
) -> None:
    """The short way reads on until there are calls."""
    begun, heard = threading.Event(), threading.Event()

    def read_on() -> None:
        begun.set()
        while not reactor.calls:
            pass
        heard.set()

    busy, lazy = serve(read_on), serve()
    reactor.register(busy)
    busy.far.send(b"x")
    assert begun.wait(SOON)
    reactor.register(lazy, lazily=True)
    assert heard.wait(SOON) and lazy.registered.wait(SOON)
    for served in (busy, lazy):
        served.readable = lambda: None
        served.far.close()
        assert served.ended.wait(SOON)


@pytest.mark.parametrize("how", ["lazily", "quietly"])
def test_a_thread_that_stays_with_one_does_so_no_longer_than_newcomers_count_on(
    serve: Any, reactor: Reactor, how: str
) -> None:
    """Where many come and go, it would have looked soon, and so nobody has asked it to."""
    begun, registered = threading.Event(), threading.Event()
    is_heard: list[bool] = []

    def stay() -> None:
        until = reactor.wanted_at()
        begun.set()
        assert registered.wait(SOON)
        is_heard.append(bool(reactor.calls) or until <= reactor.now() + LAZINESS)

    busy, passing, newcomer = serve(), serve(), serve()
    reactor.register(busy)
    assert busy.registered.wait(SOON)
    reactor.register(passing)  # others may follow it soon
    passing.far.close()
    assert passing.ended.wait(SOON)
    busy.readable = stay
    busy.far.send(b"x")
    assert begun.wait(SOON)
    reactor.register(newcomer, **{how: True})
    registered.set()
    assert newcomer.registered.wait(SOON)
    assert is_heard == [True]
    for served in (busy, newcomer):
        served.readable = lambda: None
        served.far.close()
        assert served.ended.wait(SOON)


def test_the_thread_is_about_to_wait_at_every_moment_of_withdrawing(serve: Any) -> None:
    """It sees a newcomer, or that there is nobody: it never waits without end for nobody."""
    served = serve()

    def make() -> Reactor:
        reactor = Reactor("withdrawing")
        reactor._thread = threading.current_thread()  # none is started
        reactor.register(served, lazily=True)
        return reactor

    def about_to_wait(reactor: Reactor) -> None:
        pauses.append(reactor._pause())

    pauses: list[float] = []
    for reactor, error in at_every_moment(make, lambda it: it.withdraw(served), about_to_wait):
        assert error is None and reactor.registrants() == []
    assert (pauses and max(pauses) == 0) or (IS_COMPILED and not pauses)
    served.end = lambda: None
    served.socket.close()


def test_who_is_served_is_looked_at_when_the_registration_is_interrupted_at_any_moment(
    serve: Any,
) -> None:
    served = serve()

    def make() -> Reactor:
        reactor = Reactor("registering")
        reactor._thread = threading.current_thread()  # none is started
        return reactor

    interrupted = 0
    for reactor, error in at_every_moment(make, lambda it: it.register(served)):
        interrupted += isinstance(error, KeyboardInterrupt)
        assert reactor.registrants() == ([served] if reactor.is_unseen(served) else [])
    assert interrupted or IS_COMPILED  # where it has no such moment
    served.end = lambda: None
    served.socket.close()
