"""Fronts that are to stay up, servers and breaking lines → what the fault matrix is shown on.

Each fault is shown on every front: what handlers and events tell, in order; the delays; the state
at the end; and what becomes of messages sent before, during and after it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.fronts import FRONTS, Talk
from tests.outages import DialTime, Inbound, Waits, Watch
from tieline.engine import driving
from tieline.testing import EchoServer, FaultProxy


@pytest.fixture(params=FRONTS, ids=lambda front: front.front_name)
def front(request: pytest.FixtureRequest) -> type[Talk]:
    return request.param


@pytest.fixture(autouse=True)
def quick_caretaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain connection is adopted at once, not a quarter of a second after its last `recv()`."""
    monkeypatch.setattr(driving, "ADOPTION", 0.01)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    return Waits(monkeypatch)


@pytest.fixture
def inbound() -> Inbound:
    return Inbound()


@pytest.fixture
def server(inbound: Inbound) -> Iterator[EchoServer]:
    """Sends every message back, and writes it down."""
    with EchoServer(on_message=inbound) as echo:
        yield echo


@pytest.fixture
def secure_server(inbound: Inbound, server_context: ssl.SSLContext) -> Iterator[EchoServer]:
    with EchoServer(on_message=inbound, ssl_context=server_context) as echo:
        yield echo


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FaultProxy]]:
    """proxied(server, *faults): a line to the server, on which these happen.

    A dial that hears nothing because of one of them waits no longer than until it has struck.
    """
    dial_time = DialTime(monkeypatch)
    with ExitStack() as proxies:
        yield lambda server, *script, **options: dial_time.watch(
            proxies.enter_context(FaultProxy(server.url, *script, **options))
        )


@pytest.fixture
def watch(
    front: type[Talk], server: Any, secure_server: Any, proxied: Any, scripted: Any
) -> Iterator[Watch]:
    """Not connected yet; closed at the test's end, before the servers."""
    watched = Watch(front)
    yield watched
    watched.close()
