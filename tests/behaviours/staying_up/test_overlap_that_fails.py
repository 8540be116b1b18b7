"""An overlap whose new connection cannot be had, or whose old one dies → the better of both."""

from __future__ import annotations

from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.losing import LOST, Proxied
from tests.fronts import PATIENCE, Talk
from tests.outages import Waits, Watch, wait_until
from tieline import ConnectError, State
from tieline.testing import EchoServer, FaultProxy, faults

in_both = pytest.mark.parametrize("reconnect", [False, True], ids=["by hand", "reconnect"])


def overlap(talk: Talk) -> Any:
    return talk.call("reconnect", overlap=True)


@in_both
@pytest.mark.parametrize(
    ("fault", "error"),
    [(faults.REFUSE, ConnectError), (faults.cut(), ConnectError)],
    ids=["refused", "cut"],
)
def test_the_old_one_is_kept(
    watch: Watch, server: EchoServer, proxied: Proxied, fault: Any, error: Any, reconnect: bool
) -> None:
    proxy = proxied(server, faults.PASS, fault)
    talk = watch.open(proxy.url, reconnect=reconnect)
    response = talk.front.response
    with pytest.raises(error):
        overlap(talk)
    assert talk.front.response is response and watch.state is State.OPEN
    talk.send("still here")
    assert talk.receive() == "still here"
    proxy.heal()
    overlap(talk)
    watch.expect("open", "close 1001", "end", "open again")
    watch.expect_events("open", "closed 1001", "open")
    watch.finish()


def test_the_old_one_dies_during_the_dial(
    watch: Watch, waits: Waits, server: EchoServer, lines: Any, in_thread: Any
) -> None:
    """The dial goes on, as the reconnection that it is now; it is the only one."""
    proxy = lines(server, faults.PASS, faults.HANG)
    talk = watch.open(proxy.url)
    dialled = in_thread(overlap, talk)
    proxy.wait_for(lambda: len(proxy.connections) == 2, PATIENCE)
    assert watch.state is State.OPEN
    proxy.connections[0].strike(faults.reset())
    watch.expect("open", *LOST)
    wait_until(lambda: watch.state is State.CONNECTING)
    with pytest.raises(tieline.ConnectionClosed):
        talk.send("in between")
    proxy.connections[1].strike(faults.PASS)
    response = dialled()
    assert (response.reconnected, response.attempts) == (True, 1)
    watch.expect("open again")
    talk.send("up again")
    assert talk.receive() == "up again"
    assert len(proxy.connections) == 2
    watch.expect_events("open", "closed 1006", "open")
    watch.finish()


@in_both
def test_the_old_one_dies_and_the_new_one_cannot_be_had(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    lines: Any,
    in_thread: Any,
    reconnect: bool,
) -> None:
    """With reconnect= it goes on in the background, and what was sent meanwhile is kept."""
    proxy: FaultProxy = lines(server, faults.PASS, faults.HANG)
    talk = watch.open(proxy.url, offline="queue", **({} if reconnect else {"reconnect": False}))
    dialled = in_thread(overlap, talk)
    proxy.wait_for(lambda: len(proxy.connections) == 2, PATIENCE)
    proxy.connections[0].strike(faults.reset())
    watch.expect("open", *LOST)
    wait_until(lambda: watch.state is State.CONNECTING)
    talk.send("in between")
    proxy.connections[1].strike(faults.reset())
    with pytest.raises(ConnectError):
        dialled()
    if reconnect:
        watch.expect("reconnecting 1", "open again")
        assert talk.receive() == "in between"
        watch.expect_events("open", "closed 1006", "reconnecting 1", "open")
        watch.finish()
    else:
        assert watch.state is State.CLOSED
        assert talk.ended().code == 1006
        watch.expect_events("open", "closed 1006", "dropped closed")
        watch.expect_nothing()
