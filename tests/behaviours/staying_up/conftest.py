"""Fronts that are to stay up, waits that last no time, servers → what staying up is shown on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.behaviours.fault_matrix.conftest import front, proxied, waits
from tests.behaviours.staying_up.conversations import Conversations
from tests.behaviours.staying_up.programs import Outages
from tests.fronts import Talk
from tests.outages import Watch
from tieline.engine import driving
from tieline.testing import EchoServer, FaultProxy

__all__ = ["front", "proxied", "waits"]  # as fixtures


@pytest.fixture(autouse=True)
def soon_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain connection in which no thread receives any more is looked after almost at once."""
    monkeypatch.setattr(driving, "ADOPTION", 0.005)


@pytest.fixture
def said() -> Conversations:
    """What the server was told."""
    return Conversations()


@pytest.fixture
def server(said: Conversations) -> Iterator[EchoServer]:
    """Sends every message back, and writes it down."""
    with EchoServer(on_open=said.on_open, on_message=said.on_message) as echo:
        yield echo


@pytest.fixture
def lines() -> Iterator[Callable[..., FaultProxy]]:
    """lines(server, *faults): as `proxied`, but a dial that hears nothing goes on."""
    with ExitStack() as proxies:
        yield lambda server, *script: proxies.enter_context(FaultProxy(server.url, *script))


@pytest.fixture
def watch(
    front: type[Talk], server: EchoServer, proxied: Any, lines: Any, scripted: Any
) -> Iterator[Watch]:
    """Not connected yet; closed at the test's end, before the servers."""
    watched = Watch(front)
    yield watched
    watched.close()


@pytest.fixture
def talks(
    front: type[Talk], server: EchoServer, proxied: Any, lines: Any, scripted: Any
) -> Iterator[Callable[..., Talk]]:
    """talks(url, **options): an open connection, closed at the test's end, before the servers."""
    opened: list[Talk] = []

    def start(*arguments: Any, **options: Any) -> Talk:
        opened.append(front(*arguments, **({"ping_interval": None} | options)))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def outage(program: Any, server: EchoServer, lines: Any) -> Outages:
    return Outages(program, server, lines)
