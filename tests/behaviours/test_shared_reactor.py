"""Many clients on one thread → each with its own life."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import pytest

import tieline
from tieline.testing import Recorder, ScriptedPeer

SOON = 20.0
#: Bytes that are read at once at most.
MOST_AT_ONCE = 2 << 20


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


def test_a_flooded_client_does_not_hold_up_the_others(scripted: Any, clients: Any) -> None:
    """Between two looks at the others, one gets what one read brings and no more."""
    reactor = tieline.Reactor()
    size = 1024
    is_quiet, go_on, arrived = threading.Event(), threading.Event(), threading.Event()
    before_the_other: list[int] = []
    count = 0

    def flood(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        frames = (b"\x82\x7e" + size.to_bytes(2) + bytes(size)) * 64
        peer.socket.setblocking(True)
        with suppress(OSError):
            while True:
                peer.socket.sendall(frames)

    def say_one_word(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        assert is_quiet.wait(SOON)
        peer.send_text("a word")
        go_on.set()
        peer.finish()

    def take_flood(message: bytes) -> None:
        nonlocal count
        if not arrived.is_set():
            count += 1
        if count == 5000 and not is_quiet.is_set():
            is_quiet.set()
            assert go_on.wait(SOON)

    def take_word(message: str) -> None:
        before_the_other.append(count - 5000)
        arrived.set()

    other = clients(on_message=take_word, url=scripted(say_one_word).url, reactor=reactor)
    flooded = clients(on_message=take_flood, url=scripted(flood).url, reactor=reactor)
    other.connect()
    flooded.connect()
    assert arrived.wait(SOON)
    flooded.disconnect(timeout=0)  # the server will not answer
    assert before_the_other[0] <= 2 * MOST_AT_ONCE // size


def test_a_descriptor_that_was_closed_elsewhere_and_given_away(
    echo: Any, recorder: Recorder, clients: Any
) -> None:
    """The connection that had it ends, and leaves it to the one that has it now."""
    reactor = tieline.Reactor()
    got: SimpleQueue[Any] = SimpleQueue()
    first = clients(got.put, echo.url, reactor=reactor)
    first.connect()
    first.send("a")
    assert got.get(timeout=SOON) == "a"  # the thread has looked at it, and waits for its peer
    descriptor = first._line.session.fileno()
    address = urlsplit(echo.url)
    with socket.create_connection((address.hostname, address.port)) as connected:
        os.dup2(connected.fileno(), descriptor)  # which closes what had it
    second = clients(
        recorder.callback, echo.url, reactor=reactor, sock=socket.socket(fileno=descriptor)
    )
    second.connect()
    assert got.get(timeout=SOON) is None
    assert "closed by somebody else" in str(first.wait(SOON).error)
    second.send("a")
    recorder.expect("message", "a", timeout=SOON)
    second.disconnect()
    assert second.close_info is not None and second.close_info.clean
