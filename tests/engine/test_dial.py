"""Dial: what is asked anew for each attempt, and what an attempt leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.engine.supervisor import Supervisor
from tieline.errors import ConnectTimeout, OptionError
from tieline.protocol.state import State
from tieline.testing import ScriptedServer

SOON = 20.0


def connect(supervisor: Supervisor, timeout: float = SOON) -> dict[str, Any]:
    info: dict[str, Any] = {}
    supervisor.connect((), timeout, info)
    return info


def test_callables_are_asked_for_each_attempt(supervise: Any) -> None:
    def accept(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close()
        peer.send_close(1001)

    numbers = iter(range(10))
    with ScriptedServer(accept, accept) as server:
        supervisor = supervise(
            lambda: f"{server.url}{next(numbers)}", headers=lambda: {"X": str(next(numbers))}
        )
        assert connect(supervisor)["url"].endswith("/0")
        connect(supervisor)
        supervisor.disconnect(1001, "", None)
        targets = [(peer.request.target, peer.request.headers["x"]) for peer in server.peers]
    assert targets == [("/0", "1"), ("/2", "3")]


@pytest.mark.parametrize(
    ("timeout", "named"), [(0.01, "timed out: timeout of 0.01 s"), (SOON, "connect_timeout")]
)
def test_what_ran_out_is_called_as_it_was_given(supervise: Any, timeout: float, named: str) -> None:
    def hold(peer: Any) -> None:
        peer.hold()

    with ScriptedServer(hold) as server:
        supervisor = supervise(server.url, connect_timeout=0.02 if timeout == SOON else SOON)
        with pytest.raises(ConnectTimeout, match=named):
            connect(supervisor, min(timeout, supervisor.options.connect_timeout))
        server.close(check=False)


@pytest.mark.parametrize(
    ("url", "kind"),
    [(lambda: 1 / 0, ZeroDivisionError), (lambda: 5, OptionError), (lambda: "x", OptionError)],
)
def test_a_callable_that_fails_leaves_no_dial_behind(supervise: Any, url: Any, kind: Any) -> None:
    supervisor = supervise(url)
    for _ in range(2):
        with pytest.raises(kind):
            connect(supervisor)
    assert supervisor.state is State.CLOSED
