"""Streams that a loop takes over: as they are, or over a transport where it watches nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import tieline
from tieline import aio
from tieline.aio.adoption import take_over
from tieline.aio.loop_reactor import lowest, running_loop_reactor
from tieline.aio.transport_stream import TransportStream
from tieline.testing import EchoServer
from tieline.transport.stream import SocketStream

SOON = 20.0


class WatchesNothing(asyncio.SelectorEventLoop):
    """A loop like Windows' own."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        raise NotImplementedError

    def remove_reader(self, fd: Any) -> bool:
        raise NotImplementedError


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_where_descriptors_are_watched(run: Any, connected: Any, kind: str) -> None:
    async def main() -> None:
        stream, _ = connected(kind)
        assert await take_over(stream, running_loop_reactor()) is stream
        assert isinstance(lowest(stream), SocketStream)
        stream.close()

    run(main())


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_where_they_are_not(connected: Any, kind: str) -> None:
    async def main() -> None:
        stream, _ = connected(kind)
        stream = await take_over(stream, running_loop_reactor())
        assert isinstance(lowest(stream), TransportStream)
        stream.close()

    with asyncio.Runner(loop_factory=WatchesNothing, debug=True) as runner:
        runner.run(main())


def test_a_stream_that_is_closed_when_it_cannot_be_taken_over(run: Any, connected: Any) -> None:
    class Broken:
        def fileno(self) -> int:
            raise OSError("no descriptor")

        is_closed = False

        def close(self) -> None:
            self.is_closed = True

    async def main() -> None:
        stream: Any = Broken()
        with pytest.raises(OSError, match="no descriptor"):
            await take_over(stream, running_loop_reactor())
        assert stream.is_closed

    run(main())


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer() as server:
        yield server


def test_a_conversation_on_a_loop_that_watches_nothing(echo: EchoServer) -> None:
    async def main() -> None:
        async with aio.connect(echo.url, proxy=None, max_queue=4) as ws:
            for size in (0, 10, 300_000):
                await ws.send(b"x" * size)
                assert await ws.recv(SOON) == b"x" * size
            for number in range(500):
                await ws.send(f"{number} " + "x" * 1000)
            for number in range(500):
                assert str(await ws.recv(SOON)).startswith(f"{number} ")
            with pytest.raises(TimeoutError):
                await ws.recv(0.001)
            assert await (await ws.ping()) > 0
        assert ws.close_info is not None and ws.close_info.clean
        assert ws.state is tieline.State.CLOSED

    with asyncio.Runner(loop_factory=WatchesNothing, debug=True) as runner:
        runner.run(main())
