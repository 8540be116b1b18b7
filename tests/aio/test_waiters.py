"""Waiters: in order, and no wake-up is lost with a task that is cancelled."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tieline.aio.waiters import Waiters


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_in_order(run: Any) -> None:
    async def main() -> None:
        waiters, woken = Waiters(), []

        async def wait(number: int) -> None:
            await waiters.wait()
            woken.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(wait(number))
            await settle()
            waiters.wake(2)
            await settle()
            assert woken == [0, 1]
            waiters.wake()
        assert woken == [0, 1, 2, 3, 4]

    run(main())


def test_a_wake_up_is_handed_on_by_a_task_that_is_cancelled(run: Any) -> None:
    async def main() -> None:
        waiters = Waiters()
        first, second = (asyncio.ensure_future(waiters.wait()) for _ in range(2))
        await settle()
        waiters.wake(1)
        first.cancel()  # before it could run
        async with asyncio.timeout(5):
            await second
        assert first.cancelled()

    run(main())


def test_who_is_cancelled_is_not_woken(run: Any) -> None:
    async def main() -> None:
        waiters = Waiters()
        first, second = (asyncio.ensure_future(waiters.wait()) for _ in range(2))
        await settle()
        first.cancel()
        waiters.wake(1)
        async with asyncio.timeout(5):
            await second
        with suppress(asyncio.CancelledError):
            await first

    run(main())


def test_a_limit(run: Any) -> None:
    async def main() -> None:
        waiters = Waiters()
        with pytest.raises(TimeoutError):
            await waiters.wait(0.001)
        waiters.wake(1)  # nobody there

    run(main())
