"""Ctrl-C at every moment of connecting → a line that is open and served, or closed for good."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.moments import at_every_moment
from tieline.engine.handlers import Handlers
from tieline.engine.shared_reactor import Reactor
from tieline.engine.supervisor import Supervisor
from tieline.errors import ConnectionClosed
from tieline.options import Options
from tieline.protocol.state import State
from tieline.reconnect import Reconnect
from tieline.testing import EchoServer

pytestmark = [
    pytest.mark.slow,
    # What Ctrl-C has kept from being put anywhere is closed by the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SOON = 20.0

_DESCRIPTORS = "/proc/self/fd"

#: Seconds: the waits of the tests, long enough to tell "for ever" from "at once".
REST = 5.0

#: Gives up after two dials, at once.
ONCE = {"initial": 0.001, "max_attempts": 1}


def _event_descriptors() -> set[int]:
    found = set()
    for number in os.listdir(_DESCRIPTORS) if os.path.isdir(_DESCRIPTORS) else ():
        with suppress(FileNotFoundError):  # the listing's own
            if "eventfd" in os.readlink(f"{_DESCRIPTORS}/{number}"):
                found.add(int(number))
    return found


@pytest.fixture(autouse=True)
def fresh_descriptors() -> Iterator[None]:
    """Those that Ctrl-C has met between the system call and the object that would close them."""
    before, threads = _event_descriptors(), set(threading.enumerate())
    yield
    deadline, pause = time.monotonic() + REST, threading.Event()
    while set(threading.enumerate()) - threads and time.monotonic() < deadline:
        pause.wait(0.001)  # they may use some
    for number in _event_descriptors() - before:
        os.close(number)


@pytest.fixture
def refused() -> Iterator[str]:
    """A URL where nobody listens, and nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"ws://127.0.0.1:{taken.getsockname()[1]}/"


def supervisor(url: Any, **policy: Any) -> Supervisor:
    options = Options.build(
        url, {"proxy": None, "close_timeout": 1.0, "reconnect": Reconnect(**(ONCE | policy))}
    )
    return Supervisor(options, Handlers(on_message=print), Reactor())


def connect(line: Supervisor) -> None:
    line.connect((), SOON, {})


def comes_to_rest(line: Supervisor) -> State:
    """Open and served, or closed, and nobody waits for ever."""
    deadline, pause = time.monotonic() + REST, threading.Event()
    while True:
        while (state := line.state) not in (State.OPEN, State.CLOSED):
            assert time.monotonic() < deadline, f"{state} for ever"
            pause.wait(0.001)
        session = line.session
        if state is State.CLOSED:
            try:
                line.wait(REST)
            except ConnectionClosed:
                assert session is None
            return state
        assert session is not None
        try:
            session.speaker.ping(b"").wait(REST)
            return state
        except ConnectionClosed:
            continue  # it was about to end


def test_of_a_connect_that_fails(refused: str) -> None:
    def make() -> Supervisor:
        return supervisor(refused, initial_connect=True)

    for line, error in at_every_moment(make, connect, step=3):
        assert type(error) is KeyboardInterrupt
        assert line.state is State.CLOSED
        with pytest.raises(ConnectionClosed):
            line.wait(REST)


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("succeeds", [False, True])
def test_of_a_reconnect(refused: str, overlap: bool, succeeds: bool) -> None:
    def make() -> Supervisor:
        urls = iter([server.url])
        line = supervisor(lambda: next(urls, server.url if succeeds else refused))
        connect(line)
        return line

    act: Callable[[Supervisor], object] = lambda line: line.reconnect(overlap)  # noqa: E731
    with EchoServer() as server:
        for line, _ in at_every_moment(make, act, step=23 if succeeds else 11):
            comes_to_rest(line)
            began = time.monotonic()
            line.disconnect(1000, "", None)
            assert time.monotonic() - began < 3.0
            assert comes_to_rest(line) is State.CLOSED
            assert line.reactor.join(REST)


def test_of_a_ping_with_a_handler_on_top_that_reconnects() -> None:
    """On top of what holds the connection's lock it waits for no end that needs the lock."""

    def make() -> Supervisor:
        line = supervisor(server.url)
        connect(line)
        return line

    def act(line: Supervisor) -> None:
        assert line.session is not None
        with suppress(ConnectionClosed):
            line.session.speaker.ping(b"")

    took: list[float] = []

    def reconnect(line: Supervisor) -> None:
        began = time.monotonic()
        line.reconnect()
        took.append(time.monotonic() - began)

    with EchoServer() as server:
        for line, _ in at_every_moment(make, act, reconnect):
            assert comes_to_rest(line) is State.OPEN
            line.disconnect(1000, "", None)
    assert max(took, default=0.0) < 2.0
