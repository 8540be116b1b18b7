"""Servers and a front → an open connection, for tests that run on every front."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.fronts import FRONTS, Talk
from tieline import Opcode
from tieline.testing import EchoServer, ScriptedPeer

Open = Callable[..., Talk]


def shows(*options: str) -> Callable[[Any], Any]:
    """The test shows these options at work; test_all_is_shown.py reads it."""
    return lambda test: test


@pytest.fixture(params=FRONTS, ids=lambda front: front.front_name)
def front(request: pytest.FixtureRequest) -> type[Talk]:
    return request.param


@pytest.fixture
def echoing() -> Iterator[Callable[..., EchoServer]]:
    """echoing(**options): a server that is closed at the test's end."""
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(EchoServer(**options))


@pytest.fixture
def talk(front: type[Talk], scripted: Any, echoing: Any) -> Iterator[Open]:
    """talk(url, **options): an open connection, closed at the test's end, before the servers."""
    opened: list[Talk] = []

    def start(*arguments: Any, **options: Any) -> Talk:
        opened.append(front(*arguments, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def echo_script(peer: ScriptedPeer) -> None:
    """Send everything back, until the client closes."""
    peer.accept_upgrade()
    while (frame := peer.receive_frame()).opcode is not Opcode.CLOSE:
        peer.send_frame(frame.opcode, frame.payload, fin=frame.fin)
    peer.send_frame(Opcode.CLOSE, frame.payload)
