"""The end of the interpreter and fork(), as far as it can be seen from inside this process."""

from __future__ import annotations

import time
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
