"""Messages that are asked for → those of one connection after the other, and no half ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.losing import Proxied, lose
from tests.fronts import PATIENCE, AsyncioTalk, CallbackTalk, PlainTalk, Talk
from tests.outages import Waits, Watch, policy, wait_until
from tieline import Opcode, State
from tieline.testing import EchoServer, ScriptedPeer


@pytest.fixture(params=[PlainTalk, AsyncioTalk], ids=lambda front: front.front_name)
def front(request: pytest.FixtureRequest) -> type[Talk]:
    """The fronts whose messages are asked for."""
    return request.param


def chunks_of(talk: Talk, timeout: float = PATIENCE) -> list[str | bytes]:
    """The next message in chunks. Raises what reading it raises; the chunks are lost then."""
    if isinstance(talk, AsyncioTalk):

        async def read() -> list[str | bytes]:
            return [chunk async for chunk in talk.front.recv_stream(timeout)]

        return talk.run(read())
    return list(talk.front.recv_stream(timeout))


def says(*texts: str, then: Callable[[ScriptedPeer], object] = ScriptedPeer.reset) -> Any:
    """A server that says this once it is asked to, and goes."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for text in texts:
            peer.send_text(text)
        peer.expect_text("go")
        then(peer)

    return script


def test_a_timeout_in_an_outage_loses_nothing(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied, in_thread: Any
) -> None:
    proxy = proxied(server)
    talk = watch.open(proxy.url, offline="queue")
    with waits.held():
        lose(proxy, waits)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                talk.receive(0.005)
            with pytest.raises(TimeoutError):
                talk.receive(0)
        receiving = in_thread(talk.receive)
        talk.send("during")
    assert receiving() == "during"
    talk.send("after")
    assert talk.receive() == "after"


def test_many_who_wait(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied, in_thread: Any
) -> None:
    """Through several outages, each gets one."""
    proxy = proxied(server)
    talk = watch.open(proxy.url)
    receiving = [in_thread(talk.receive) for _ in range(6)]
    for count in range(3):
        lose(proxy, waits)
        wait_until(lambda count=count: watch.state is State.OPEN and len(watch.responses) > count)
    wait_until(lambda: talk.front.is_open())
    for number in range(6):
        talk.send(f"message {number}")
    assert sorted(one() for one in receiving) == [f"message {number}" for number in range(6)]


def test_what_had_come_is_received_first(watch: Watch, waits: Waits, scripted: Any) -> None:
    """Messages of three connections, in order, of which the first two were lost meanwhile."""
    first = [f"first {number}" for number in range(10)]
    second = [f"second {number}" for number in range(10)]
    third = [f"third {number}" for number in range(10)]
    last = says(*third, then=lambda peer: peer.finish(1000))
    talk = watch.open(scripted(says(*first), says(*second), last).url)
    for count in (2, 3):
        wait_until(lambda count=count: talk.front.stats().queue_depth == 10 * (count - 1))
        talk.send("go")
        wait_until(lambda count=count: len(watch.responses) == count)
    came = [talk.receive() for _ in range(30)]
    assert came == [*first, *second, *third]
    talk.send("go")
    assert talk.ended().code == 1000


def test_a_full_inbox(watch: Watch, waits: Waits, scripted: Any) -> None:
    """The loss is noticed behind the messages, once there is room for them."""
    count = 2000
    first = [f"first {number}" * 100 for number in range(count)]

    def flood(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for text in first:
            peer.send_text(text)
        peer.send_close(1012)

    def second(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for number in range(count):
            peer.send_text(f"second {number}")
        peer.finish()

    talk = watch.open(scripted(flood, second).url, max_queue=8)
    wanted = [*first, *(f"second {number}" for number in range(count))]
    assert [talk.receive() for _ in wanted] == wanted
    with pytest.raises(tieline.ConnectionClosed):
        talk.receive()
    watch.expect("open", "close 1012", "reconnecting 1", "open again", "close 1000")


# --- messages without their end


def half(opcode: Opcode = Opcode.TEXT) -> Callable[[ScriptedPeer], None]:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_frame(opcode, "first half, ", fin=False)
        peer.expect_text("go")
        peer.reset()

    return script


def whole(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    peer.send_frame(Opcode.TEXT, "a whole one, ", fin=False)
    peer.send_frame(Opcode.CONTINUATION, "and its end")
    peer.send_text("and another")
    peer.finish()


def test_who_reads_a_message_that_is_cut_learns_it(
    watch: Watch, waits: Waits, scripted: Any
) -> None:
    """The stream ends with an error; what is asked for next is the next connection's."""
    talk = watch.open(scripted(half(), whole).url)
    if isinstance(talk, AsyncioTalk):

        async def read() -> str | bytes:
            stream = talk.front.recv_stream(PATIENCE)
            chunk = await anext(stream)
            await talk.front.send("go")
            with pytest.raises(tieline.ConnectionClosed, match="in the middle of a message"):
                await anext(stream)
            return chunk

        assert talk.run(read()) == "first half, "
    else:
        stream = talk.front.recv_stream(PATIENCE)
        assert next(stream) == "first half, "
        talk.send("go")
        with pytest.raises(tieline.ConnectionClosed, match="in the middle of a message"):
            next(stream)
    assert "".join(map(str, chunks_of(talk))) == "a whole one, and its end"
    assert talk.receive() == "and another"


def test_a_message_that_nobody_had_begun_to_read(watch: Watch, waits: Waits, scripted: Any) -> None:
    """It is none: whoever asks, in chunks or not, gets the next whole one."""
    talk = watch.open(scripted(half(), whole).url)
    with pytest.raises(TimeoutError):
        talk.receive(0.02)
    talk.send("go")
    assert talk.receive() == "a whole one, and its end"
    assert chunks_of(talk) == ["and another"]


def test_a_stream_that_was_asked_for_in_the_outage(
    watch: Watch, waits: Waits, scripted: Any, in_thread: Any
) -> None:
    talk = watch.open(scripted(half(), whole).url)
    with waits.held():
        with pytest.raises(TimeoutError):
            talk.receive(0.02)
        talk.send("go")
        waits.wait_for(1)
        with pytest.raises(TimeoutError):
            chunks_of(talk, 0.005)
        reading = in_thread(chunks_of, talk)
    assert "".join(map(str, reading())) == "a whole one, and its end"
    assert talk.receive() == "and another"


def test_a_stream_that_is_left_behind(watch: Watch, waits: Waits, scripted: Any) -> None:
    """It was begun, and is neither read nor closed when its connection is lost."""
    talk = watch.open(scripted(half(), whole).url)
    if isinstance(talk, AsyncioTalk):

        async def begin() -> Any:
            stream = talk.front.recv_stream(PATIENCE)
            assert await anext(stream) == "first half, "
            await talk.front.send("go")
            return stream

        stream = talk.run(begin())
        reader = threading.current_thread()
    else:
        stream = talk.front.recv_stream(PATIENCE)
        assert next(stream) == "first half, "
        talk.send("go")
    wait_until(lambda: len(watch.responses) == 2)
    # Another thread, or task, is free to go on.
    received: list[Any] = []
    reader = threading.Thread(target=lambda: received.append(talk.receive()))
    reader.start()
    reader.join(PATIENCE)
    assert received == ["a whole one, and its end"]
    del stream
    assert talk.receive() == "and another"


def test_callbacks_get_no_half_messages(waits: Waits, scripted: Any, clients: Any) -> None:
    """With streaming=True a handler that has begun to read is told by its stream."""
    outcomes: list[Any] = []
    done = threading.Event()

    def read(stream: Any) -> None:
        chunks = []
        try:
            for chunk in stream:
                chunks.append(chunk)
                if chunks == ["first half, "]:
                    client.send("go")
            outcomes.append("".join(chunks))
        except tieline.ConnectionClosed as error:
            outcomes.append((chunks, "in the middle of a message" in str(error)))
        if len(outcomes) == 3:
            done.set()

    client = clients(
        scripted(half(), whole).url, on_message=read, streaming=True, reconnect=policy()
    )
    client.connect()
    assert done.wait(PATIENCE)
    assert outcomes == [(["first half, "], True), "a whole one, and its end", "and another"]
    assert isinstance(client, tieline.WebSocketClient) and CallbackTalk.front_name == "callback"
