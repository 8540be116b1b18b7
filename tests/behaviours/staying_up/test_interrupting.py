"""Other threads and tasks that close or connect in an outage → it ends at once, and is told."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.losing import LOST
from tests.fronts import PATIENCE, AsyncioTalk, CallbackTalk, Talk
from tests.outages import Waits, Watch, policy, wait_until
from tieline import ConnectCancelled, State
from tieline.testing import EchoServer, FaultProxy, Recorder, faults
from tieline.testing.faults import Fault

pytestmark = pytest.mark.usefixtures("without_slices", "without_second_chances")

Lines = Callable[..., FaultProxy]

#: Seconds that something may take which is to happen at once, on a busy machine.
AT_ONCE = 8.0

in_each_situation = pytest.mark.parametrize("situation", ["in a wait", "in a dial"])


@contextmanager
def outage(
    watch: Watch, waits: Waits, server: EchoServer, lines: Lines, situation: str, *later: Fault
) -> Iterator[FaultProxy]:
    """Connected, lost, and now in a wait that does not end, or in a dial that nobody answers.

    `later`: what the next dial meets.
    """
    is_in_wait = situation == "in a wait"
    proxy = lines(server, faults.PASS, *([] if is_in_wait else [faults.HANG]), *later)
    with waits.held() if is_in_wait else nullcontext():
        watch.open(proxy.url, connect_timeout=60.0)
        proxy.strike(faults.reset())
        if is_in_wait:
            waits.wait_for(1)
        else:
            proxy.wait_for(lambda: len(proxy.connections) == 2, PATIENCE)
        wait_until(lambda: watch.state is (State.RECONNECTING if is_in_wait else State.CONNECTING))
        yield proxy


def is_up(talk: Talk) -> None:
    """Messages go both ways."""
    talk.send("up again")
    while talk.receive() != "up again":
        pass
    assert talk.front.state is State.OPEN and talk.front.is_open()


@in_each_situation
def test_closing(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    lines: Lines,
    in_thread: Any,
    within: Any,
    situation: str,
) -> None:
    """Whoever waits for a message, for the end, or for the close itself, goes on."""
    with outage(watch, waits, server, lines, situation) as proxy:
        talk = watch.talk
        waiting = [in_thread(talk.ended) for _ in range(2)]
        dials = len(proxy.connections)
        with within(AT_ONCE):
            closing = [in_thread(talk.close_now) for _ in range(3)]
            for returned in closing:
                returned()
            assert watch.state is State.CLOSED
            assert [ended().code for ended in waiting] == [1006, 1006]
        with pytest.raises(tieline.ConnectionClosed):
            talk.send("too late")
        watch.expect("open", *LOST, "reconnecting 1")
        watch.expect_events("open", "closed 1006", "reconnecting 1")
        watch.expect_nothing()
        assert len(proxy.connections) == dials
        assert not proxy.connections[-1].is_open or situation == "in a dial"


@in_each_situation
def test_reconnecting_by_hand(
    watch: Watch, waits: Waits, server: EchoServer, lines: Lines, within: Any, situation: str
) -> None:
    with outage(watch, waits, server, lines, situation) as proxy:
        with within(AT_ONCE):
            response = watch.talk.call("reconnect")
        assert (response.reconnected, response.attempts) == (True, 1)
        is_up(watch.talk)
        watch.expect("open", *LOST, "reconnecting 1", "open again")
        assert len([one for one in proxy.connections if one.is_open]) <= 2
    proxy.strike(faults.reset())  # it is to stay up still
    watch.expect(*LOST, "reconnecting 1", "open again")
    is_up(watch.talk)


@in_each_situation
def test_connecting_by_hand(
    front: type[Talk],
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    lines: Lines,
    within: Any,
    situation: str,
) -> None:
    """A new beginning, and not a reconnection."""
    if front is not CallbackTalk:
        pytest.skip("there is no connect() to call again")
    with outage(watch, waits, server, lines, situation) as proxy:
        with within(AT_ONCE):
            response = watch.talk.call("connect")
        assert (response.reconnected, response.attempts, response.downtime) == (False, 1, 0.0)
        is_up(watch.talk)
        watch.expect("open", *LOST, "reconnecting 1", "open")
    proxy.strike(faults.reset())
    watch.expect(*LOST, "reconnecting 1", "open again")


@in_each_situation
@pytest.mark.parametrize("wish", ["connect", "reconnect"])
def test_closing_a_dial_by_hand(
    front: type[Talk],
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    lines: Lines,
    in_thread: Any,
    within: Any,
    situation: str,
    wish: str,
) -> None:
    """The dial that a user has asked for in an outage is itself called off."""
    if wish == "connect" and front is not CallbackTalk:
        pytest.skip("there is no connect() to call again")
    with outage(watch, waits, server, lines, situation, faults.HANG) as proxy:
        talk = watch.talk
        dials = len(proxy.connections)
        dialled = in_thread(talk.call, wish)
        proxy.wait_for(lambda: len(proxy.connections) > dials, PATIENCE)
        assert watch.state is State.CONNECTING
        with within(AT_ONCE):
            talk.close_now()
            with pytest.raises(ConnectCancelled):
                dialled()
        assert watch.state is State.CLOSED
        watch.expect("open", *LOST, "reconnecting 1")
        watch.expect_events("open", "closed 1006", "reconnecting 1")
        watch.expect_nothing()


@pytest.mark.parametrize("wish", ["close", "reconnect", "connect"])
def test_right_after_the_loss(
    front: type[Talk], talks: Any, waits: Waits, server: EchoServer, lines: Lines, wish: str
) -> None:
    """At whichever step of the end it comes: the user's wish is what counts."""
    if wish == "connect" and front is not CallbackTalk:
        pytest.skip("there is no connect() to call again")
    recorder = Recorder()
    proxy = lines(server)
    for _ in range(8):
        talk = talks(proxy.url, reconnect=policy(), **recorder.handlers("open", "close"))
        proxy.strike(faults.reset())
        if wish == "close":
            talk.close_now()
            assert talk.front.state is State.CLOSED
        else:
            talk.call(wish)
            is_up(talk)
            talk.close_now()
        kinds = [record.kind for record in recorder.take()]
        assert kinds == ["open", "close"] * (len(kinds) // 2)
        wait_until(lambda: not server.connections)


def begin_and_cancel(talk: AsyncioTalk, method: str) -> None:
    """Its task is cancelled in its first steps."""
    import asyncio

    async def begin() -> None:
        task = asyncio.create_task(getattr(talk.front, method)())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or isinstance(task.exception(), tieline.ConnectError | None)

    talk.run(begin())


@pytest.mark.parametrize("seed", range(3))
def test_everybody_at_once(
    front: type[Talk],
    talks: Any,
    waits: Waits,
    server: EchoServer,
    lines: Lines,
    in_thread: Any,
    within: Any,
    seed: int,
) -> None:
    """Threads that break, close, reconnect and send in any order: nobody hangs, each is told."""
    recorder = Recorder()
    proxy = lines(server)
    talk = talks(proxy.url, reconnect=policy(), **recorder.handlers("open", "close"))
    wishes: list[Callable[[], object]] = [
        talk.close_now,
        lambda: talk.call("reconnect"),
        lambda: talk.call("reconnect", overlap=True),
        lambda: talk.send("a"),
        lambda: talk.call("send", "b", when_offline="queue"),
        lambda: talk.call("subscribe", "a").cancel(),
        lambda: talk.call("ping"),
        lambda: server.close_connections(1012),
        lambda: proxy.strike(faults.reset()),
        lambda: proxy.strike(faults.reset()),
    ]
    if front is CallbackTalk:
        wishes.append(lambda: talk.call("connect"))
    else:
        wishes.append(lambda: talk.receive(0.001))
    if isinstance(talk, AsyncioTalk):
        wishes += [lambda: begin_and_cancel(talk, "reconnect")] * 2

    def work(chance: random.Random) -> None:
        for _ in range(12):
            try:
                chance.choice(wishes)()
            except (tieline.ConnectError, tieline.ConnectionClosed, TimeoutError):
                pass

    workers = [in_thread(work, random.Random(10 * seed + number)) for number in range(4)]
    for done in workers:
        done()
    with within(AT_ONCE):
        talk.call("reconnect")
    is_up(talk)
    with within(AT_ONCE):
        talk.close_now()
    assert talk.front.state is State.CLOSED
    kinds = [record.kind for record in recorder.take()]
    assert kinds == ["open", "close"] * (len(kinds) // 2)
    assert recorder.overlaps == []
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("tieline-reconnect")]


def test_cancelling_the_task(
    front: type[Talk], watch: Watch, waits: Waits, server: EchoServer, lines: Lines
) -> None:
    if front is not AsyncioTalk:
        pytest.skip("there are no tasks")
    import asyncio

    with outage(watch, waits, server, lines, "in a wait", faults.HANG) as proxy:
        talk = watch.talk

        async def cancel() -> None:
            dial = asyncio.create_task(talk.front.reconnect())
            while len(proxy.connections) < 2:
                await asyncio.sleep(0.001)
            dial.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dial

        talk.run(cancel())
        assert watch.state is State.CLOSED
        with pytest.raises(tieline.ConnectionClosed):
            talk.receive()
        talk.call("reconnect")
        is_up(talk)
