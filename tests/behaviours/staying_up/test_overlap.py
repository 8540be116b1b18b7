"""A connection that is replaced while it is up → no gap, no message lost, none out of order."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.conversations import Conversations
from tests.fronts import PATIENCE, AsyncioTalk, Talk
from tests.outages import Watch
from tieline import Opcode, State
from tieline.testing import EchoServer, ScriptedPeer

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


def test_close_while_the_old_one_has_filled_the_queue(
    watch: Watch, scripted: Any, front: type[Talk], within: Any
) -> None:
    """The new one's Close is answered, and that is read, whoever takes messages."""

    def old(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for number in range(5):
            peer.send_text(f"old {number}")
        peer.expect_close(1001)

    def new(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_close()
        peer.send_close(1000)

    options = {} if front.front_name == "callback" else {"max_queue": 2}
    talk = watch.open(scripted(old, new).url, **options)
    overlap(talk)
    with within(8.0):  # `close_timeout` is 10
        talk.close_now()
    assert talk.front.close_info.clean


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
    said.answer = lambda connection, message: None
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
    for count in range(2, 8):
        said.wait_until(lambda: said.counts[-1] >= 20)
        overlap(talk)
        said.wait_until(lambda count=count: len(said.counts) == count)
    enough.append(True)
    counts = {name: join() for name, join in workers.items()}
    wanted = {f"{name} {number}" for name, count in counts.items() for number in range(count)}
    said.wait_until(lambda: sum(said.counts) >= len(wanted))
    arrived = [message for conversation in said.all for message in conversation]
    assert len(arrived) == len(wanted) and set(arrived) == wanted
    for name in "ab":
        mine = [int(str(one).split()[1]) for one in arrived if str(one)[0] == name]
        assert mine == sorted(mine)
    assert states == {State.OPEN}


# --- an old peer that does not answer


def mute(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    peer.expect_close(1001)
    peer.expect_end()


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
    """The old one is waited for no longer; the new one is closed as any other."""

    def new(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_text("before the Close")
        peer.expect_text("on the new one")
        peer.expect_close(1000)
        peer.send_close(1000)

    talk = watch.open(scripted(mute, new).url, close_timeout=60.0)
    overlap(talk)
    talk.send("on the new one")
    with within(8.0):
        talk.close_now()
    assert watch.state is State.CLOSED
    assert talk.receive() == "before the Close"
    with pytest.raises(tieline.ConnectionClosed):
        talk.send("too late")
    watch.expect("open", "close 1006", "end", "open again", "close 1000", "end")
    assert talk.front.close_info.code == 1000


def test_several_while_the_first_has_not_ended(watch: Watch, scripted: Any) -> None:
    """Each has its turn, and what came on each comes in order."""
    goes_on = threading.Event()

    def slow(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        assert goes_on.wait(PATIENCE)
        peer.send_text("on the first")
        peer.send_close(1001)

    talk = watch.open(scripted(slow, echo, echo, echo).url, close_timeout=60.0)
    messages = ["on the second", "on the third", "on the last"]
    for message in messages:
        overlap(talk)
        talk.send(message)
    with pytest.raises(TimeoutError):
        talk.receive(0.01)
    goes_on.set()
    assert [talk.receive() for _ in range(4)] == ["on the first", *messages]
    watch.expect("open", *["close 1001", "end", "open again"] * 3)
    watch.expect_events("open", *["closed 1001", "open"] * 3)
    assert talk.front.stats().reconnects == 3
    watch.finish()


def test_reconnecting_without_overlap_during_the_hand_over(
    watch: Watch, scripted: Any, within: Any
) -> None:
    """It waits for nobody's answer."""
    talk = watch.open(scripted(mute, mute, echo).url, close_timeout=60.0)
    with within(8.0):
        overlap(talk)
        talk.call("reconnect")
        talk.send("on the third")
        assert talk.receive() == "on the third"
    watch.expect("open", *["close 1006", "end", "open again"] * 2)
    watch.expect_events("open", *["closed 1006", "open"] * 2)
    watch.finish()
