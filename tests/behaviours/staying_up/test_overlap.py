"""A connection that is replaced while it is up → no gap, no message lost, none out of order."""

from __future__ import annotations

from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.conversations import Conversations
from tests.behaviours.staying_up.losing import LOST, Proxied
from tests.fronts import PATIENCE, AsyncioTalk, Talk
from tests.outages import Waits, Watch, wait_until
from tieline import ConnectError, Opcode, State
from tieline.testing import EchoServer, FaultProxy, ScriptedPeer, faults

in_both = pytest.mark.parametrize("reconnect", [False, True], ids=["by hand", "reconnect"])


def overlap(talk: Talk) -> Any:
    return talk.call("reconnect", overlap=True)


@in_both
def test_one_after_the_other(
    watch: Watch, server: EchoServer, said: Conversations, reconnect: bool
) -> None:
    talk = watch.open(server.url, reconnect=reconnect)
    for number in range(5):
        talk.send(f"on connection {number}")
        response = overlap(talk)
        assert (response.reconnected, response.attempts, response.downtime) == (True, 1, 0.0)
        assert talk.front.is_open() and watch.state is State.OPEN
    talk.send("last")
    wanted = [*(f"on connection {number}" for number in range(5)), "last"]
    assert [talk.receive() for _ in wanted] == wanted
    said.wait_for(*([message] for message in wanted))
    watch.expect("open", *["close 1001", "end", "open again"] * 5)
    watch.expect_events("open", *["closed 1001", "open"] * 5)
    assert all(info.clean and info.initiator == "local" for info in watch.ends)
    assert talk.front.stats().reconnects == 5
    assert watch.attempts == []
    watch.finish()


def test_all_of_the_old_one_comes_before_the_new_one(
    watch: Watch, scripted: Any, front: type[Talk]
) -> None:
    """Also what the server sends after our Close; sends go to the new one from the start."""
    count = 500

    def old(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_text("on the old one")
        for number in range(count):
            peer.send_text(f"old {number}")
        peer.expect_close(1001)
        for number in range(count, 2 * count):
            peer.send_text(f"old {number}")
        peer.send_close(1001)

    def new(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for number in range(count):
            peer.send_text(f"new {number}")
        peer.expect_text("on the new one")
        peer.send_text("end")
        peer.finish()

    talk = watch.open(scripted(old, new).url, max_queue=64)
    talk.send("on the old one")
    overlap(talk)
    talk.send("on the new one")
    came = [talk.receive() for _ in range(3 * count + 1)]
    wanted = [f"old {n}" for n in range(2 * count)] + [f"new {n}" for n in range(count)]
    assert came == [*wanted, "end"]
    talk.ended()
    watch.expect("open", "close 1001", "end", "open again", "close 1000", "end")


@in_both
def test_no_gap_for_those_who_send(
    watch: Watch,
    server: EchoServer,
    said: Conversations,
    in_thread: Any,
    reconnect: bool,
) -> None:
    """Each message arrives, once, and those of one thread in their order."""
    talk = watch.open(server.url, reconnect=reconnect)
    front = talk.front
    send = front.send_threadsafe if isinstance(talk, AsyncioTalk) else front.send
    enough: list[bool] = []
    states: set[State] = set()

    def work(name: str) -> int:
        number = 0
        while not enough:
            try:
                send(f"{name} {number}")
            except tieline.SendBufferFull:
                continue
            number += 1
            states.add(front.state)
            assert front.is_open()
        return number

    workers = {name: in_thread(work, name) for name in "ab"}
    received = 0
    for _ in range(6):
        for _ in range(20):
            talk.receive()
            received += 1
        overlap(talk)
    enough.append(True)
    counts = {name: join() for name, join in workers.items()}
    wanted = {f"{name} {number}" for name, count in counts.items() for number in range(count)}
    said.wait_until(lambda: sum(map(len, said.all)) >= len(wanted))
    arrived = [message for conversation in said.all for message in conversation]
    assert len(arrived) == len(wanted) and set(arrived) == wanted
    for name in "ab":
        mine = [int(str(one).split()[1]) for one in arrived if str(one)[0] == name]
        assert mine == sorted(mine)
    for _ in range(len(wanted) - received):
        talk.receive()
    assert states == {State.OPEN}


# --- the new one cannot be had


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


# --- an old peer that does not answer


def mute(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    peer.expect_close(1001)
    peer.hold()


def echo(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    while (frame := peer.receive_frame()).opcode is not Opcode.CLOSE:
        peer.send_frame(frame.opcode, frame.payload)
    peer.send_frame(Opcode.CLOSE, frame.payload)


def test_an_old_peer_that_does_not_answer(watch: Watch, scripted: Any) -> None:
    """It is waited for no longer than `close_timeout`; what is sent goes out meanwhile."""
    talk = watch.open(scripted(mute, echo).url, close_timeout=0.1)
    overlap(talk)
    talk.send("on the new one")
    assert talk.receive() == "on the new one"
    watch.expect("open", "error TimeoutError", "close 1006", "end", "open again")
    watch.expect_events("open", "closed 1006", "open")
    watch.finish()


def test_closing_during_the_hand_over(watch: Watch, scripted: Any, within: Any) -> None:
    """The old one is not waited for any longer, and the new one ends as any other."""
    talk = watch.open(scripted(mute, echo).url, close_timeout=60.0)
    overlap(talk)
    talk.send("on the new one")
    with within(8.0):
        talk.close_now()
    assert watch.state is State.CLOSED
    watch.expect("open", "close 1006", "end", "open again", "close 1000", "end")


def test_several_while_the_first_has_not_ended(watch: Watch, scripted: Any) -> None:
    """None is forgotten: each is told of, in order, and what was sent on each comes."""

    def silent(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        frame = peer.receive_frame()
        assert frame.opcode is Opcode.TEXT
        peer.send_frame(frame.opcode, frame.payload)
        peer.expect_close(1001)
        peer.hold()

    server = scripted(silent, silent, silent, echo)
    talk = watch.open(server.url, close_timeout=0.2)
    messages = [f"on connection {number}" for number in range(4)]
    for message in messages[:-1]:
        talk.send(message)
        overlap(talk)
    talk.send(messages[-1])
    assert [talk.receive() for _ in messages] == messages
    lost = ("error TimeoutError", "close 1006", "end", "open again")
    watch.expect("open", *lost * 3)
    watch.expect_events("open", *["closed 1006", "open"] * 3)
    watch.finish()


def test_reconnecting_without_overlap_during_the_hand_over(
    watch: Watch, scripted: Any, within: Any
) -> None:
    talk = watch.open(scripted(mute, mute, echo).url, close_timeout=60.0)
    with within(8.0):
        overlap(talk)
        talk.call("reconnect")
        talk.send("on the third")
        assert talk.receive() == "on the third"
    watch.expect("open", *["close 1006", "end", "open again"] * 2)
    watch.expect_events("open", *["closed 1006", "open"] * 2)
    watch.finish()
