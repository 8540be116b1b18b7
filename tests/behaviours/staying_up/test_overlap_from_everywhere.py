"""Overlaps that are asked for in handlers, while others receive, or with an executor → as ever."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.behaviours.staying_up.conversations import Conversations
from tests.fronts import PATIENCE, AsyncioTalk, CallbackTalk, Talk
from tests.outages import Watch, wait_until
from tieline import ConnectCancelled, State
from tieline.testing import EchoServer, Recorder, ScriptedPeer


def old(peer: ScriptedPeer) -> None:
    """Sends messages before and after the Close that it gets."""
    peer.accept_upgrade()
    for number in range(100):
        peer.send_text(f"old {number}")
    peer.expect_close(1001)
    for number in range(100, 200):
        peer.send_text(f"old {number}")
    peer.send_close(1001)


def new(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    for number in range(100):
        peer.send_text(f"new {number}")
    peer.finish()


IN_ORDER = [f"old {number}" for number in range(200)] + [f"new {number}" for number in range(100)]


def test_while_others_receive(
    front: type[Talk], watch: Watch, scripted: Any, in_thread: Any
) -> None:
    """Those who wait for a message go on with the new connection."""
    if front is CallbackTalk:
        pytest.skip("its messages come by themselves")

    def quiet(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_text("go on")
        peer.send_text("first")
        peer.expect_close(1001)
        peer.send_text("second")
        peer.send_close(1001)

    def last(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_text("third")
        peer.send_text("fourth")
        peer.finish()

    talk = watch.open(scripted(quiet, last).url)
    receiving = [in_thread(talk.receive) for _ in range(4)]
    talk.send("go on")
    talk.call("reconnect", overlap=True)
    assert sorted(receive() for receive in receiving) == ["first", "fourth", "second", "third"]
    talk.ended()
    watch.expect("open", "close 1001", "end", "open again", "close 1000", "end")


def test_one_thread_receives_all_in_order(
    front: type[Talk], watch: Watch, scripted: Any, in_thread: Any
) -> None:
    if front is CallbackTalk:
        pytest.skip("its messages come by themselves")
    talk = watch.open(scripted(old, new).url, max_queue=16)
    receiving = in_thread(lambda: [talk.receive() for _ in IN_ORDER])
    talk.call("reconnect", overlap=True)
    assert receiving() == IN_ORDER


def test_in_chunks(front: type[Talk], watch: Watch, scripted: Any) -> None:
    """The stream of a message that is being read goes on to its end."""
    if front is CallbackTalk:
        pytest.skip("its messages come by themselves")

    def halves(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_frame(1, "first half, ", fin=False)
        peer.expect_close(1001)
        peer.send_frame(0, "second half")
        peer.send_close(1001)

    talk = watch.open(scripted(halves, new).url)
    if isinstance(talk, AsyncioTalk):

        async def read() -> list[Any]:
            stream = talk.front.recv_stream(PATIENCE)
            chunks = [await anext(stream)]
            await talk.front.reconnect(overlap=True)
            return [*chunks, *[chunk async for chunk in stream]]

        chunks = talk.run(read())
    else:
        stream = talk.front.recv_stream(PATIENCE)
        chunks = [next(stream)]
        talk.call("reconnect", overlap=True)
        chunks += list(stream)
    assert chunks == ["first half, ", "second half"]
    assert talk.receive() == "new 0"


def test_in_a_handler(watch: Watch, front: type[Talk], scripted: Any) -> None:
    def pings(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_text("go on")
        peer.send_frame(9, "now")
        peer.send_text("old 0")
        peer.expect_close(1001)
        peer.send_text("old 1")
        peer.send_close(1001)

    results: list[Any] = []

    def replace(data: bytes) -> None:
        wish = watch.talk.front.reconnect(overlap=True)
        if front is AsyncioTalk:
            task = asyncio.get_running_loop().create_task(wish)
            task.add_done_callback(lambda done: results.append(done.result()))
        else:
            results.append(wish)

    talk = watch.open(scripted(pings, new).url, on_ping=replace)
    talk.send("go on")
    wanted = ["old 0", "old 1", *(f"new {number}" for number in range(100))]
    assert [talk.receive() for _ in wanted] == wanted
    wait_until(lambda: results)
    assert results[0].reconnected
    talk.ended()
    watch.expect("open", "close 1001", "end", "open again", "close 1000", "end")


@pytest.mark.parametrize("streaming", [False, True])
def test_with_an_executor(front: type[Talk], scripted: Any, clients: Any, streaming: bool) -> None:
    """The order is the same, whoever runs the handlers, and however far they are behind."""
    if front is not CallbackTalk:
        pytest.skip("the others have no executor")
    recorder = Recorder()
    goes_on = threading.Event()
    texts: list[str] = []

    def keep(message: Any) -> None:
        goes_on.wait(PATIENCE)
        texts.append("".join(message) if streaming else message)

    with ThreadPoolExecutor(2) as executor:
        client = clients(
            scripted(old, new).url,
            on_message=keep,
            executor=executor,
            streaming=streaming,
            max_queue=16,
            **recorder.handlers("open", "close"),
        )
        client.connect()
        client.reconnect(overlap=True)
        assert client.is_open()
        goes_on.set()
        client.wait(PATIENCE)
        assert texts == IN_ORDER
        kinds = [record.kind for record in recorder.take()]
        assert kinds == ["open", "close", "open", "close"]
        assert recorder.overlaps == []
        assert client.state is State.CLOSED


def test_many_at_once(
    watch: Watch, server: EchoServer, said: Conversations, in_thread: Any
) -> None:
    """Of several who want it at once the last one gets it; nothing is left open."""
    talk = watch.open(server.url)

    def replace() -> bool:
        try:
            talk.call("reconnect", overlap=True)
        except ConnectCancelled:
            return False
        return True

    for _ in range(3):
        done = [in_thread(replace) for _ in range(4)]
        assert any([one() for one in done])
        assert talk.front.is_open()
    talk.send("still here")
    assert talk.receive() == "still here"
    wait_until(lambda: len(server.connections) == 1)
