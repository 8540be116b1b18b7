"""LoopLine: one loop's connection, from its dial to its end."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

import tieline
from tests.engine.test_sender import Bench
from tieline.aio.line import LoopLine
from tieline.engine.handlers import Handlers
from tieline.options import Options
from tieline.protocol.wire import Opcode
from tieline.testing import EchoServer, ScriptedServer

SOON = 20.0


def line(url: Any, **options: Any) -> LoopLine:
    return LoopLine(Options.build(url, {"proxy": None} | options), Handlers())


def test_it_needs_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        line("ws://localhost:1/")


def test_from_dial_to_end(run: Any) -> None:
    async def main(url: str) -> None:
        opened = line(url)
        info: dict[str, Any] = {}
        opening = asyncio.ensure_future(opened.open(info))
        await asyncio.sleep(0)
        assert opened.state is tieline.State.CONNECTING
        await opening
        assert opened.state is tieline.State.OPEN and opened.info["peer"] == info["peer"]
        session = opened.session
        assert session is not None and opened.in_handler(), "nothing may block the loop"
        speaker = session.speaker
        await opened.say(session, 1, lambda: False, lambda: speaker.message(Opcode.TEXT, b"a"))
        assert await opened.receive(SOON) == "a"
        with pytest.raises(TimeoutError, match="no message within 0.001 s"):
            await opened.receive(0.001)
        await opened.close(1000, "", None)
        assert opened.state is tieline.State.CLOSED
        with pytest.raises(tieline.ConnectionClosed, match="1000"):
            await opened.receive(None)

    with EchoServer() as server:
        run(main(server.url))


def test_callables_do_not_block_the_loop(run: Any) -> None:
    """They run where the dial does: a look-up of a token may take its time."""

    async def main(url: str) -> None:
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()

        def headers() -> dict[str, str]:
            future = asyncio.run_coroutine_threadsafe(answer(), loop)
            return {"X-Token": future.result(SOON)}

        async def answer() -> str:
            asked.set()
            return "t"

        opened = line(url, headers=headers)
        await opened.open({})
        assert asked.is_set()
        await opened.close(1000, "", None)

    with EchoServer() as server:
        run(main(server.url))


@pytest.mark.parametrize("error", [ZeroDivisionError, tieline.OptionError])
def test_a_callable_that_fails_leaves_no_dial_behind(run: Any, error: type[Exception]) -> None:
    async def main() -> None:
        def url() -> Any:
            return 1 / 0 if error is ZeroDivisionError else 5

        failed = line(url)
        for _ in range(2):
            with pytest.raises(error):
                await failed.open({})
        assert failed.state is tieline.State.CLOSED

    run(main())


def test_what_the_kernel_takes_last_does_not_double_the_time(run: Any) -> None:
    """The peer has stopped; of the kernel's buffer some is free soon after, and none is told."""

    async def main() -> None:
        bench = Bench(capacity=100, timeout=15.0)
        bench.handler = threading.get_ident()
        bench.sender.message(Opcode.TEXT, bytes(3000))
        waits: list[float] = []

        async def wait(limit: float) -> None:
            if not waits:
                bench.far.read()
            waits.append(limit)
            bench.clock.advance(limit)
            raise TimeoutError

        told = line("ws://localhost:1/")
        told._senders = SimpleNamespace(wait=wait)  # type: ignore[assignment]
        session: Any = SimpleNamespace(sender=bench.sender, lock=bench.lock, is_open=True)
        with pytest.raises(tieline.SendTimeout):
            await told.say(session, 1, lambda: bench.sender.is_full, lambda: None)
        assert 15.0 <= sum(waits) <= 15.0 * 1.1

    run(main())


def test_who_waits_for_room_leaves_alone_a_stream_that_is_gone(run: Any) -> None:
    async def main() -> None:
        bench = Bench(capacity=100, timeout=15.0)
        bench.handler = threading.get_ident()
        bench.sender.message(Opcode.TEXT, bytes(3000))
        touched: list[str] = []
        bench.near.flush = lambda: touched.append("flush") or True  # type: ignore[func-returns-value, method-assign]

        async def wait(limit: float) -> None:
            bench.outgoing.is_open = session.is_open = False
            bench.sender.drop()
            bench.near.has_pending_output = True
            raise TimeoutError

        told = line("ws://localhost:1/")
        told._senders = SimpleNamespace(wait=wait, wake=bool)  # type: ignore[assignment]
        session: Any = SimpleNamespace(sender=bench.sender, lock=bench.lock, is_open=True)
        await told._room(session, 1, lambda: True)
        assert touched == []

    run(main())


def test_an_answer_that_is_cut_off(run: Any) -> None:
    def script(peer: Any) -> None:
        peer.read_request()
        peer.reset()

    async def main(url: str) -> None:
        with pytest.raises(tieline.ConnectError, match="upgrade"):
            await line(url).open({})

    with ScriptedServer(script) as server:
        run(main(server.url))
