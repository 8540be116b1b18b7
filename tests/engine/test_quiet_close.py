"""Closing without waking up a thread: the end comes all the same, whatever comes in between."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from tests.builds import reaches_inside
from tests.engine.instead import instead
from tests.moments import at_every_moment
from tieline.engine import driving, quiet_close, receiving
from tieline.engine.handlers import Handlers
from tieline.engine.receiving import Receiver
from tieline.engine.shared_reactor import Reactor
from tieline.engine.supervisor import Supervisor
from tieline.errors import ConnectionClosed
from tieline.options import Options
from tieline.protocol.state import State
from tieline.protocol.wire import Opcode
from tieline.testing import EchoServer, Recorder, ScriptedServer
from tieline.transport.wakeup import Wakeup

SOON = 20.0

Receivers = Callable[..., Receiver]


# --- a connection that the reactor's thread has not looked at yet ---------------------------------


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set the caretaker does not look at what is registered."""
    may_look = threading.Event()

    class Late(Reactor):
        def _see(self) -> None:
            if may_look.is_set():
                super()._see()

    caretaker = receiving.CARETAKER
    late = Late(caretaker.name, linger=caretaker.linger)
    monkeypatch.setattr(receiving, "CARETAKER", late)
    yield may_look
    may_look.set()


def test_closed_without_a_hand_over(
    echo: EchoServer, receiver_of: Receivers, looks: threading.Event
) -> None:
    receiver = receiver_of(echo)
    session = receiver.session
    assert session is not None and receiving.CARETAKER.is_unseen(session)
    receiver.disconnect(1000, "", None)
    assert session.finished.is_set() and session.fileno() == -1
    assert not receiving.CARETAKER.is_unseen(session)
    assert session not in receiving.CARETAKER.registrants()
    assert receiver.close_info is not None and receiver.close_info.clean
    assert not receiver.in_handler() and receiver.state is State.CLOSED


@pytest.mark.parametrize("briefly", [SOON, 0.0])
def test_nobody_need_wake_it_up_for_an_answer_that_is_soon_here(
    receiver_of: Receivers,
    looks: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    briefly: float,
) -> None:
    """Only who waits for longer has a descriptor to be woken up by."""
    is_brief = briefly > 0 and hasattr(select, "poll")
    made: list[Wakeup] = []
    waits = threading.Event()
    if is_brief:
        waits.set()

    def wakeup() -> Wakeup:
        made.append(Wakeup())
        waits.set()
        return made[-1]

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1000)
        assert waits.wait(SOON)
        peer.send_close(1000)

    with ScriptedServer(script) as server:
        receiver = receiver_of(server)
        monkeypatch.setattr(driving, "Wakeup", wakeup)
        monkeypatch.setattr(quiet_close, "BRIEFLY", briefly)
        monkeypatch.setattr(quiet_close, "LAZINESS", SOON)
        receiver.disconnect(1000, "", None)
    assert receiver.close_info is not None and receiver.close_info.clean
    assert len(made) == (0 if is_brief else 1)


def test_handlers_are_for_the_background_thread(
    echo: EchoServer, receiver_of: Receivers, looks: threading.Event
) -> None:
    threads: list[threading.Thread] = []
    receiver = receiver_of(
        echo, Handlers(on_close=lambda info: threads.append(threading.current_thread()))
    )
    looking = threading.Timer(0.02, looks.set)
    looking.start()
    receiver.disconnect(1000, "", None)
    looking.join()
    assert [thread.name for thread in threads] == ["tieline-caretaker"]


def test_a_peer_that_does_not_answer_is_left_to_the_caretaker(
    receiver_of: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet_close, "LAZINESS", 0.01)
    release = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        release.wait(SOON)

    with ScriptedServer(script) as server:
        receiver = receiver_of(server, close_timeout=0.05)
        receiver.disconnect(1000, "", None)
        release.set()
    assert receiver.session is not None and receiver.session.finished.is_set()
    assert receiver.close_info is not None and not receiver.close_info.clean


def instead_of_waiting(patch: pytest.MonkeyPatch, function: Callable[[], Any]) -> None:
    """The Close was sent, and the clock is looked at for how long its answer may take."""
    looks = count()

    def monotonic() -> float:
        if next(looks) == 1:
            function()
        return time.monotonic()

    patch.setattr(quiet_close, "time", SimpleNamespace(monotonic=monotonic))


@pytest.mark.parametrize(
    "point",
    [
        "the wait",
        pytest.param("let_go", marks=reaches_inside),
        pytest.param("_finished", marks=reaches_inside),
    ],
)
def test_ctrl_c_while_closing_without_a_hand_over(
    echo: EchoServer,
    receiver_of: Receivers,
    monkeypatch: pytest.MonkeyPatch,
    looks: threading.Event,
    point: str,
) -> None:
    """Nothing is left behind, although it was the interrupted thread's business."""
    receiver = receiver_of(echo)
    session = receiver.session
    assert session is not None and receiving.CARETAKER.is_unseen(session)
    real = None if point == "the wait" else getattr(session, point)

    def interrupt(*arguments: Any) -> None:
        if real is not None:
            instead(monkeypatch, session, point, real)
            real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if real is None:
            instead_of_waiting(patch, interrupt)
        else:
            instead(monkeypatch, session, point, interrupt)
        with pytest.raises(KeyboardInterrupt):
            receiver.disconnect(1000, "", None)
    looks.set()
    receiver.disconnect(1000, "", None)
    assert session.finished.wait(SOON)
    deadline = time.monotonic() + SOON
    while session in receiving.CARETAKER.registrants():
        assert time.monotonic() < deadline
    assert session.fileno() == -1 and receiver.state is State.CLOSED


def silent(peer: Any) -> None:
    """Answers nothing after the upgrade, not even Close."""
    peer.accept_upgrade()
    peer.hold()


def test_ctrl_c_when_the_thread_has_looked_meanwhile(
    receiver_of: Receivers, monkeypatch: pytest.MonkeyPatch, looks: threading.Event
) -> None:
    """The deadline is watched, although the thread left that to the one that was closing."""

    with ScriptedServer(silent) as server:
        receiver = receiver_of(server, close_timeout=0.05)
        session = receiver.session
        assert session is not None

        def interrupt() -> None:
            looks.set()
            while receiving.CARETAKER.is_unseen(session):
                pass
            # Behind what it was asked to do when it looked.
            done = threading.Event()
            receiving.CARETAKER.call_soon(session, done.set)
            assert done.wait(SOON)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            instead_of_waiting(patch, interrupt)
            with pytest.raises(KeyboardInterrupt):
                receiver.disconnect(1000, "", None)
        assert session.finished.wait(SOON)
    assert receiver.close_info is not None and not receiver.close_info.clean


@pytest.fixture
def lingering() -> Iterator[Reactor]:
    """A reactor whose thread waits for the next connection, as the caretaker's does."""
    reactor = Reactor("lingering", linger=0.25)
    yield reactor
    reactor.linger = 0.0
    assert reactor.join(SOON)


@pytest.mark.slow
@pytest.mark.parametrize("answers", [True, False])
def test_ctrl_c_at_every_moment_of_closing(
    receiver_of: Receivers, lingering: Reactor, answers: bool
) -> None:
    """Either it is as open as before, or it comes to its end without anybody's doing."""
    with EchoServer() if answers else ScriptedServer(silent, repeat=True) as server:
        kinds: set[str] = set()

        def connect() -> Receiver:
            receiver = receiver_of(server, reactor=lingering, close_timeout=0.01)
            assert receiver.session is not None and receiver.session.driver is not None
            # What Ctrl-C meets on the way from the system call cannot be helped.
            receiver.session.driver._open()
            return receiver

        for receiver, error in at_every_moment(
            connect,
            lambda it: it.disconnect(1000, "", None),
            step=7,
        ):
            session = receiver.session
            assert session is not None and isinstance(error, KeyboardInterrupt | None)
            if session.connection.state is State.OPEN:
                kinds.add("open")
                receiver.disconnect(1000, "", None)
            kinds.add("closing")
            assert session.finished.wait(SOON)
            while session in lingering.registrants():  # its thread is about to let it go
                pass
            assert session.fileno() == -1 and receiver.state is State.CLOSED
            assert receiver.close_info is not None and receiver.close_info.code in (1000, 1006)
        assert kinds == {"open", "closing"} or kinds == {"closing"}


@pytest.mark.parametrize("asks", ["before", "meanwhile"])
def test_a_thread_that_receives_while_another_closes(
    receiver_of: Receivers, looks: threading.Event, asks: str
) -> None:
    """It gets the last message, and then the end."""
    got: list[object] = []
    asked = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1000)
        assert asked.wait(SOON)
        peer.send_text("last")
        peer.send_close(1000)

    with ScriptedServer(script) as server:
        receiver = receiver_of(server)

        def ask() -> None:
            asked.set()
            for _ in range(2):
                try:
                    got.append(receiver.receive(SOON))
                except ConnectionClosed as error:
                    got.append(error)

        threads = [
            threading.Thread(target=ask),
            threading.Thread(target=receiver.disconnect, args=(1000, "", None)),
        ]
        for thread in threads if asks == "before" else reversed(threads):
            thread.start()
            if asks == "before":
                assert asked.wait(SOON)
        for thread in threads:
            thread.join(SOON)
            assert not thread.is_alive()
    assert got[0] == "last" and isinstance(got[1], ConnectionClosed)
    assert receiver.close_info is not None and receiver.close_info.clean


def test_nothing_is_sent_behind_the_close(receiver_of: Receivers, looks: threading.Event) -> None:
    refused: list[Exception] = []
    closing, tried = threading.Event(), threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1000)
        closing.set()
        assert tried.wait(SOON)
        peer.send_close(1000)

    with ScriptedServer(script) as server:
        receiver = receiver_of(server)
        session = receiver.session
        assert session is not None

        def send() -> None:
            assert closing.wait(SOON)
            assert receiver.state is State.CLOSING
            try:
                session.speaker.message(Opcode.TEXT, b"late")
            except ConnectionClosed as error:
                refused.append(error)
            tried.set()

        thread = threading.Thread(target=send)
        thread.start()
        receiver.disconnect(1000, "", None)
        thread.join(SOON)
    assert len(refused) == 1 and receiver.state is State.CLOSED


def test_many_threads_close(echo: EchoServer, receiver_of: Receivers, lingering: Reactor) -> None:
    for _ in range(20):
        receiver = receiver_of(echo, reactor=lingering)
        together = threading.Barrier(4)

        def close(receiver: Receiver = receiver, together: threading.Barrier = together) -> None:
            together.wait(SOON)
            receiver.disconnect(1000, "", None)

        threads = [threading.Thread(target=close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SOON)
            assert not thread.is_alive()
        assert receiver.state is State.CLOSED and receiver.close_info is not None
        assert receiver.close_info.clean


# --- the only connection of a reactor -------------------------------------------------------------


@pytest.fixture
def alone(recorder: Recorder) -> Iterator[Callable[..., Supervisor]]:
    """One whose reactor serves nobody else."""
    made: list[Supervisor] = []

    def make(url: str, **options: Any) -> Supervisor:
        checked = Options.build(url, {"proxy": None} | options)
        handlers = Handlers(callback=recorder.callback, **recorder.handlers("open", "close"))
        made.append(Supervisor(checked, handlers, Reactor(), owns_reactor=True))
        made[-1].connect((), SOON, {})
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.disconnect(1001, "", 0.2)


def test_the_peers_close_wakes_the_thread(
    alone: Any, echo: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody else has to."""
    supervisor = alone(echo.url)
    recorder.expect("open", timeout=SOON)
    reactor, wakes = supervisor.reactor, []
    monkeypatch.setattr(Wakeup, "set", lambda self: wakes.append(threading.current_thread()))
    supervisor.disconnect(1000, "", None)
    assert wakes == [] and reactor.join(0)
    assert supervisor.state is State.CLOSED
    recorder.expect("close", timeout=0)


def test_no_answer_to_a_quiet_close(
    alone: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline is the thread's business, as ever."""
    monkeypatch.setattr(quiet_close, "PATIENCE", 0.01)
    release = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        release.wait(SOON)

    with ScriptedServer(script) as server:
        supervisor = alone(server.url, close_timeout=0.05)
        supervisor.disconnect(1000, "", None)
        release.set()
    assert supervisor.session.finished.is_set() and not supervisor.close_info.clean


def test_ctrl_c_during_a_quiet_close(
    alone: Any, echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = alone(echo.url)

    def interrupt(*arguments: Any, **named: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(supervisor.reactor, "join", interrupt)
        with pytest.raises(KeyboardInterrupt):
            supervisor.disconnect(1000, "", None)
    assert supervisor.session.finished.wait(SOON)
    assert supervisor.reactor.join(SOON)
