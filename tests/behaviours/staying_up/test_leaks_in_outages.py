"""Outage after outage, with dials that fail in every way → no thread or descriptor is left."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.behaviours.staying_up.losing import Proxied, lose
from tests.outages import Waits, Watch, wait_until
from tieline import State
from tieline.testing import EchoServer, FaultProxy, faults

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/fd"), reason="this system does not tell its descriptors"
)

#: What dials meet, one after the other, before the one that succeeds.
FAILING = (faults.reset(), faults.cut(20), faults.HANG, faults.garbage(), faults.half_close(20))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Count:
    """What the process has while it is connected through a proxy. The first look sets it."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self._first: tuple[int, int] | None = None

    def check(self) -> None:
        """There are hardly more than at the first look: one for each round would be too many.

        The server closes its ends a moment later, and the proxy has a selector for each turn.
        """
        for connection in self._proxy.connections[:-1]:
            connection.close()  # the proxy does not notice that a client has left a hanging one
        wait_until(lambda: sum(one.is_open for one in self._proxy.connections) == 1)
        if self._first is None:
            self._first = descriptors(), threading.active_count()
        count, threads = self._first
        wait_until(lambda: descriptors() <= count + 2 and threading.active_count() <= threads)


def test_outages(watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied) -> None:
    rounds = 6
    proxy = proxied(server, faults.PASS, *[*FAILING, faults.PASS] * rounds)
    talk = watch.open(proxy.url)
    count = Count(proxy)
    for number in range(rounds):
        lose(proxy, waits)
        wait_until(lambda number=number: len(watch.responses) == number + 2)
        talk.send("up again")
        while talk.receive() != "up again":
            pass
        count.check()
    assert len(waits.seconds) == rounds * (len(FAILING) + 1)


def test_interrupted_again_and_again(
    watch: Watch, waits: Waits, server: EchoServer, lines: Callable[..., FaultProxy]
) -> None:
    """Each wish ends a dial that hangs."""
    rounds = 8
    proxy = lines(server, faults.PASS, *[faults.HANG, faults.PASS] * rounds)
    talk: Any = watch.open(proxy.url, connect_timeout=60.0)
    count = Count(proxy)
    for number in range(rounds):
        dials = 2 * number + 1
        proxy.connections[-1].strike(faults.reset())
        proxy.wait_for(lambda dials=dials: len(proxy.connections) == dials + 1, 20.0)
        wait_until(lambda: watch.state is State.CONNECTING)
        talk.call("reconnect")
        assert len(proxy.connections) == dials + 2
        count.check()
