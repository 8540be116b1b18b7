"""Many clients on one thread → each with its own life."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import tieline
from tieline.testing import Recorder

SOON = 20.0


def test_fifty_clients(echo_place: Any) -> None:
    reactor = tieline.Reactor("shared")
    recorders = [Recorder() for _ in range(50)]
    clients = [
        echo_place.client(recorder.callback, reactor=reactor, **recorder.handlers("open", "close"))
        for recorder in recorders
    ]
    before = threading.active_count()
    for client in clients:
        client.connect()
    assert threading.active_count() <= before + 1
    for number, client in enumerate(clients):
        client.send(f"to {number}")
    for number, recorder in enumerate(recorders):
        recorder.expect("open", timeout=SOON)
        recorder.expect("message", f"to {number}", timeout=SOON)
    for client in clients:
        client.disconnect()
    for recorder in recorders:
        recorder.expect("close")
        recorder.expect("end")
        recorder.assert_exhausted()
        assert {thread.name for thread in recorder.threads} == {"shared"}
    assert reactor.join(SOON)


def test_one_clients_end_in_anothers_handler(echo: Any, recorder: Recorder, clients: Any) -> None:
    reactor = tieline.Reactor()
    first = clients(lambda message: None, echo.url, reactor=reactor)

    def leave(message: Any) -> None:
        first.disconnect(4000)
        assert not first.is_open()
        first.connect()
        first.disconnect(4001)

    recorder.react("message", leave)
    second = clients(recorder.callback, echo.url, reactor=reactor)
    first.connect()
    second.connect()
    second.send("a")
    recorder.expect("message", "a", timeout=SOON)
    assert first.wait(SOON).sent.code == 4001
    assert second.is_open()
    assert second.wait_for(lambda message: True, SOON, send="c") == "c"


def test_waiting_in_a_handler_is_refused_for_every_client_of_the_thread(
    echo: Any, clients: Any
) -> None:
    """Because the thread that would have to go on is the one that waits."""
    reactor = tieline.Reactor()
    done = threading.Event()
    other = clients(lambda message: None, echo.url, reactor=reactor)

    def handle(message: Any) -> None:
        if message is None:
            return
        for wait in (
            lambda: other.ping().wait(1),
            lambda: other.wait(1),
            lambda: other.wait_for(bool, 1),
        ):
            with pytest.raises(RuntimeError, match="in a handler"):
                wait()
        done.set()

    client = clients(handle, echo.url, reactor=reactor)
    other.connect()
    client.connect()
    client.send("a")
    assert done.wait(SOON)


def test_a_full_client_does_not_hold_up_the_others(echo_place: Any) -> None:
    """One that gets large messages all the time leaves the others their turn."""
    reactor = tieline.Reactor()
    big = bytes(4 << 20)
    rounds = threading.Event()
    count = 0

    def again(message: Any) -> None:
        nonlocal count
        if message is not None:
            count += 1
            rounds.set()
            if not stop.is_set():
                busy.send(message)

    stop = threading.Event()
    busy = echo_place.client(again, reactor=reactor, write_limit=16 << 20)
    quiet = echo_place.client(lambda message: None, reactor=reactor)
    busy.connect()
    quiet.connect()
    busy.send(big)
    for _ in range(5):
        assert quiet.ping().wait(SOON) < SOON
    stop.set()
    busy.disconnect()
    quiet.disconnect()
