"""Prompter: what waits too long is written, for as long as anything does, and no longer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tieline
from tests.fronts import PATIENCE
from tieline.engine.process import forkables
from tieline.engine.prompting import PROMPTER, Prompter
from tieline.engine.shared_reactor import Reactor
from tieline.engine.writer import AT_ONCE
from tieline.testing import ScriptedPeer, ScriptedServer


class Writer:
    """Wants to be looked at so many times."""

    def __init__(self, looks: int) -> None:
        self.left = looks
        self.looks = 0
        self.done = threading.Event()
        self.error: Exception | None = None

    def write_overdue(self) -> bool:
        if self.error is not None:
            raise self.error
        self.looks += 1
        if self.looks < self.left:
            return True
        self.done.set()
        return False


@pytest.fixture
def reactor() -> Reactor:
    return Reactor("prompter under test")


@pytest.fixture
def prompter(reactor: Reactor) -> Prompter:
    return Prompter(reactor)


def test_it_looks_until_there_is_no_need_and_ends(reactor: Reactor, prompter: Prompter) -> None:
    for count in (1, 3):
        writers = [Writer(count), Writer(1)]
        for writer in writers:
            assert prompter.watch_over(writer)
            assert prompter.watch_over(writer)
        for writer in writers:
            assert writer.done.wait(PATIENCE)
        assert reactor.join(PATIENCE, serves=True)
        assert [writer.looks for writer in writers] == [count, 1]


def test_one_that_asks_again_during_the_look_is_looked_at_again(
    reactor: Reactor, prompter: Prompter
) -> None:
    class Again(Writer):
        def write_overdue(self) -> bool:
            if self.looks == 0:
                prompter.watch_over(self)
            return super().write_overdue() and False

    writer = Again(2)
    prompter.watch_over(writer)
    assert writer.done.wait(PATIENCE)
    assert reactor.join(PATIENCE, serves=True)
    assert writer.looks == 2


def test_one_that_fails_takes_no_other_along(
    reactor: Reactor, prompter: Prompter, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Writer(1), Writer(5)
    bad.error = LookupError("no such thing")
    with caplog.at_level(logging.ERROR, "tieline"):
        prompter.watch_over(good)
        prompter.watch_over(bad)
        assert good.done.wait(PATIENCE)
        assert reactor.join(PATIENCE, serves=True)
    assert good.looks == 5
    (record,) = caplog.records
    assert record.exc_info is not None and record.exc_info[1] is bad.error


def test_where_no_thread_can_be_had(
    reactor: Reactor, prompter: Prompter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*arguments: Any) -> None:
        raise RuntimeError("can't start new thread")

    writer = Writer(1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert not prompter.watch_over(writer)
    assert prompter.watch_over(writer)
    assert writer.done.wait(PATIENCE)
    assert reactor.join(PATIENCE, serves=True)


def test_its_lock_is_free_while_its_thread_starts(
    reactor: Reactor, prompter: Prompter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others would wait with the locks of their connections held; and a fork may come."""
    register, other = reactor.register, Writer(1)

    def register_slowly(registrant: Any) -> None:
        beside = threading.Thread(target=prompter.watch_over, args=(other,))
        beside.start()
        beside.join(PATIENCE)
        assert not beside.is_alive()
        register(registrant)

    monkeypatch.setattr(reactor, "register", register_slowly)
    writer = Writer(1)
    assert prompter.watch_over(writer)
    assert writer.done.wait(PATIENCE) and other.done.wait(PATIENCE)
    assert reactor.join(PATIENCE, serves=True)


def test_ctrl_c_while_its_thread_starts_leaves_one_that_can_be_asked_again(
    reactor: Reactor, prompter: Prompter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(registrant: Any) -> None:
        raise KeyboardInterrupt

    writer = Writer(1)
    with monkeypatch.context() as patch:
        patch.setattr(reactor, "register", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prompter.watch_over(writer)
    assert prompter.watch_over(writer)
    assert writer.done.wait(PATIENCE)
    assert reactor.join(PATIENCE, serves=True)


def test_the_process_s_one_is_told_of_a_fork() -> None:
    assert PROMPTER in forkables


def test_a_child_process_begins_anew(reactor: Reactor, prompter: Prompter) -> None:
    writer = Writer(1)
    prompter._writers.add(writer)
    prompter._is_served = True  # by the parent's thread
    prompter.abandon_after_fork()
    other = Writer(1)
    assert prompter.watch_over(other)
    assert other.done.wait(PATIENCE)
    assert reactor.join(PATIENCE, serves=True)
    assert writer.looks == 0


# --- seen from outside ----------------------------------------------------------------------------


@pytest.fixture
def scripted() -> Iterator[Callable[[Any], ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(script: Any) -> ScriptedServer:
        servers.append(ScriptedServer(script, timeout=PATIENCE))
        return servers[-1].__enter__()

    yield start
    for each in servers:
        each.__exit__(None, None, None)


@pytest.mark.parametrize("run", [1, 2, 20])
@pytest.mark.parametrize("sends", [1, 2, AT_ONCE, AT_ONCE + 1, 10 * AT_ONCE])
def test_a_handler_may_wait_for_the_answer_to_what_it_has_sent(
    scripted: Any, run: int, sends: int
) -> None:
    """One that comes on another way: through another connection, say."""
    arrived = threading.Semaphore(0)

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.socket.sendall(b"\x81\x01a" * run)
        for number in range(run * sends):
            assert peer.receive_frame().payload == b"%d" % number
            arrived.release()
        peer.finish()

    numbers = iter(range(run * sends))
    got: list[bool] = []

    def on_message(message: Any) -> None:
        for _ in range(sends):
            client.send(f"{next(numbers)}")
        got.append(all([arrived.acquire(timeout=PATIENCE) for _ in range(sends)]))

    client = tieline.WebSocketClient(
        on_message=on_message, url=scripted(script).url, proxy=None, compression=None
    )
    with client:
        client.wait(PATIENCE)
    assert got == [True] * run


@pytest.mark.parametrize("run", [1, 30])
def test_what_other_threads_send_meanwhile_keeps_its_order(scripted: Any, run: int) -> None:
    """It is not held up by the handler, and takes along what the handler has gathered."""
    sends = 50
    total = run * sends + sends
    came: list[bytes] = []

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.socket.sendall(b"\x81\x01a" * run)
        came.extend(peer.receive_frame().payload for _ in range(total))
        peer.finish()

    begun = threading.Event()
    numbers = iter(range(run * sends))

    def on_message(message: Any) -> None:
        for _ in range(sends):
            client.send(f"handler {next(numbers)}")
        begun.set()

    def others() -> None:
        assert begun.wait(PATIENCE)
        for number in range(sends):
            client.send(f"other {number}")

    client = tieline.WebSocketClient(
        on_message=on_message, url=scripted(script).url, proxy=None, compression=None
    )
    other = threading.Thread(target=others)
    other.start()
    with client:
        client.wait(PATIENCE)
        other.join(PATIENCE)
    for name, count in ((b"handler", run * sends), (b"other", sends)):
        assert [int(each.split()[1]) for each in came if each.startswith(name)] == list(
            range(count)
        )
