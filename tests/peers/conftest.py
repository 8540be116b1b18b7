"""Servers that this project did not write, one process each, and clients that are closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count
from typing import Any

import pytest
import trustme

import tieline
from tests.peers.clients import Received
from tests.peers.fronts import FRONTS, Front
from tests.peers.nginx import PeerBehindNginx
from tests.peers.processes import PLAIN_PEERS, Peer

_keys = count(1)


@pytest.fixture(scope="session", autouse=True)
def descriptors_that_uvloop_keeps() -> None:
    """The first loop of a process opens a pipe for all: that is no leak of the first test."""
    if find_spec("uvloop") is not None:
        import uvloop

        uvloop.new_event_loop().close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session", params=[*PLAIN_PEERS, "nginx"])
def peer(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    """One server after the other, each started once. Not to be killed: see `make_peer`."""
    if request.param == "nginx":
        running: Peer = PeerBehindNginx(
            "websockets-asyncio", authority, tmp_path_factory.mktemp("nginx")
        )
    else:
        running = Peer(request.param)
    yield running
    running.stop()


@pytest.fixture
def key() -> str:
    """The query of this test's URLs, by which a peer's reports are told apart."""
    return f"test-{next(_keys)}"


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> Iterator[Front]:
    """Each front in turn; its connections are closed at the end of the test."""
    front = Front(request.param)
    yield front
    front.stop()


@pytest.fixture
def received() -> Received:
    return Received()


@pytest.fixture
def make_client() -> Iterator[Callable[..., tieline.WebSocketClient]]:
    """`WebSocketClient`, disconnected at the end of the test."""
    clients = []

    def make(*arguments: Any, **options: Any) -> tieline.WebSocketClient:
        clients.append(tieline.WebSocketClient(*arguments, **{"proxy": None, **options}))
        return clients[-1]

    yield make
    for client in clients:
        client.disconnect(timeout=1)


@pytest.fixture(scope="module", params=["plain", "TLS"])
def target(
    request: pytest.FixtureRequest, authority: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A server beyond the proxy."""
    if request.param == "plain":
        peer = Peer("websockets-sync")
    else:
        peer = PeerBehindNginx("websockets-sync", authority, tmp_path_factory.mktemp("beyond"))
    yield peer
    peer.stop()
