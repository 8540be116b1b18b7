"""Deadlines, phases, timings, and cancelling from anywhere."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import threading

import pytest

from tieline.errors import ConnectCancelled, ConnectTimeout
from tieline.transport import attempt as attempt_module
from tieline.transport.attempt import Attempt


class ManualClock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        yield near, far


@pytest.fixture(params=["poll", "select"], autouse=True)
def selector(request, monkeypatch):
    if request.param == "select":
        monkeypatch.delattr(select, "poll", raising=False)


# Time


def test_remaining(make_attempt, clock):
    attempt = make_attempt(3, clock=clock)
    clock.now += 1
    assert attempt.remaining() == 2
    assert make_attempt(None, clock=clock).remaining() is None


def test_deadline_names_what_ran_out(make_attempt, clock):
    attempt = make_attempt(2.5, clock=clock)
    attempt.destination = "example.com:443"
    clock.now += 2.5
    with pytest.raises(ConnectTimeout) as caught:
        with attempt.in_phase("proxy", "asking the proxy"):
            attempt.remaining()
    assert caught.value.phase == "proxy"
    assert isinstance(caught.value, TimeoutError)
    text = str(caught.value)
    for part in ("example.com:443", "connect_timeout of 2.5 s", "'proxy'", "asking the proxy"):
        assert part in text


def test_timings_add_up(make_attempt, clock):
    attempt = make_attempt(None, clock=clock)
    clock.now += 1
    with attempt.in_phase("tcp", "connecting"):
        clock.now += 2
    clock.now += 4
    with attempt.in_phase("tcp", "connecting again"):
        clock.now += 8
    attempt.close()
    clock.now += 16
    attempt.close()
    assert attempt.timings == {"tcp": 10, "total": 15}


def test_nested_phases_are_not_counted_twice(make_attempt, clock):
    attempt = make_attempt(None, clock=clock)
    with attempt.in_phase("proxy", "reaching the proxy"):
        clock.now += 1
        with attempt.in_phase("tls", "securing the proxy"):
            clock.now += 2
            assert attempt.phase == "tls"
        assert attempt.phase == "proxy"
        clock.now += 4
    assert attempt.timings == {"proxy": 5, "tls": 2}


def test_a_failed_phase_is_counted_and_remembered(make_attempt, clock):
    attempt = make_attempt(None, clock=clock)
    with pytest.raises(KeyError), attempt.in_phase("tls", "securing"):
        clock.now += 3
        raise KeyError
    assert attempt.timings == {"tls": 3}
    assert attempt.phase == "tls"


# Waiting


def test_wait_for_reading_and_writing(attempt, pair):
    near, far = pair
    assert attempt.wait(near.fileno(), writable=True)
    far.send(b"x")
    assert attempt.wait(near.fileno(), readable=True)


def test_wait_ends_at_until(attempt, pair):
    until = attempt.clock() + 0.01
    assert not attempt.wait(pair[0].fileno(), readable=True, until=until)
    assert attempt.clock() >= until
    assert not attempt.wait(None, until=attempt.clock() - 1)


def test_wait_ends_at_the_deadline(make_attempt, pair):
    attempt = make_attempt(0.02)
    for _ in range(2):
        with pytest.raises(ConnectTimeout):
            attempt.wait(pair[0].fileno(), readable=True)
    with pytest.raises(ConnectTimeout):
        attempt.wait(None)


def test_an_until_after_the_deadline_does_not_extend_it(make_attempt, pair):
    attempt = make_attempt(0.02)
    with pytest.raises(ConnectTimeout):
        attempt.wait(pair[0].fileno(), readable=True, until=attempt.clock() + 60)


def test_a_ready_socket_does_not_outrun_the_deadline(make_attempt, clock, pair):
    attempt = make_attempt(1, clock=clock)
    assert attempt.wait(pair[0].fileno(), writable=True)
    clock.now += 1
    with pytest.raises(ConnectTimeout):
        attempt.wait(pair[0].fileno(), writable=True)


def test_a_timeout_of_years(make_attempt, pair):
    attempt = make_attempt(1e9)  # in milliseconds more than poll() can take
    pair[1].send(b"x")
    assert attempt.wait(pair[0].fileno(), readable=True)


def test_wait_for_several(attempt, pair):
    near, far = pair
    assert attempt.wait_any_writable([near.fileno()]) == [near.fileno()]
    ready = attempt.wait_any_writable([near.fileno(), far.fileno()])
    assert sorted(ready) == sorted([near.fileno(), far.fileno()])
    fill(near)
    assert attempt.wait_any_writable([near.fileno()], until=attempt.clock() + 0.01) == []


def fill(full):
    try:
        while True:
            full.send(b"x" * 65536)
    except BlockingIOError:
        pass


@pytest.mark.parametrize("selector", ["poll"], indirect=True)  # select() cannot
def test_descriptors_above_1023(attempt, pair):
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < 1100:
        pytest.skip("the system does not allow that many")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit, 1100), most))
    try:
        with socket.socket(fileno=duplicate_above(pair[0].fileno(), 1024)) as high:
            assert high.fileno() >= 1024
            assert attempt.wait(high.fileno(), writable=True)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))


def duplicate_above(descriptor, least):
    fcntl = pytest.importorskip("fcntl")
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)


# Waking and cancelling


def test_wake_ends_a_wait_for_nothing_else(attempt, pair):
    attempt.wake()
    attempt.wake()
    assert attempt.wait(None)
    assert not attempt.wait(None, until=attempt.clock() + 0.005)


def test_wake_does_not_end_a_wait_for_a_socket(attempt, pair):
    attempt.wake()
    assert not attempt.wait(pair[0].fileno(), readable=True, until=attempt.clock() + 0.005)


def test_cancel_before_any_wait(attempt, pair):
    attempt.destination = "example.com:443"
    attempt.cancel()
    attempt.cancel()
    assert attempt.cancelled
    for _ in range(2):
        with pytest.raises(ConnectCancelled, match=r"example.com:443 was cancelled in phase 'dns'"):
            attempt.wait(pair[0].fileno(), writable=True)
    with pytest.raises(ConnectCancelled):
        attempt.check()


@pytest.mark.parametrize("wakeup", ["eventfd", "socketpair"])
def test_cancel_from_another_thread(make_attempt, pair, monkeypatch, wakeup):
    if wakeup == "socketpair":
        monkeypatch.delattr("os.eventfd", raising=False)
    attempt = make_attempt(None)
    waiting = threading.Event()
    opened = attempt._open_wakeup()
    fileno = opened.fileno

    def noted():
        waiting.set()
        return fileno()

    monkeypatch.setattr(opened, "fileno", noted)
    canceller = threading.Thread(target=lambda: waiting.wait(10) and attempt.cancel())
    canceller.start()
    with pytest.raises(ConnectCancelled):
        attempt.wait(pair[0].fileno(), readable=True)
    canceller.join(10)


def test_cancel_at_any_moment_of_the_first_wait(make_attempt, pair):
    for _ in range(20):
        attempt = make_attempt(None)
        canceller = threading.Thread(target=attempt.cancel)
        canceller.start()
        with pytest.raises(ConnectCancelled):
            attempt.wait(pair[0].fileno(), readable=True)
        canceller.join(10)


def test_what_is_ready_goes_before_a_wake(make_attempt, pair):
    attempt = make_attempt(10)
    attempt.wake()
    assert attempt.wait_any_writable([pair[0].fileno()]) == [pair[0].fileno()]
    assert attempt.wait(None)


def test_the_text_of_a_timeout_is_made_when_it_is_needed(make_attempt, pair):
    attempt = make_attempt(0.01)
    with attempt.in_phase("tcp", ("looking at ", 5, " things")):
        with pytest.raises(ConnectTimeout, match="in phase 'tcp' while looking at 5 things"):
            attempt.wait(pair[0].fileno(), readable=True)


def test_a_wake_before_the_first_wait_is_not_lost(make_attempt):
    attempt = make_attempt(10)
    attempt.wake()
    assert attempt.wait(None)


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="counts descriptors by its number")
def test_no_descriptor_is_made_before_there_is_something_to_wait_for(make_attempt, pair):
    free = os.dup(0)
    os.close(free)
    attempt = make_attempt(10)
    assert attempt.wait_any_writable([pair[0].fileno()]) == [pair[0].fileno()]
    again = os.dup(0)
    os.close(again)
    assert again == free


def test_cancel_waits_for_nobody_below_a_signal_handler(make_attempt, pair, monkeypatch):
    # The handler waits for a line's lock, which whoever cancels the dial holds.
    attempt = make_attempt(20)
    came_back = []

    class Interrupted(attempt_module.Wakeup):
        def __init__(self):
            super().__init__()
            other = threading.Thread(target=attempt.cancel, daemon=True)
            other.start()
            other.join(10)
            came_back.append(not other.is_alive())

    monkeypatch.setattr(attempt_module, "Wakeup", Interrupted)
    with pytest.raises(ConnectCancelled):
        attempt.wait(pair[0].fileno(), readable=True)
    assert came_back == [True]


def test_cancel_while_closing(make_attempt):
    for _ in range(50):
        attempt = make_attempt(1)
        threads = [threading.Thread(target=attempt.cancel) for _ in range(2)]
        threads.append(threading.Thread(target=attempt.close))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        attempt.cancel()
        attempt.wake()


def test_cancel_in_a_signal_handler_on_top_of_close(make_attempt, monkeypatch):
    attempt = make_attempt(1)
    opened = attempt._open_wakeup()
    close = opened.close

    def interrupted():
        signal.raise_signal(signal.SIGUSR1)
        close()

    monkeypatch.setattr(opened, "close", interrupted)
    before = signal.signal(signal.SIGUSR1, lambda *_: attempt.cancel())
    try:
        attempt.close()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert attempt.cancelled


def test_a_closed_attempt_cannot_wait(make_attempt):
    attempt = make_attempt(1)
    attempt.close()
    with pytest.raises(RuntimeError):
        attempt.wait(None)


def test_context_manager_closes():
    with Attempt(1) as attempt:
        pass
    assert "total" in attempt.timings


# Events


def test_events_reach_their_receiver(make_attempt):
    events = []
    attempt = make_attempt(1, on_event=lambda kind, data: events.append((kind, data)))
    attempt.emit("resolve", host="h")
    assert events == [("resolve", {"host": "h"})]
    make_attempt(1).emit("resolve", host="h")


def test_longest_poll_fits_a_c_int():
    assert attempt_module._LONGEST_POLL * 1000 < 2**31
