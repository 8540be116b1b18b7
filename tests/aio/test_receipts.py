"""Receipt: tasks of one loop wait for what any thread tells."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tests.refusals import NO_SECONDS
from tieline.aio.loop_reactor import running_loop_reactor
from tieline.aio.receipts import Receipt
from tieline.errors import ConnectionClosed, OptionError

SOON = 5.0


def test_what_has_happened_is_not_waited_for(run: Any) -> None:
    async def main() -> None:
        receipt = Receipt(running_loop_reactor())
        receipt.delivered()
        await receipt
        await receipt.wait(0)
        lost = Receipt(running_loop_reactor())
        lost.failed(ConnectionClosed("gone"))
        for _ in range(2):
            with pytest.raises(ConnectionClosed, match="gone"):
                await lost

    run(main())


@pytest.mark.parametrize("where", ["on the loop", "on another thread"])
def test_all_tasks_that_wait_are_woken(run: Any, where: str) -> None:
    async def main() -> None:
        receipt = Receipt(running_loop_reactor())
        tasks = [asyncio.ensure_future(receipt.wait(SOON)) for _ in range(3)]
        await asyncio.sleep(0)
        if where == "on the loop":
            receipt.delivered()
        else:
            thread = threading.Thread(target=receipt.delivered)
            thread.start()
            await asyncio.gather(*tasks)
            thread.join(SOON)
        await asyncio.gather(*tasks)

    run(main())


def test_a_wait_that_is_too_short_or_cancelled_changes_nothing(run: Any) -> None:
    async def main() -> None:
        receipt = Receipt(running_loop_reactor())
        with pytest.raises(TimeoutError, match="may be sent"):
            await receipt.wait(0.001)
        task = asyncio.ensure_future(receipt.wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not receipt.done
        receipt.delivered()
        await receipt

    run(main())


def test_it_belongs_to_its_loop(run: Any) -> None:
    async def make() -> Receipt:
        return Receipt(running_loop_reactor())

    receipt = run(make())

    async def main() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await receipt

    run(main())
    receipt.delivered()  # its loop is closed: nobody to wake
    assert receipt.done


@pytest.mark.parametrize("value", NO_SECONDS)
def test_what_is_no_timeout_is_refused(run: Any, value: Any) -> None:
    async def main() -> None:
        waiter = Receipt(running_loop_reactor())
        for _ in range(2):
            with pytest.raises(OptionError, match="timeout: expected seconds"):
                await waiter.wait(value)
            waiter.delivered()

    run(main())
