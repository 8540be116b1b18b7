"""Receiver: the thread that asks for a message serves the connection, whoever else does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.builds import reaches_inside
from tieline.engine import driving, receiving
from tieline.engine.handlers import Handlers
from tieline.engine.receiving import CARETAKER, Receiver
from tieline.engine.shared_reactor import Reactor
from tieline.errors import ConnectionClosed, SendBufferFull
from tieline.protocol.state import State
from tieline.protocol.wire import Opcode
from tieline.testing import EchoServer, ScriptedServer

SOON = 20.0

Receivers = Callable[..., Receiver]


def send(receiver: Receiver, text: str) -> None:
    assert receiver.session is not None
    receiver.session.speaker.message(Opcode.TEXT, text.encode())


def test_the_asking_thread_reads(echo: EchoServer, receiver_of: Receivers) -> None:
    """Handlers show which thread does."""
    threads: list[threading.Thread] = []
    handlers = Handlers(on_pong=lambda data: threads.append(threading.current_thread()))
    receiver = receiver_of(echo, handlers)
    assert receiver.session is not None
    send(receiver, "a")
    assert receiver.receive(SOON) == "a"
    receiver.session.sender.ping(b"", None)
    send(receiver, "b")
    assert receiver.receive(SOON) == "b"
    assert threads == [threading.current_thread()]


def test_while_nobody_asks_one_thread_for_all_serves(
    echo: EchoServer, receiver_of: Receivers
) -> None:
    names: list[str] = []
    answered = threading.Semaphore(0)

    def note(data: bytes) -> None:
        names.append(threading.current_thread().name)
        answered.release()

    receivers = [receiver_of(echo, Handlers(on_pong=note)) for _ in range(3)]
    for receiver in receivers:
        assert receiver.reactor is CARETAKER
        assert receiver.session is not None
        receiver.session.speaker.ping(b"")
    for _ in receivers:
        assert answered.acquire(timeout=SOON)
    assert names == ["tieline-caretaker"] * 3


def test_a_reactor_of_the_users_takes_the_caretakers_place(
    echo: EchoServer, receiver_of: Receivers
) -> None:
    reactor = Reactor("mine")
    receiver = receiver_of(echo, reactor=reactor)
    assert receiver.reactor is reactor
    send(receiver, "a")
    assert receiver.receive(SOON) == "a"
    receiver.disconnect(1000, "", None)
    assert reactor.join(SOON)


def test_no_message_in_time(echo: EchoServer, receiver_of: Receivers) -> None:
    receiver = receiver_of(echo)
    for timeout in (0.0, 0.001):
        with pytest.raises(TimeoutError, match="no message within"):
            receiver.receive(timeout)
    send(receiver, "a")
    assert receiver.receive(SOON) == "a"


def test_what_is_here_first_then_the_end(echo: EchoServer, receiver_of: Receivers) -> None:
    receiver = receiver_of(echo)
    send(receiver, "a")
    send(receiver, "b")
    assert receiver.receive(SOON) == "a"
    receiver.disconnect(1000, "", None)
    assert receiver.state is State.CLOSED
    assert receiver.receive(0.0) == "b"
    for timeout in (None, 0.0):
        with pytest.raises(ConnectionClosed) as caught:
            receiver.receive(timeout)
        assert caught.value.close_info is receiver.close_info is not None
        assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_the_cause_of_the_end_is_told(receiver_of: Receivers) -> None:
    with ScriptedServer(lambda peer: (peer.accept_upgrade(), peer.reset())) as server:
        with pytest.raises(ConnectionClosed) as caught:
            receiver_of(server).receive(SOON)
        assert isinstance(caught.value.__cause__, ConnectionResetError)


def test_in_a_handler(echo: EchoServer, receiver_of: Receivers) -> None:
    """Messages that are there may be taken; waiting for others is refused."""
    outcome: list[Any] = []
    connected = threading.Event()

    def handle(data: bytes) -> None:
        assert connected.wait(SOON)
        outcome.append(receiver.in_handler())
        for timeout in (None, 0.0):
            with pytest.raises(RuntimeError, match="in a handler"):
                receiver.receive(timeout)
        with pytest.raises(SendBufferFull):
            while True:
                send(receiver, "x" * 1_000_000)
        receiver.disconnect(1000, "", None)
        outcome.append("returned")

    receiver = receiver_of(echo, Handlers(on_pong=handle))
    connected.set()
    assert receiver.session is not None and not receiver.in_handler()
    receiver.session.sender.ping(b"", None)
    with pytest.raises(ConnectionClosed):
        while True:
            receiver.receive(SOON)
    assert outcome == [True, "returned"]


@pytest.mark.parametrize("interrupted", ["leave", "step", "enter"])
@reaches_inside
def test_ctrl_c_while_leaving(echo: EchoServer, receiver_of: Receivers, interrupted: str) -> None:
    """Nobody is kept out by a thread that has long gone elsewhere."""
    receiver = receiver_of(echo)
    assert receiver.session is not None and receiver.session.driver is not None
    driver = receiver.session.driver
    real = getattr(driver, interrupted)

    def interrupt(*arguments: Any) -> Any:
        setattr(driver, interrupted, real)
        if interrupted == "enter":
            real()
        raise KeyboardInterrupt

    setattr(driver, interrupted, interrupt)
    with pytest.raises(KeyboardInterrupt):
        receiver.receive(0.0)
    assert driver.is_free and not receiver.in_handler()
    send(receiver, "a")
    assert receiver.receive(SOON) == "a"


def test_a_close_on_top_of_a_look_into_the_inbox(echo: EchoServer, receiver_of: Receivers) -> None:
    """A signal handler's: whoever tells of the end needs that lock, so it is not waited for."""
    receiver = receiver_of(echo)
    ended: list[BaseException] = []

    def receive() -> None:
        try:
            receiver.receive(SOON)
        except ConnectionClosed as error:
            ended.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    started = time.monotonic()
    with receiver.inbox.news.lock:
        receiver.disconnect(1000, "", None)
        assert time.monotonic() - started < SOON / 2
    thread.join(SOON)
    assert len(ended) == 1 and receiver.state is State.CLOSED


def test_another_drives_when_one_leaves(
    echo: EchoServer, receiver_of: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Because it is told, not because a wait was over or the reactor has taken over."""
    monkeypatch.setattr(driving, "ADOPTION", 3 * SOON)
    monkeypatch.setattr(receiving, "SLICE", 3 * SOON)
    receiver = receiver_of(echo)
    got: list[Any] = []
    waiting = threading.Barrier(4)
    one_got = threading.Semaphore(0)

    def receive() -> None:
        waiting.wait(SOON)
        got.append(receiver.receive(SOON))
        one_got.release()

    threads = [threading.Thread(target=receive) for _ in range(3)]
    for thread in threads:
        thread.start()
    waiting.wait(SOON)
    for text in "abc":
        send(receiver, text)
        assert one_got.acquire(timeout=SOON / 2)  # and so its thread has left
    for thread in threads:
        thread.join(SOON)
    assert got == ["a", "b", "c"]


def test_another_drives_when_one_gives_up(
    echo: EchoServer, receiver_of: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has brought no message whose coming would wake the others."""
    monkeypatch.setattr(driving, "ADOPTION", 3 * SOON)
    monkeypatch.setattr(receiving, "SLICE", 3 * SOON)
    receiver = receiver_of(echo)
    assert receiver.session is not None and receiver.session.driver is not None
    driver, inbox = receiver.session.driver, receiver.inbox
    got: list[Any] = []
    assert driver.enter()  # this thread is the one that drives
    thread = threading.Thread(target=lambda: got.append(receiver.receive(SOON)))
    thread.start()
    while not inbox.waiters:
        pass
    receiver._stop_driving(driver)
    deadline = time.monotonic() + SOON / 2
    while driver.is_free:
        assert time.monotonic() < deadline
    send(receiver, "a")
    thread.join(SOON)
    assert got == ["a"]


@reaches_inside
def test_no_spinning_between_the_end_and_its_telling(
    echo: EchoServer, receiver_of: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a handler of the end takes its time on the reactor's thread, nobody tries in vain."""
    closing, returned = threading.Event(), threading.Event()
    tries = 0
    receiver = receiver_of(echo)
    assert receiver.session is not None and receiver.session.driver is not None
    real_end, real_enter = receiver.inbox.end, receiver.session.driver.enter

    def slow_end(info: Any) -> None:
        closing.set()
        assert returned.wait(SOON)
        real_end(info)

    def counted() -> bool:
        nonlocal tries
        tries += 1
        return real_enter()

    monkeypatch.setattr(receiver.inbox, "end", slow_end)
    monkeypatch.setattr(receiver.session.driver, "enter", counted)
    errors: list[Exception] = []

    def receive() -> None:
        try:
            receiver.receive(SOON)
        except ConnectionClosed as error:
            errors.append(error)

    thread = threading.Thread(target=receive)
    receiver.session.reactor.call_soon(receiver.session, receiver.session.drop)
    assert closing.wait(SOON)
    thread.start()
    thread.join(0.05)
    returned.set()
    thread.join(SOON)
    assert len(errors) == 1 and tries <= 3


def test_in_a_child_process(echo: EchoServer, receiver_of: Receivers) -> None:
    """What was there can be received; then the connection has ended."""
    receiver = receiver_of(echo)
    send(receiver, "a")
    send(receiver, "b")
    assert receiver.receive(SOON) == "a"
    session = receiver.session
    assert session is not None
    stream = session.stream
    session.serve_soon()
    while receiver.stats().queue_depth < 1:
        pass
    # As in a child: without the reactor's thread, and without a word on the line.
    session.reactor.call_soon(session, lambda: session.reactor.unregister(session))
    while session in session.reactor.registrants():
        pass
    # And another thread holds the lock for ever, which is also the inbox's.
    before = receiver.inbox.news
    holder = threading.Thread(target=receiver.lock.acquire)
    holder.start()
    holder.join()
    receiver.abandon_after_fork()
    assert receiver.inbox.news is receiver.changed is not before
    assert stream.fileno() == -1
    assert receiver.receive(0.0) == "b"
    with pytest.raises(ConnectionClosed, match="fork"):
        receiver.receive(None)
