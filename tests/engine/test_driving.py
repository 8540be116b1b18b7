"""Driver: one thread at a time serves the connection, and the reactor while none does."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.builds import reaches_inside
from tests.engine.instead import instead
from tieline.engine import driving
from tieline.engine.driving import ADOPTION
from tieline.errors import ConnectionClosed
from tieline.events import FrameSentEvent
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode, Opcode
from tieline.testing import Recorder

Lines = Callable[..., Any]
SOON = 20.0


@pytest.fixture
def driven(line_of: Lines) -> Any:
    """A session that threads may drive; its descriptor is always readable."""
    return line_of(drivable=True)


def unread(line: Any, *messages: str) -> None:
    """The server sends them, and nobody reads them yet."""
    for message in messages:
        line.server.outgoing.message(Opcode.TEXT, message.encode())
    line.flush_server()


def inbox(line: Any) -> list[Any]:
    return [line.delivery.take() for _ in range(len(line.delivery))]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_it_begins_driven_and_is_adopted_soon(driven: Any) -> None:
    unread(driven, "a")
    driven.run()
    assert driven.session.driver.is_driven and inbox(driven) == []
    driven.reactor.advance(2 * ADOPTION)
    assert not driven.session.driver.is_driven and inbox(driven) == ["a"]


def test_a_thread_that_drives_reads(driven: Any) -> None:
    unread(driven, "a", "b")
    assert driven.drive()
    assert inbox(driven) == ["a", "b"]


def test_one_thread_at_a_time(driven: Any) -> None:
    driver = driven.session.driver
    assert driver.is_free and not driver.is_mine
    assert driver.enter()
    assert driver.is_mine and not driver.is_free
    assert driven.in_another_thread(lambda: (driver.enter(), driver.leave(), driver.is_mine)) == (
        False,
        False,
        False,
    )
    assert driver.leave()
    assert not driver.leave()
    assert driven.in_another_thread(lambda: (driver.enter(), driver.leave())) == (True, True)


def test_taken_over_after_the_adoption_and_adopted_again(driven: Any) -> None:
    driven.reactor.advance(2 * ADOPTION)
    driver = driven.session.driver
    driver.enter()
    driven.run()
    unread(driven, "a")
    driven.reactor.advance(10)
    assert driver.is_driven and inbox(driven) == []  # however long it only waits
    driver.step(0)
    assert inbox(driven) == ["a"]
    driver.leave()
    unread(driven, "b")
    driven.run()
    assert inbox(driven) == []
    driven.reactor.advance(2 * ADOPTION)
    assert inbox(driven) == ["b"]


def test_a_thread_that_comes_back_in_time_keeps_it(driven: Any) -> None:
    for _ in range(20):
        driven.drive()
        driven.reactor.advance(ADOPTION * 0.9)
        assert driven.session.driver.is_driven
    driven.reactor.advance(2 * ADOPTION)
    assert not driven.session.driver.is_driven


def test_given_back(driven: Any) -> None:
    """Somebody waits for the peer's answer: at once, or when the thread leaves."""
    driver = driven.session.driver
    driver.give_back()
    driven.run()
    assert not driver.is_driven
    driver.enter()
    driven.run()
    driver.give_back()
    driven.run()
    assert driver.is_driven
    driver.leave()
    driven.run()
    assert not driver.is_driven


@reaches_inside
def test_the_adoption_and_a_thread_that_comes_at_the_same_moment(
    driven: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is first: the reactor does not watch what a thread drives."""
    driver = driven.session.driver
    resume = driven.session.resume

    def comes_first() -> None:
        instead(monkeypatch, driven.session, "resume", resume)
        driven.in_another_thread(driver.enter)
        resume()

    instead(monkeypatch, driven.session, "resume", comes_first)
    driver.give_back()
    unread(driven, "a")
    driven.run()
    assert driver.is_driven
    assert inbox(driven) == []
    driver.thread = None  # the other thread has gone for good
    driven.reactor.advance(3 * ADOPTION)
    assert inbox(driven) == ["a"]


@reaches_inside
def test_the_descriptor_is_not_waited_for_when_something_is_inside(driven: Any) -> None:
    """TLS has decrypted more than was asked for."""
    unread(driven, "hidden")
    driven.near.has_buffered_input = True
    driver = driven.session.driver
    assert driver.enter()
    driver._wait = None  # it would fail
    driver.step(SOON)
    driver.leave()
    driven.near.has_buffered_input = False
    assert inbox(driven) == ["hidden"]


def test_what_is_inside_is_read_when_the_thread_has_left(driven: Any) -> None:
    """No byte comes any more that would make the descriptor readable."""
    driven.drive()
    unread(driven, "hidden")
    driven.near.has_buffered_input = True
    driven.reactor.watch = lambda *_, **__: None
    driven.reactor.advance(3 * ADOPTION)
    driven.near.has_buffered_input = False
    assert inbox(driven) == ["hidden"]


@pytest.fixture
def quiet(driven: Any) -> Any:
    """A driver whose descriptor never becomes readable."""
    near, far = socket.socketpair()
    driven.near.fileno = near.fileno
    yield driven
    driven.close()
    near.close()
    far.close()


def in_step(line: Any, timeout: float = 2 * SOON) -> tuple[threading.Thread, list[Any]]:
    """A thread that drives and has begun to wait."""
    left: list[Any] = []
    entered = threading.Event()
    driver = line.session.driver

    def drive() -> None:
        assert driver.enter()
        entered.set()
        driver.step(timeout)
        left.append(driver.leave())

    thread = threading.Thread(target=drive)
    thread.start()
    assert entered.wait(SOON)
    return thread, left


def test_a_step_is_bounded(quiet: Any) -> None:
    assert quiet.drive(0.0)
    assert quiet.drive(0.001)


@reaches_inside
def test_woken_by_another_thread(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "SLICE", 3 * SOON)
    thread, left = in_step(quiet)
    driver = quiet.session.driver
    driver.wake()
    thread.join(SOON)
    assert left == [True]
    assert driver._wait(0) == []  # or every later wait would be over at once
    quiet.session.driver.wake()  # nobody is there, and nobody will be woken by it later
    thread, left = in_step(quiet, 0.02)
    thread.join(SOON)
    assert left == [True]


def test_woken_by_what_the_reactor_delivers(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer reads what has come, for example."""
    monkeypatch.setattr(driving, "SLICE", 3 * SOON)
    thread, left = in_step(quiet)
    unread(quiet, "a")
    quiet.session.pump.read(quiet.reactor.now(), quiet.reactor.memory)
    thread.join(SOON)
    assert left == [True] and inbox(quiet) == ["a"]


@pytest.mark.parametrize("end", ["drop", "fail", "deadline"])
def test_woken_by_the_end(quiet: Any, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setattr(driving, "SLICE", 3 * SOON)
    before = descriptors()
    thread, left = in_step(quiet)
    if end == "deadline":
        quiet.session.close(1000, "")
        quiet.reactor.advance(11)
    else:
        {"drop": quiet.session.drop, "fail": lambda: quiet.session.fail(OSError("gone"))}[end]()
    quiet.run()
    thread.join(SOON)
    assert left == [True] and quiet.session.finished.is_set()
    assert descriptors() == before
    assert not quiet.session.driver.enter()


def test_no_descriptor_while_the_reactor_serves(driven: Any) -> None:
    before = descriptors()
    driven.drive()
    assert descriptors() == before + 1
    driven.reactor.advance(3 * ADOPTION)
    assert descriptors() == before
    unread(driven, "a")
    assert driven.drive()
    assert inbox(driven) == ["a"]


@reaches_inside
def test_ctrl_c_while_it_waits_changes_nothing(driven: Any) -> None:
    driver = driven.session.driver

    def interrupted(timeout: int) -> None:
        driver._wait = wait
        raise KeyboardInterrupt

    driver.enter()
    driver.leave()
    wait, driver._wait = driver._wait, interrupted
    with pytest.raises(KeyboardInterrupt):
        driven.drive()
    assert driver.is_free and driven.session.is_open
    unread(driven, "a")
    driven.drive()
    assert inbox(driven) == ["a"]


def test_ctrl_c_in_a_read_ends_the_connection(driven: Any, recorder: Recorder) -> None:
    """Nobody knows what was read and not yet kept."""
    receive = driven.near.receive_into

    def interrupted(buffer: memoryview) -> int | None:
        receive(buffer)
        raise KeyboardInterrupt

    driven.near.receive_into = interrupted
    unread(driven, "a")
    with pytest.raises(KeyboardInterrupt):
        driven.drive()
    driven.near.receive_into = receive
    assert not driven.session.is_open
    driven.run()
    driven.server_gets()
    driven.far.shutdown_write()
    driven.reactor.advance(3 * ADOPTION)
    assert driven.session.finished.is_set()
    info = driven.session.connection.close_info
    assert info.sent.code == CloseCode.GOING_AWAY and "interrupted" in str(info.error)


@pytest.mark.parametrize(
    "where",
    [
        "telling",
        pytest.param("giving back", marks=reaches_inside),
        pytest.param("finishing", marks=reaches_inside),
        pytest.param("handlers", marks=reaches_inside),
        pytest.param("before telling", marks=reaches_inside),
    ],
)
def test_ctrl_c_anywhere_in_the_end_keeps_nobody_waiting(
    driven: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The session still comes to its end, once, on the reactor's thread."""
    session = driven.session
    monkeypatch.setattr(driven.reactor, "in_thread", lambda: False)
    pressed: list[str] = []

    def interrupt(owner: Any, name: str, before: bool) -> None:
        real = getattr(owner, name)

        def interrupted(*arguments: Any) -> Any:
            instead(monkeypatch, owner, name, real)
            pressed.append(name)
            if not before:
                real(*arguments)
            raise KeyboardInterrupt

        instead(monkeypatch, owner, name, interrupted)

    {
        "telling": lambda: interrupt(driven, "on_ended", before=False),
        "giving back": lambda: interrupt(session, "give_back", before=True),
        "finishing": lambda: interrupt(session, "finish", before=True),
        "handlers": lambda: interrupt(session.speaker, "ended", before=True),
        "before telling": lambda: interrupt(session, "_tell_end", before=True),
    }[where]()
    driven.far.close()
    with pytest.raises(KeyboardInterrupt):
        driven.drive()
    monkeypatch.undo()
    assert len(pressed) == 1
    driven.run()
    assert session.finished.is_set() and driven.delivery.has_ended
    assert not session.pump.is_taken
    assert session.connection.state is State.CLOSED
    del driven.ended[1:]  # told twice when it was interrupted in the middle


def test_a_handler_may_receive_on_another_connection(
    line_of: Lines, recorder: Recorder, driven: Any
) -> None:
    """Its bytes must not come into the buffer whose end the first one has not reached yet."""
    other = line_of(drivable=True)
    unread(other, *["x" * 50] * 20)
    recorder.react("ping", lambda data: other.drive())
    driven.server.outgoing.ping(b"", 0.0)
    unread(driven, *[str(number) * 10 for number in range(10)])
    driven.drive()
    assert inbox(driven) == [str(number) * 10 for number in range(10)]
    assert inbox(other) == ["x" * 50] * 20


def test_a_slow_handler_on_the_driving_thread_is_not_the_peers_silence(
    line_of: Lines, recorder: Recorder
) -> None:
    """The Pong may have come, and nobody could read it."""
    line = line_of(drivable=True, ping_interval=10, ping_timeout=10)
    returned = threading.Event()
    inside = threading.Event()

    def slow(data: bytes) -> None:
        inside.set()
        assert returned.wait(SOON)

    recorder.react("ping", slow)
    line.server.outgoing.ping(b"", 0.0)
    line.flush_server()
    thread = threading.Thread(target=line.drive)
    thread.start()
    assert inside.wait(SOON)
    line.reactor.advance(300)
    assert line.session.is_open
    returned.set()
    thread.join(SOON)
    line.reactor.advance(30)
    assert line.session.has_ended  # the server has not answered since


def test_the_end_of_a_broken_stream_waits_for_the_thread_that_delivers(
    line_of: Lines, recorder: Recorder
) -> None:
    """What the peer had sent before is not lost because a handler of the driver is slow."""
    line = line_of(drivable=True)

    def broken(data: Any) -> int:
        raise ConnectionResetError("reset")

    def while_driving(data: bytes) -> None:
        unread(line, "last")
        line.near.send = broken
        line.session.speaker.message(Opcode.TEXT, b"x")
        line.in_another_thread(line.reactor.step)
        line.in_another_thread(line.reactor.step)
        assert not line.session.has_ended

    recorder.react("ping", while_driving)
    line.server.outgoing.ping(b"", 0.0)
    line.flush_server()
    line.in_another_thread(line.drive)
    line.reactor.advance(1)
    assert line.session.has_ended and inbox(line) == ["last"]


def test_events_of_other_threads_wait_for_the_handler_on_the_driving_thread(
    line_of: Lines, recorder: Recorder
) -> None:
    """Never two handlers at once: what another thread sends is told behind the one that runs."""
    line = line_of(drivable=True, kinds=("ping", "event"), frame_events=True)
    recorder.take()

    def during(data: bytes) -> None:
        line.in_another_thread(lambda: line.session.speaker.message(Opcode.TEXT, b"x"))
        line.in_another_thread(line.reactor.step)
        assert [record.kind for record in recorder.take()][-1] == "ping"

    recorder.react("ping", during)
    line.server.outgoing.ping(b"", 0.0)
    line.flush_server()
    line.drive()
    sent = [r.value for r in recorder.take() if isinstance(r.value, FrameSentEvent)]
    assert [event.frame.payload for event in sent] == [b"x", b""]  # the Pong is told last
    assert recorder.overlaps == []


@reaches_inside
def test_in_a_child_process(driven: Any) -> None:
    before = descriptors()
    driver = driven.session.driver
    driven.in_another_thread(lambda: (driver.enter(), driven.session.lock.acquire()))
    driven.session.abandon_after_fork()
    assert descriptors() == before
    assert not driver.enter() and not driver.leave()


def test_writing_goes_on_while_a_thread_drives(line_of: Lines) -> None:
    line = line_of(drivable=True, capacity=100)
    line.session.driver.enter()
    line.session.speaker.message(Opcode.BINARY, bytes(1000))
    line.run()
    received = 0
    while received < 1000:
        events = line.server_gets()
        received += sum(len(event) for event in events if isinstance(event, bytes))
        line.run()
    line.session.driver.leave()


def test_without_poll(driven: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has none."""
    monkeypatch.delattr("select.poll")
    unread(driven, "a")
    assert driven.drive()
    assert inbox(driven) == ["a"]


def test_a_signal_handler_on_top_of_the_beginning(
    driven: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the lock that the reactor needs to serve: its close must not wait for the end."""
    session, wakeup = driven.session, driving.Wakeup
    waiter = session.speaker.ping(b"")
    told: list[Any] = []
    monkeypatch.setattr(driven.reactor, "in_thread", lambda: False)

    def with_signal() -> Any:
        told.append(session.is_interrupted)
        with pytest.raises(RuntimeError, match="handler"):
            waiter.wait(0)
        session.close(CloseCode.NORMAL_CLOSURE, "")
        told.append(session.connection.state)
        return wakeup()

    monkeypatch.setattr(driving, "Wakeup", with_signal)
    assert driven.drive()
    monkeypatch.undo()
    assert told == [True, State.OPEN] and not session.is_interrupted
    driven.run()
    assert session.connection.state is State.CLOSING


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("flush", marks=reaches_inside),
        pytest.param("drop", marks=reaches_inside),
        pytest.param("ended", marks=reaches_inside),
        "tell",
        "post",
    ],
)
def test_ctrl_c_in_the_end_on_a_driving_thread_keeps_nothing_from_being_told(
    driven: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Who waits for a Pong is given up, and each handler is called once."""
    session = driven.session
    waiter = session.speaker.ping(b"")
    monkeypatch.setattr(driven.reactor, "in_thread", lambda: False)
    driven.far.close()

    def interrupt(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def interrupted(*arguments: Any, **named: Any) -> Any:
            if name == "flush" and session.connection.state is not State.CLOSED:
                return real(*arguments, **named)
            instead(monkeypatch, owner, name, real)
            raise KeyboardInterrupt

        instead(monkeypatch, owner, name, interrupted)

    dispatcher = session.speaker
    interrupt(
        *{
            "flush": (session.sender, "flush"),
            "drop": (session.sender, "clear"),
            "ended": (dispatcher, "give_up"),
            "tell": (waiter, "settled"),
            "post": (driven.delivery, "post"),
        }[where]
    )
    with pytest.raises(KeyboardInterrupt):
        driven.drive()
    monkeypatch.undo()
    driven.run()
    assert session.finished.is_set() and session.has_ended
    with pytest.raises(ConnectionClosed):
        waiter.wait(0)
    assert [record.kind for record in recorder.take()] == ["open", "error", "close", "end"]
