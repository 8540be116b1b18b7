"""Connection of the asyncio front: what awaiting gives, and what cancelling takes away: nothing."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import threading
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import tieline
import tieline.events
from tieline import aio
from tieline.engine.receive_buffer import LARGEST_BUFFER
from tieline.testing import EchoServer, Recorder

SOON = 20.0


def connect(server: Any, **options: Any) -> aio.Connecting:
    return aio.connect(server.url, **({"proxy": None} | options))


# --- opening --------------------------------------------------------------------------------------


def test_both_ways_to_open(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        info: dict[str, Any] = {}
        ws = await connect(echo, info=info)
        assert (ws.state, ws.is_open()) == (tieline.State.OPEN, True)
        assert info["response-code"] == 101 and info["timings"]["total"] > 0
        await ws.close()
        assert ws.state is tieline.State.CLOSED
        assert ws.close_info is not None and ws.close_info.clean and ws.close_info.code == 1000
        connecting = connect(echo)
        async with connecting as outer, connecting as inner:
            assert outer is not inner
        assert not outer.is_open() and not inner.is_open()
        for _ in range(2):
            async with connecting as ws:
                await ws.send("a")
                assert await ws.recv() == "a"
            assert not ws.is_open()
        async with asyncio.timeout(SOON):
            while threading.active_count() > before:  # a dial's thread may be on its way out
                await asyncio.sleep(0)

    before = threading.active_count()
    run(main())


def test_what_is_refused_at_once() -> None:
    for options, text in [
        ({"callback": print}, "callback: a connection made by connect"),
        ({"on_message": print}, "on_message: a connection made by connect"),
        ({"executor": lambda job: job()}, "executor"),
        ({"reactor": tieline.Reactor()}, "reactor"),
        ({"info": []}, "info: expected a dict"),
        ({"max_que": 1}, "max_que"),
    ]:
        with pytest.raises(tieline.OptionError, match=text):
            aio.connect("ws://localhost:1/", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "options"), [((), {}), (("ws://a/",), {}), (("ws://a/", "b"), {"timeout": 5})]
)
def test_the_class_is_not_called(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"use await tieline\.aio\.connect\(url, \.\.\.\)"):
        aio.Connection(*arguments, **options)


def test_nobody_there(run: Any) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{bound.getsockname()[1]}/"

        async def main() -> None:
            info: dict[str, Any] = {}
            with pytest.raises(tieline.ConnectError):
                await aio.connect(url, proxy=None, info=info)
            assert info["url"] == url

        run(main())


def test_a_dial_that_is_cancelled(run: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.read_request()
        peer.expect_end()

    server = scripted(script)

    async def main() -> None:
        asked = asyncio.Event()

        def on_event(event: Any) -> None:
            if isinstance(event, tieline.events.RequestEvent):
                asked.set()

        dialling = asyncio.ensure_future(_open(server, on_event=on_event))
        async with asyncio.timeout(SOON):
            await asked.wait()
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling

    run(main())
    server.wait()


async def _open(server: Any, **options: Any) -> aio.Connection:
    return await connect(server, **options)


def test_handlers_run_on_the_loop_in_order(run: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_frame(tieline.Opcode.PING, b"p")
        peer.send_text("a")
        peer.send_close(1011, "down")
        peer.expect_close(1011)

    server = scripted(script)
    told: list[Any] = []

    def note(kind: str) -> Callable[[Any], None]:
        def noted(value: Any) -> None:
            assert threading.current_thread() is threading.main_thread()
            asyncio.get_running_loop()
            told.append(kind)

        return noted

    async def main() -> None:
        kinds = ("open", "ping", "close", "event")
        handlers = {f"on_{kind}": note(kind) for kind in kinds}
        async with connect(server, **handlers) as ws:
            assert await ws.recv() == "a"
            with pytest.raises(tieline.ConnectionClosed, match="1011") as raised:
                await ws.recv()
            assert raised.value.close_info.reason == "down"

    run(main())
    assert [kind for kind in told if kind != "event"] == ["open", "ping", "close"]
    assert told[0] == "event" and told.count("event") >= 7


# --- receiving ------------------------------------------------------------------------------------


def test_messages_of_all_kinds(run: Any, echo: EchoServer) -> None:
    async def pieces() -> AsyncIterator[str]:
        for piece in ("x", "", "y"):
            yield piece

    async def main() -> None:
        async with connect(echo) as ws:
            for message, expected in [
                ("text", "text"),
                ("", ""),
                (b"\x00", b"\x00"),
                (bytearray(b"z" * 300_000), b"z" * 300_000),
                (["a", "b"], "ab"),
                ((b"a", b"b"), b"ab"),
                (pieces(), "xy"),
            ]:
                await ws.send(message)
                assert await ws.recv(SOON) == expected
            await ws.send_json({"a": [1]})
            assert await ws.recv_json(SOON) == {"a": [1]}
            await ws.send_frame("a", tieline.Opcode.TEXT, fin=False)
            await ws.send_frame("", tieline.Opcode.PONG)
            await ws.send_frame("p", tieline.Opcode.PING)
            with pytest.raises(tieline.ProtocolError, match="finish it"):
                await ws.send("whole")  # it would wait for itself
            await ws.send_frame("b", tieline.Opcode.CONTINUATION)
            assert await ws.recv(SOON) == "ab"
            waiter = await ws.ping(b"data")
            assert await waiter == ws.latency
            await ws.pong()
            assert ws.stats().pings_sent == 2

    run(main())


def test_what_is_not_json(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo) as ws:
            await ws.send("{oops" + "x" * 100)
            with pytest.raises(ValueError) as raised:
                await ws.recv_json(SOON)
            assert "{oops" in raised.value.__notes__[0]
            assert len(raised.value.__notes__[0]) < 150

    run(main())


@pytest.mark.parametrize(
    ("code", "ends"), [(1000, True), (1001, True), (1011, False), (4000, False)]
)
def test_iteration(run: Any, scripted: Any, code: int, ends: bool) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_text("a")
        peer.send_binary(b"b")
        peer.send_close(code)
        peer.expect_close(code)

    server = scripted(script)

    async def main() -> None:
        received = []
        async with connect(server) as ws:
            try:
                async for message in ws:
                    received.append(message)
            except tieline.ConnectionClosed as closed:
                assert not ends and closed.close_info.code == code
            else:
                assert ends
            with pytest.raises(tieline.ConnectionClosed):
                await ws.recv(0)
        assert received == ["a", b"b"]

    run(main())


def test_a_full_queue_stops_reading_and_loses_nothing(run: Any, scripted: Any) -> None:
    count = 10_000

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for number in range(count):
            peer.send_text(f"{number:0100}")
        peer.expect_close(1000)
        peer.send_close(1000)

    server = scripted(script)

    async def main() -> None:
        async with connect(server, max_queue=50) as ws:
            deepest = 0
            for number in range(count):
                assert await ws.recv(SOON) == f"{number:0100}"
                deepest = max(deepest, ws.stats().queue_depth)
            # One read may go beyond.
            assert deepest < 50 + LARGEST_BUFFER // 100

    run(main())


def test_close_with_a_full_queue(run: Any, scripted: Any) -> None:
    """What waits is kept, the rest is counted, and the peer's Close is found behind it."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for _ in range(50):
            peer.send_text("x" * 60_000)
        peer.expect_close(1000)
        peer.send_close(1000)

    server = scripted(script)

    async def main() -> None:
        ws = await connect(server, max_queue=2)
        assert await ws.recv(SOON)
        await ws.close(timeout=SOON)
        assert ws.close_info is not None and ws.close_info.clean
        kept = ws.stats().queue_depth
        assert kept + ws.stats().dropped == 49 and kept >= 2
        for _ in range(kept):
            assert await ws.recv(0) == "x" * 60_000
        with pytest.raises(tieline.ConnectionClosed):
            await ws.recv()

    run(main())


# --- cancelling -----------------------------------------------------------------------------------


def test_random_cancels_lose_and_double_nothing(run: Any, echo: EchoServer) -> None:
    chance = random.Random(7)
    count = 1500

    async def main() -> None:
        async with connect(echo, max_queue=8) as ws:
            received: list[str] = []
            sent: list[str] = []

            async def receive() -> None:
                while len(received) < count:
                    task = asyncio.ensure_future(ws.recv(chance.choice([None, 0, 0.0005, 1])))
                    for _ in range(chance.randrange(6)):
                        await asyncio.sleep(0)
                    if chance.random() < 0.5:
                        task.cancel()
                    try:
                        received.append(str(await task))
                    except (asyncio.CancelledError, TimeoutError):
                        pass

            async def send() -> None:
                while len(sent) < count:
                    text = f"{len(sent)} " + "x" * chance.choice([0, 10, 30_000])
                    task = asyncio.ensure_future(ws.send(text))
                    for _ in range(chance.randrange(3)):
                        await asyncio.sleep(0)
                    if chance.random() < 0.3:
                        task.cancel()
                    try:
                        await task
                    except asyncio.CancelledError:
                        continue  # it was not sent, so it is sent again
                    sent.append(text)

            async with asyncio.TaskGroup() as group:
                group.create_task(receive())
                group.create_task(send())
            assert received == sent

    run(main())


def test_many_receivers_and_many_senders(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo) as ws:
            received: list[str] = []

            async def receive() -> None:
                async for message in ws:
                    received.append(str(message))

            async def send(sender: int) -> None:
                for number in range(100):
                    await ws.send(f"{sender} {number}")
                    if number % 10 == 0:
                        await asyncio.sleep(0)

            async with asyncio.TaskGroup() as group:
                receivers = [group.create_task(receive()) for _ in range(10)]
                async with asyncio.TaskGroup() as senders:
                    for sender in range(10):
                        senders.create_task(send(sender))
                async with asyncio.timeout(SOON):
                    while len(received) < 1000:
                        await asyncio.sleep(0)
                await ws.close()
            assert all(task.done() for task in receivers)
            for sender in range(10):
                mine = [line for line in received if line.startswith(f"{sender} ")]
                assert mine == [f"{sender} {number}" for number in range(100)]

    run(main())


# --- ending ---------------------------------------------------------------------------------------


def test_close_is_bounded_and_idempotent(run: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    server = scripted(script)

    async def main() -> None:
        ws = await connect(server)
        with pytest.raises(tieline.OptionError, match="1005"):
            await ws.close(1005)
        assert ws.is_open()
        receiving = asyncio.ensure_future(ws.recv())
        async with asyncio.timeout(SOON):
            await asyncio.gather(ws.close(4000, "bye", timeout=0.05), ws.close(timeout=0.05))
        with pytest.raises(tieline.ConnectionClosed):
            await receiving
        assert ws.close_info is not None and ws.close_info.sent == (4000, "bye")
        assert "within 0.05 s" in str(ws.close_info.error)
        await ws.close()
        with pytest.raises(tieline.ConnectionClosed):
            await ws.send("x")

    run(main())


def test_a_task_that_is_cancelled_leaves_quickly(run: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        peer.hold()

    server = scripted(script)

    async def main() -> None:
        inside = asyncio.Event()

        async def work() -> None:
            async with connect(server) as ws:
                inside.set()
                await ws.recv()

        task = asyncio.ensure_future(work())
        await inside.wait()
        task.cancel()
        async with asyncio.timeout(6):  # `close_timeout` is 10
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main())


def test_one_that_nobody_holds_is_closed(run: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        peer.expect_end()

    server = scripted(script)

    async def main() -> None:
        ws = await connect(server)
        del ws
        gc.collect()
        await asyncio.to_thread(server.wait)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main())


def test_a_client_whose_handlers_run_on_the_loop(run: Any, echo: EchoServer) -> None:
    recorder = Recorder()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def on_message(message: Any) -> None:
            assert asyncio.get_running_loop() is loop
            recorder.callback(message)
            if message == "99":
                with pytest.raises(RuntimeError, match="handler"):
                    client.wait()
                client.disconnect()
            elif message is None:
                done.set()

        client = tieline.WebSocketClient(on_message, echo.url, proxy=None, executor=loop)
        await asyncio.to_thread(client.connect)
        for number in range(100):
            client.send(str(number))
        async with asyncio.timeout(SOON):
            await done.wait()
        client.disconnect()

    run(main())
    assert [record.value for record in recorder.take()] == [*map(str, range(100)), None]


# --- mistakes -------------------------------------------------------------------------------------


def test_one_that_is_never_awaited(echo: EchoServer) -> None:
    with pytest.warns(RuntimeWarning, match="never awaited"):
        connect(echo)


def test_before_it_is_awaited(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        connecting = connect(echo)
        with pytest.raises(AttributeError, match=r"'recv': there is no connection yet; use 'async"):
            connecting.recv  # type: ignore[attr-defined]  # noqa: B018
        ws = await connecting
        await ws.close()

    run(main())


def test_as_a_task(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(connect(echo)) for _ in range(3)]
        for task in tasks:
            ws = task.result()
            await ws.send("a")
            assert await ws.recv(SOON) == "a"
            await ws.close()
        cancelled = asyncio.create_task(connect(echo))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    run(main())


def test_on_another_loop(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo) as ws:

            async def elsewhere() -> None:
                for call in (ws.recv(), ws.send("x"), ws.ping(), ws.close(), ws.send(["a"])):
                    with pytest.raises(RuntimeError, match="belongs to another event loop"):
                        await call

            waiter = await ws.ping()

            async def for_the_pong() -> None:
                with pytest.raises(RuntimeError, match="another event loop"):
                    await waiter

            await asyncio.to_thread(asyncio.run, elsewhere())
            await asyncio.to_thread(asyncio.run, for_the_pong())
            await ws.send("a")
            assert await ws.recv(SOON) == "a"

    run(main())


def test_after_its_loop_has_ended(new_loop: Any, echo: EchoServer) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        ws = runner.run(_open(echo))
    for call in (ws.close, ws.recv, ws.reconnect):
        with pytest.raises(RuntimeError, match="ended with its event loop, which is closed"):
            asyncio.run(call())  # type: ignore[arg-type]


def test_what_is_for_threads_only(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        ws = await _open(echo)
        with pytest.raises(TypeError, match="with: .* 'async with'"):
            with ws:
                pass
        async with ws:
            await ws.send("x")

    run(main())


def test_after_its_loop_was_closed(new_loop: Any, scripted: Any) -> None:
    """A bare `loop.close()` gives no sign; it must not look as if the line were up."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    server = scripted(script)
    loop = new_loop()
    ws = loop.run_until_complete(_open(server))
    assert ws.is_open()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # asyncio's, of its transport
        loop.close()
        assert not ws.is_open()
        with pytest.raises(tieline.ConnectionClosed, match="the event loop was closed"):
            ws.send_threadsafe("x")
        session = ws._line.session
        assert session is not None and session.finished.wait(SOON)
        assert ws.state is tieline.State.CLOSED
        del ws, session, loop
        gc.collect()
