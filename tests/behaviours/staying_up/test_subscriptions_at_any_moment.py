"""Subscriptions that are made, cancelled or fail at the worst moment → once on each connection."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from tests.behaviours.staying_up.conversations import Conversations
from tests.behaviours.staying_up.losing import LOST, Proxied, lose
from tests.fronts import AsyncioTalk, CallbackTalk, Talk
from tests.outages import Waits, Watch, wait_until
from tieline import State
from tieline.testing import EchoServer, faults


def test_cancelled(
    watch: Watch, waits: Waits, server: EchoServer, said: Conversations, proxied: Proxied
) -> None:
    proxy = proxied(server)
    talk = watch.open(proxy.url)
    first, second, third = (talk.call("subscribe", word) for word in ("a", "b", "c"))
    said.wait_for(["a", "b", "c"])
    second.cancel()
    second.cancel()
    assert (first.is_cancelled, second.is_cancelled) == (False, True)
    with waits.held():
        lose(proxy, waits)
        third.cancel()
    said.wait_for(["a", "b", "c"], ["a"])
    first.cancel()
    lose(proxy, waits)
    talk = watch.talk
    wait_until(lambda: len(said.all) == 3 and watch.state is State.OPEN)
    talk.send("nothing before it")
    said.wait_for(["a", "b", "c"], ["a"], ["nothing before it"])


def test_the_same_twice(
    watch: Watch, waits: Waits, server: EchoServer, said: Conversations, proxied: Proxied
) -> None:
    """Each handle is for its own."""
    proxy = proxied(server)
    talk = watch.open(proxy.url)
    ask: Callable[[], str] = lambda: "again"  # noqa: E731
    first, second = (talk.call("subscribe", ask) for _ in range(2))
    said.wait_for(["again"] * 2)
    lose(proxy, waits)
    said.wait_for(["again"] * 2, ["again"] * 2)
    first.cancel()
    lose(proxy, waits)
    said.wait_for(["again"] * 2, ["again"] * 2, ["again"])
    assert not second.is_cancelled


def test_made_while_offline(
    watch: Watch, waits: Waits, server: EchoServer, said: Conversations, proxied: Proxied
) -> None:
    """Said once, before what was queued earlier; its function is asked once more for the dial."""
    proxy = proxied(server)
    talk = watch.open(proxy.url, offline="queue")
    numbers = iter(range(100))
    with waits.held():
        lose(proxy, waits)
        talk.send("queued")
        talk.call("subscribe", "late")
        talk.call("subscribe", lambda: f"asked {next(numbers)}")
        gone = talk.call("subscribe", "changed my mind")
        gone.cancel()
    said.wait_for([], ["late", "asked 1", "queued"])


def test_made_and_cancelled_while_a_dial_is_under_way(
    front: type[Talk],
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    said: Conversations,
    proxied: Proxied,
) -> None:
    """As a function of another subscription may do, which is asked then. Nobody holds a lock."""
    proxy = proxied(server)
    talk = watch.open(proxy.url)
    asked: list[str] = []

    def late() -> str:
        asked.append("late")
        return f"late {len(asked)}"

    def change() -> None:
        if watch.state is State.CONNECTING and not asked:
            victim.cancel()
            talk.front.subscribe(late)

    async def change_in_loop() -> str:
        if watch.state is State.CONNECTING and not asked:
            victim.cancel()
            await talk.front.subscribe(late)
        return "first"

    def first() -> str:
        change()
        return "first"

    talk.call("subscribe", change_in_loop if front is AsyncioTalk else first)
    victim = talk.call("subscribe", "victim")
    said.wait_for(["first", "victim"])
    lose(proxy, waits)
    said.wait_for(["first", "victim"], ["first", "late 1"])
    lose(proxy, waits)
    said.wait_for(["first", "victim"], ["first", "late 1"], ["first", "late 2"])


def test_made_by_many_while_it_comes_and_goes(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    said: Conversations,
    proxied: Proxied,
    in_thread: Any,
) -> None:
    """Each is said once on each connection, at most, and on every one that is made later."""
    said.answer = lambda connection, message: None
    proxy = proxied(server)
    talk = watch.open(proxy.url)

    def make(name: str) -> None:
        for number in range(20):
            talk.call("subscribe", f"{name} {number}")

    makers = [in_thread(make, name) for name in ("a", "b", "c")]
    for count in range(2, 6):
        proxy.strike(faults.reset())
        said.wait_until(lambda count=count: len(said.all) == count)
        wait_until(lambda: watch.state is State.OPEN)
    for join in makers:
        join()
    known = len(said.all)
    proxy.strike(faults.reset())
    said.wait_until(lambda: len(said.all) > known and len(said.all[-1]) >= 60)
    for conversation in said.all:
        assert len(conversation) == len(set(conversation))
    last = [str(message).split() for message in said.all[-1]]
    assert len(last) == 60
    for name in "abc":
        assert [int(number) for maker, number in last if maker == name] == list(range(20))


# --- functions that fail


def test_a_function_that_raises_fails_the_dial(
    watch: Watch, waits: Waits, server: EchoServer, said: Conversations, proxied: Proxied
) -> None:
    proxy = proxied(server)
    error = LookupError("no number yet")
    answers: list[Any] = ["at first", error, error, "later"]

    def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    talk = watch.open(proxy.url)
    talk.call("subscribe", "before it")
    talk.call("subscribe", ask)
    said.wait_for(["before it", "at first"])
    lose(proxy, waits)
    numbers = [f"reconnecting {number}" for number in (1, 2, 3)]
    watch.expect("open", *LOST, *numbers, "open again")
    said.wait_for(["before it", "at first"], [], [], ["before it", "later"])
    assert [attempt.cause for attempt in watch.attempts[1:]] == [error, error]
    assert watch.responses[1].attempts == 3
    wait_until(lambda: sum(one.is_open for one in proxy.connections) == 1)  # not left open


def test_a_function_that_never_gives_a_message_is_the_end(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied
) -> None:
    answers: list[Any] = ["at first", 7]
    proxy = proxied(server)
    talk = watch.open(proxy.url)
    talk.call("subscribe", lambda: answers.pop(0))
    lose(proxy, waits)
    assert talk.ended().code == 1006
    watch.expect("open", *LOST, "reconnecting 1", "error OptionError")
    assert watch.state is State.CLOSED
    wait_until(lambda: not any(one.is_open for one in proxy.connections))


# --- without the option reconnect


def test_by_hand(
    watch: Watch, waits: Waits, server: EchoServer, said: Conversations, proxied: Proxied
) -> None:
    proxy = proxied(server)
    talk = watch.open(proxy.url, reconnect=False)
    numbers = iter(range(100))
    talk.call("subscribe", lambda: f"asked {next(numbers)}")
    talk.call("reconnect")
    said.wait_for(["asked 0"], ["asked 1"])
    proxy.strike(faults.reset())
    talk.ended()
    talk.call("subscribe", "made when it was down")
    talk.call("reconnect")
    said.wait_for(["asked 0"], ["asked 1"], ["asked 2", "made when it was down"])
    with pytest.raises(ZeroDivisionError):
        talk.call("subscribe", lambda: 1 // 0)
    talk.call("reconnect", overlap=True)
    wanted = ["asked 3", "made when it was down"]
    said.wait_for(["asked 0"], ["asked 1"], ["asked 2", "made when it was down"], wanted)


def test_before_the_first_connect(
    front: type[Talk], clients: Any, server: EchoServer, said: Conversations
) -> None:
    if front is not CallbackTalk:
        pytest.skip("what connect() returns is open")
    client = clients(lambda message: None, server.url, on_open=lambda _: client.send("hello"))
    # Without a connection to say it on it is not asked yet.
    answers: list[Any] = [LookupError("not now"), "asked again", "and again"]

    def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    client.subscribe(ask)
    client.subscribe("constant")
    with pytest.raises(LookupError, match="not now"):
        client.connect()
    assert client.state is State.CLOSED
    client.connect()
    said.wait_for([], ["asked again", "constant", "hello"])
    client.connect()
    wanted = ["asked again", "constant", "hello"]
    said.wait_for([], wanted, ["and again", "constant", "hello"])


def test_a_subscription_keeps_nothing_alive_when_it_is_cancelled(
    watch: Watch, server: EchoServer
) -> None:
    class Ask:
        def __call__(self) -> str:
            return "a"

    talk = watch.open(server.url)
    ask = Ask()
    seen = weakref.ref(ask)
    subscription = talk.call("subscribe", ask)
    del ask
    gc.collect()
    assert seen() is not None
    subscription.cancel()
    del subscription
    gc.collect()
    assert seen() is None
