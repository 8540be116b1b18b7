"""Subscriptions → said first of all on every connection, once, in the order in which they came."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.conversations import Conversations
from tests.behaviours.staying_up.losing import Proxied, lose, send_anyhow
from tests.fronts import AsyncioTalk, Talk
from tests.outages import Waits, Watch
from tieline.testing import EchoServer, faults


def test_before_all_else(
    watch: Watch, waits: Waits, server: EchoServer, said: Conversations, proxied: Proxied
) -> None:
    """Before what was queued, and before what `on_open` sends."""
    proxy = proxied(server)

    def greet(response: Any) -> None:
        if response.reconnected:
            send_anyhow(watch.talk, "hello")

    talk = watch.open(proxy.url, offline="queue", on_open=greet)
    for message in ("first", b"second", lambda: "third", lambda: b"fourth"):
        talk.call("subscribe", message)
    said.wait_for(["first", b"second", "third", b"fourth"])
    with waits.held():
        lose(proxy, waits)
        talk.send("queued")
    wanted = ["first", b"second", "third", b"fourth", "queued", "hello"]
    said.wait_for(wanted[:4], wanted)
    lose(proxy, waits)
    said.wait_for(wanted[:4], wanted, [*wanted[:4], "hello"])


@pytest.mark.parametrize("offline", ["raise", "queue"])
def test_before_all_that_other_threads_send(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    said: Conversations,
    proxied: Proxied,
    in_thread: Any,
    offline: str,
) -> None:
    said.answer = lambda connection, message: None
    proxy = proxied(server)
    talk = watch.open(proxy.url, offline=offline, offline_overflow="drop_oldest")
    first = [f"subscription {number}" for number in range(5)]
    for message in first:
        talk.call("subscribe", message)
    said.wait_for(first)
    enough = threading.Event()

    def hammer(name: str) -> None:
        number = 0
        while not enough.is_set():
            number += 1
            send_anyhow(talk, f"{name} {number}")
            if number % 50 == 0:
                enough.wait(0.0005)  # others want to run

    hammers = [in_thread(hammer, name) for name in ("a", "b", "c")]
    try:
        for count in range(2, 7):
            proxy.strike(faults.reset())
            said.wait_until(lambda count=count: len(said.all) == count and len(said.all[-1]) > 50)
    finally:
        enough.set()
    for join in hammers:
        join()
    for conversation in said.all:
        assert conversation[:5] == first
        noise = conversation[5:]
        for name in "abc":
            numbers = [int(str(one).split()[1]) for one in noise if str(one)[0] == name]
            assert numbers == sorted(set(numbers))


# --- what they say


def test_functions_are_asked_each_time(
    watch: Watch, waits: Waits, server: EchoServer, said: Conversations, proxied: Proxied
) -> None:
    """None is nothing to say this time."""
    proxy = proxied(server)
    numbers = iter(range(100))
    answers = iter(["from the start", None, "from 7"])
    talk = watch.open(proxy.url)
    talk.call("subscribe", lambda: f"asked {next(numbers)}")
    talk.call("subscribe", lambda: next(answers))
    first = ["asked 0", "from the start"]
    said.wait_for(first)
    lose(proxy, waits)
    said.wait_for(first, ["asked 1"])
    lose(proxy, waits)
    said.wait_for(first, ["asked 1"], ["asked 2", "from 7"])


def test_what_was_given_stays_as_it_was(
    watch: Watch, waits: Waits, server: EchoServer, said: Conversations, proxied: Proxied
) -> None:
    proxy = proxied(server)
    talk = watch.open(proxy.url)
    own = bytearray(b"before")
    talk.call("subscribe", own)
    own[:] = b"after"
    said.wait_for([b"before"])
    lose(proxy, waits)
    said.wait_for([b"before"], [b"before"])


def test_coroutine_functions(
    front: type[Talk],
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    said: Conversations,
    proxied: Proxied,
) -> None:
    if front is not AsyncioTalk:
        pytest.skip("nothing awaits there")
    import asyncio

    numbers = iter(range(100))

    async def ask() -> str | None:
        await asyncio.sleep(0)
        number = next(numbers)
        return None if number == 1 else f"asked {number}"

    proxy = proxied(server)
    talk = watch.open(proxy.url)
    talk.call("subscribe", ask)
    talk.call("subscribe", lambda: ask())
    said.wait_for(["asked 0"])
    lose(proxy, waits)
    said.wait_for(["asked 0"], ["asked 2", "asked 3"])


def test_what_is_no_message(watch: Watch, server: EchoServer, said: Conversations) -> None:
    talk = watch.open(server.url)
    for wrong in (7, ["a"], lambda: 7, lambda: iter("a")):
        with pytest.raises(tieline.OptionError, match="subscribe: expected"):
            talk.call("subscribe", wrong)
    with pytest.raises(ZeroDivisionError):
        talk.call("subscribe", lambda: 1 // 0)
    with pytest.raises(tieline.OptionError, match="surrogates"):
        talk.call("subscribe", "\ud800")
    response = talk.call("reconnect")
    assert response.reconnected
    talk.send("none of them counts")
    said.wait_for([], ["none of them counts"])
