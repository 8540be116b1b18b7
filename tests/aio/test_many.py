"""Many messages in one call, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import tieline
from tests.engine.test_many import ECHOED, MIXED
from tieline.testing import EchoServer


async def slowly(messages: Any) -> AsyncIterator[Any]:
    for message in messages:
        await asyncio.sleep(0)
        yield message


@pytest.mark.parametrize("source", [list, iter, slowly])
def test_all_kinds_in_order(run: Any, source: Any) -> None:
    async def main() -> None:
        with EchoServer() as server:
            async with tieline.aio.connect(server.url, proxy=None) as ws:
                await ws.send_many(source(MIXED))
                assert [await ws.recv(10) for _ in MIXED] == ECHOED

    run(main())


def test_more_than_the_buffer_holds(run: Any) -> None:
    sent = [b"%06d" % number + b"x" * 500 for number in range(3000)]

    async def main() -> None:
        with EchoServer() as server:
            async with tieline.aio.connect(server.url, proxy=None) as ws:
                sending = asyncio.ensure_future(ws.send_many(sent))
                assert [await ws.recv(10) for _ in sent] == sent
                await sending

    run(main())


def test_errors_say_how_many(run: Any) -> None:
    async def main() -> None:
        with EchoServer() as server:
            async with tieline.aio.connect(server.url, proxy=None) as ws:
                with pytest.raises(tieline.OptionError, match="send_many"):
                    await ws.send_many("text")
                with pytest.raises(tieline.OptionError) as raised:
                    await ws.send_many(["a", 3])
                assert raised.value.__notes__ == [
                    "send_many: 1 messages were sent or are in the write buffer"
                ]

    run(main())
