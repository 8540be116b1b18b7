"""LoopSupervisor: one dial and one connection at a time on a loop, and nothing left behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tieline.aio.line import LoopLine
from tieline.engine.handlers import Handlers
from tieline.errors import ConnectError, ConnectTimeout
from tieline.options import Options
from tieline.protocol.state import State
from tieline.reconnect import Reconnect
from tieline.testing import EchoServer

NOBODY = "ws://127.0.0.1:1/"


def line(url: Any, **options: Any) -> LoopLine:
    checked = Options.build(url, {"proxy": None, "close_timeout": 1.0} | options)
    return LoopLine(checked, Handlers())


def drivers() -> list[str]:
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith("tieline-reconnect")]


async def reaches(supervisor: LoopLine, state: State) -> None:
    while supervisor.state is not state:
        await asyncio.sleep(0.001)


def test_a_lost_connection_is_replaced_by_a_task(run: Any) -> None:
    async def main(server: EchoServer) -> None:
        supervisor = line(server.url, reconnect=Reconnect(initial=0.001))
        await supervisor.open({})
        first = supervisor.session
        server.close_connections(1012, "")
        while supervisor.session is first:
            await asyncio.sleep(0.001)
        assert supervisor.state is State.OPEN
        await supervisor.close(1000, "", None)
        assert supervisor.state is State.CLOSED and drivers() == []

    with EchoServer() as server:
        run(main(server))


def test_a_first_dial_that_fails_is_the_end(run: Any) -> None:
    async def main() -> None:
        supervisor = line(NOBODY, reconnect=True)
        with pytest.raises(ConnectError):
            await supervisor.open({})
        assert supervisor.state is State.CLOSED and drivers() == []

    run(main())


def test_by_hand_again_before_the_background_has_begun(run: Any) -> None:
    """Its task is cancelled before its first step; the connection that follows is served."""

    async def main(server: EchoServer) -> None:
        urls = iter([server.url, NOBODY, server.url])
        supervisor = line(lambda: next(urls), reconnect=Reconnect(initial=30.0))
        await supervisor.open({})
        try:
            await supervisor.reconnect()
        except ConnectError:
            await supervisor.reconnect()  # at once: the loop has not turned since
        assert supervisor.session is supervisor.succession.served
        await supervisor.close(1000, "", None)
        assert supervisor.close_info is not None and supervisor.close_info.code == 1000
        assert supervisor.state is State.CLOSED and drivers() == []

    with EchoServer() as server:
        run(main(server))


def test_by_hand_and_when_that_fails_in_the_background(run: Any) -> None:
    """Once with an error, then quietly, until somebody closes."""

    async def main(server: EchoServer) -> None:
        urls = iter([server.url, server.url])
        supervisor = line(lambda: next(urls, NOBODY), reconnect=Reconnect(initial=30.0))
        await supervisor.open({})
        response = await supervisor.reconnect()
        assert (response.reconnected, response.attempts) == (True, 1)
        with pytest.raises(ConnectError):
            await supervisor.reconnect()
        await reaches(supervisor, State.RECONNECTING)
        assert len(drivers()) == 1
        await supervisor.close(1000, "", None)
        assert supervisor.state is State.CLOSED and drivers() == []

    with EchoServer() as server:
        run(main(server))


def test_an_overlap_that_fails_keeps_the_old_connection(run: Any) -> None:
    async def main(server: EchoServer) -> None:
        urls = iter([server.url])
        supervisor = line(lambda: next(urls, NOBODY), reconnect=True)
        await supervisor.open({})
        session = supervisor.session
        with pytest.raises(ConnectError):
            await supervisor.reconnect(overlap=True)
        assert supervisor.session is session and supervisor.state is State.OPEN
        await supervisor.close(1000, "", None)

    with EchoServer() as server:
        run(main(server))


def test_a_subscription_may_take_as_long_as_a_dial(run: Any) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return "never said"

    async def main(server: EchoServer) -> None:
        supervisor = line(server.url, connect_timeout=0.5)
        supervisor.resumption.add(never)
        with pytest.raises(ConnectTimeout, match="connect_timeout=0.5 s"):
            await supervisor.open({})
        assert supervisor.state is State.CLOSED

    with EchoServer() as server:
        run(main(server))


def test_it_belongs_to_one_loop(run: Any) -> None:
    async def main(server: EchoServer) -> None:
        supervisor = line(server.url)
        await supervisor.open({})

        async def elsewhere() -> None:
            with pytest.raises(RuntimeError, match="belongs to another event loop"):
                await supervisor.close(1000, "", None)
            with pytest.raises(RuntimeError, match="belongs to another event loop"):
                await supervisor.reconnect()

        await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
        await supervisor.close(1000, "", None)

    with EchoServer() as server:
        run(main(server))
