"""PingWaiter of the asyncio front: many may await it, and none hangs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.refusals import NO_SECONDS
from tieline.aio.pings import PingWaiter
from tieline.errors import OptionError


def test_the_round_trip(run: Any) -> None:
    async def main() -> None:
        waiter = PingWaiter()
        assert not waiter.done and repr(waiter) == "<PingWaiter, waiting>"
        both = asyncio.gather(waiter.wait(5), waiter.wait())
        await asyncio.sleep(0)
        waiter.resolve(0.25)
        assert await both == [0.25, 0.25]
        assert await waiter == 0.25 and waiter.done
        waiter.give_up(RuntimeError("too late"))
        assert await waiter == 0.25

    run(main())


def test_the_end_comes_first(run: Any) -> None:
    async def main() -> None:
        waiter = PingWaiter()
        waiting = asyncio.ensure_future(waiter.wait())
        await asyncio.sleep(0)
        waiter.give_up(ConnectionResetError("gone"))
        for awaitable in (waiting, waiter):
            with pytest.raises(ConnectionResetError):
                await awaitable

    run(main())


def test_no_pong(run: Any) -> None:
    async def main() -> None:
        waiter = PingWaiter()
        with pytest.raises(TimeoutError, match="no Pong within 0 s"):
            await waiter.wait(0)
        waiting = asyncio.ensure_future(waiter.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        waiter.resolve(1.0)
        assert await waiter.wait(0) == 1.0

    run(main())


@pytest.mark.parametrize("value", NO_SECONDS)
def test_what_is_no_timeout_is_refused(run: Any, value: Any) -> None:
    async def main() -> None:
        waiter = PingWaiter()
        for _ in range(2):
            with pytest.raises(OptionError, match="timeout: expected seconds"):
                await waiter.wait(value)
            waiter.resolve(1.0)

    run(main())
