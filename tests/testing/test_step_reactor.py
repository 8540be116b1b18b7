"""Nothing happens by itself; steps do what is due, in a reactor's order."""

from __future__ import annotations

import threading

import pytest

from tieline.testing import ManualClock, StepReactor, memory_streams, open_client
from tieline.transport.stream import SocketStream


class Connection:
    """Registers with the reactor and writes down what it is called with."""

    def __init__(self, reactor, stream, log):
        self.reactor, self.stream, self.log = reactor, stream, log

    def fileno(self):
        return self.stream.fileno()

    def on_registered(self):
        self.log.append("registered")
        self.reactor.watch(self, readable=True, writable=False)

    def on_readable(self, now):
        count = self.stream.receive_into(self.reactor.memory.view)
        self.log.append(("read", bytes(self.reactor.memory.buffer[:count])))
        if not count:
            self.reactor.unregister(self)

    def on_writable(self):
        self.log.append("writable")
        self.reactor.watch(self, readable=True, writable=False)

    def fail(self, error):
        self.log.append(error)

    def abandon_after_fork(self):
        self.log.append("abandoned")


@pytest.fixture
def setup():
    reactor = StepReactor(ManualClock(100))
    near, far = memory_streams(4)
    log = []
    connection = Connection(reactor, near, log)
    reactor.register(connection)
    return reactor, connection, far, log


def test_nothing_happens_by_itself(setup):
    reactor, _, far, log = setup
    far.write(b"x")
    assert log == []
    assert reactor.step()
    assert log == ["registered"]
    assert reactor.step()
    assert log == ["registered", ("read", b"x")]
    assert not reactor.step()


def test_the_end_of_a_stream_is_readable(setup):
    reactor, connection, far, log = setup
    assert not reactor.join()
    far.close()
    reactor.run_until_idle()
    assert log[-1] == ("read", b"")
    assert reactor.registrants() == []
    assert reactor.join()


def test_writable_is_when_there_is_room(setup):
    reactor, connection, far, log = setup
    reactor.run_until_idle()
    connection.stream.send(b"abcd")
    reactor.watch(connection, readable=False, writable=True)
    assert not reactor.step()
    far.read()
    assert reactor.step()
    assert log[-1] == "writable"


def test_what_is_not_watched_waits(setup):
    reactor, connection, far, log = setup
    reactor.run_until_idle()
    reactor.watch(connection, readable=False, writable=False)
    far.write(b"x")
    reactor.run_until_idle()
    assert log == ["registered"]


def test_reads_come_before_timers_and_timers_before_calls(setup):
    reactor, connection, far, log = setup
    reactor.run_until_idle()
    reactor.call_soon(connection, lambda: log.append("call"))
    reactor.call_at(reactor.now(), connection, lambda: log.append("timer"))
    far.write(b"x")
    reactor.step()
    assert log == ["registered", ("read", b"x"), "timer", "call"]


def test_a_call_made_during_a_step_is_for_the_next(setup):
    reactor, connection, _, log = setup
    reactor.run_until_idle()
    reactor.call_soon(
        connection, lambda: reactor.call_soon(connection, lambda: log.append("later"))
    )
    reactor.step()
    assert "later" not in log
    reactor.step()
    assert "later" in log


def test_advance_fires_timers_in_order_each_at_its_time(setup):
    reactor, connection, _, log = setup
    for when in (130, 110, 120):
        reactor.call_at(when, connection, lambda: log.append(reactor.now()))
    reactor.call_at(
        115,
        connection,
        lambda: reactor.call_at(117, connection, lambda: log.append(("chained", reactor.now()))),
    )
    reactor.advance(29.5)
    assert log == ["registered", 110, ("chained", 117), 120]
    assert reactor.now() == 129.5
    assert reactor.next_deadline() == 130
    reactor.advance(0.5)
    assert log[-1] == 130
    assert reactor.next_deadline() is None


def test_a_cancelled_timer_is_silent(setup):
    reactor, connection, _, log = setup
    reactor.call_at(101, connection, lambda: log.append("timer")).cancel()
    reactor.advance(10)
    assert log == ["registered"]


def test_who_is_unregistered_is_not_called(setup):
    reactor, connection, _, log = setup
    reactor.run_until_idle()
    reactor.call_soon(connection, lambda: log.append("call"))
    reactor.call_at(101, connection, lambda: log.append("timer"))
    reactor.unregister(connection)
    reactor.watch(connection, readable=True, writable=True)
    reactor.advance(5)
    assert log == ["registered"]


@pytest.mark.parametrize("where", ["read", "call", "timer"])
def test_what_a_callback_raises_goes_to_fail(setup, where):
    reactor, connection, far, log = setup
    reactor.run_until_idle()
    error = ValueError(where)

    def broken(*arguments):
        raise error

    if where == "read":
        connection.on_readable = lambda now: (connection.stream.read(), broken())
        far.write(b"x")
    elif where == "call":
        reactor.call_soon(connection, broken)
    else:
        reactor.call_at(reactor.now(), connection, broken)
    reactor.run_until_idle()
    assert log[-1] is error


def test_run_until(setup):
    reactor, _, far, log = setup
    far.write(b"x")
    reactor.run_until(lambda: ("read", b"x") in log)
    with pytest.raises(AssertionError, match="no timer is set"):
        reactor.run_until(lambda: False)
    reactor.call_at(200, reactor.registrants()[0], lambda: None)
    with pytest.raises(AssertionError, match="next timer is at 200 s"):
        reactor.run_until(lambda: False)


def test_what_never_comes_to_rest_is_reported(setup):
    reactor, connection, _, _ = setup

    def again():
        reactor.call_soon(connection, again)

    again()
    with pytest.raises(AssertionError, match="after 50 steps"):
        reactor.run_until_idle(steps=50)
    with pytest.raises(AssertionError, match="after 50 steps"):
        reactor.run_until(lambda: False, steps=50)


def test_no_step_inside_of_a_step(setup):
    reactor, connection, _, log = setup
    reactor.call_soon(connection, reactor.step)
    reactor.run_until_idle()
    assert isinstance(log[-1], RuntimeError)
    assert not reactor.is_stepping


def test_only_its_own_thread_is_the_connection_s(setup):
    reactor = setup[0]
    answers = []
    thread = threading.Thread(target=lambda: answers.append(reactor.in_thread()))
    thread.start()
    thread.join(5)
    assert answers == [False]
    assert reactor.in_thread()


def test_only_memory_streams_are_served():
    import socket

    near, far = socket.socketpair()
    with near, far:
        reactor = StepReactor()
        with pytest.raises(TypeError, match="SocketStream"):
            reactor.register(Connection(reactor, SocketStream(near), []))


def test_after_fork_everything_is_let_go(setup):
    reactor, _, _, log = setup
    reactor.abandon_after_fork()
    assert log == ["abandoned"]
    assert not reactor.step()


def test_after_a_sleep_peers_are_asked_at_once():
    client, peer = open_client(lambda message: None, ping_interval=20, ping_timeout=5)
    peer.reactor.advance(1)
    assert client.stats().pings_sent == 0
    peer.reactor.suspend(3600)
    assert client.stats().pings_sent == 1
    peer.reactor.advance(10)
    assert client.is_open()
    peer.go_silent()
    peer.reactor.suspend(3600)
    peer.reactor.advance(5)
    assert not client.is_open()
    assert "the machine was asleep" in str(client.close_info.error)
