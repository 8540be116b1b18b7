"""The end of the interpreter and fork(), as far as it can be seen from inside this process."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import tieline
from tieline.engine import process
from tieline.testing import EchoServer, Recorder, ScriptedServer


@pytest.fixture(autouse=True)
def the_program_goes_on() -> Iterator[None]:
    yield
    process.is_ending.clear()


def test_at_exit_closes_what_is_open_with_1001(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GOODBYE", 20.0)  # the answer comes, however busy the machine
    with EchoServer() as server:
        client = tieline.WebSocketClient(
            recorder.callback, server.url, proxy=None, **recorder.handlers("close")
        )
        client.connect()
        process._at_exit()
        assert client.close_info is not None and client.close_info.clean
        assert client.close_info.sent == (1001, "")
        assert [record.kind for record in recorder.take()] == ["close", "end"]


@pytest.mark.slow
def test_at_exit_waits_for_all_peers_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GOODBYE", 2.0)

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    with ScriptedServer(script, repeat=True) as server:
        clients = [
            tieline.WebSocketClient(lambda message: None, server.url, proxy=None) for _ in range(5)
        ]
        for client in clients:
            client.connect()
        started = time.monotonic()
        process._at_exit()
        assert 2.0 <= time.monotonic() - started < 9.0  # one after the other: 10 s
        for client in clients:
            assert client.wait(20).sent is not None


def test_a_child_forgets_clients_and_reactors() -> None:
    told: list[str] = []

    class Client:
        def abandon_after_fork(self) -> None:
            told.append("client")

    client = Client()
    process.forkables.add(client)
    # The real ones of other tests are idle, and idle ones do not mind.
    process._after_fork_in_child()
    assert told == ["client"]


class Told:
    def __init__(self, told: list[int] | None = None, number: int = 0) -> None:
        self._told, self._number = told if told is not None else [], number

    def abandon_after_fork(self) -> None:
        self._told.append(self._number)


def test_who_is_gone_is_not_told_of_a_fork() -> None:
    told: list[int] = []
    forkables = process.Forkables()
    kept = [Told(told, number) for number in range(3)]
    for one in kept:
        forkables.add(one)
    gone = Told(told, 9)
    forkables.add(gone)
    del gone
    forkables.abandon_after_fork()
    assert told == [0, 1, 2] and list(forkables) == kept


def test_those_who_are_gone_take_no_room() -> None:
    forkables = process.Forkables()
    kept = []
    for number in range(10_000):
        one = Told(number=number)
        forkables.add(one)
        if number % 100 == 0:
            kept.append(one)
    del one
    assert list(forkables) == kept
    assert len(forkables._references) <= 2 * len(kept) + process._FEW


@pytest.mark.parametrize("count", [1, 1000])
def test_those_who_come_while_others_are_taken_out(count: int) -> None:
    """In a signal handler on top, for example, in which there may be many."""
    forkables = process.Forkables()
    late = [Told() for _ in range(count)]
    waiting = [late]

    class Meanwhile(weakref.ref[Told]):
        def __call__(self) -> Told | None:
            for one in waiting.pop() if waiting else ():
                forkables.add(one)
            return super().__call__()

    first = [Told() for _ in range(process._FEW)]
    for one in first:
        forkables.add(one)
    forkables._references[0] = Meanwhile(first[0])
    last = Told()
    forkables.add(last)
    assert set(forkables) == {*first, *late, last} and not waiting


def test_in_a_child_process_the_lock_is_free() -> None:
    forkables = process.Forkables()
    thread = threading.Thread(target=forkables._lock.acquire)
    thread.start()
    thread.join()
    forkables.abandon_after_fork()
    kept = [Told() for _ in range(process._FEW + 1)]
    for one in kept:
        forkables.add(one)
    assert list(forkables) == kept
