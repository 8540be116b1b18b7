"""Arrivals: messages without a wait, waits of one future, and no wake-up that is lost."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.aio.boxes import inbox
from tieline.aio.arrivals import Arrival, ArrivalQueue, Messages
from tieline.aio.inbox import LoopInbox

SOON = 20.0


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_what_is_here_is_taken(run: Any) -> None:
    async def main() -> None:
        told: list[str] = []
        box = inbox(4, lambda: told.append("room"))
        arrivals = box.arrivals
        assert arrivals.take() is None
        box.messages(["a", b"b", "c", "d"])
        assert box.is_full
        assert [arrivals.take(), arrivals.take()] == ["a", b"b"]
        assert told == ["room"] and not box.is_full
        assert [arrivals.take(), arrivals.take(), arrivals.take()] == ["c", "d", None]

    run(main())


def test_whether_the_caller_is_here(run: Any) -> None:
    async def main() -> LoopInbox:
        box = inbox()
        assert box.arrivals.is_here()
        assert not await asyncio.to_thread(box.arrivals.is_here)
        return box

    box = run(main())
    assert not box.arrivals.is_here()

    async def elsewhere() -> None:
        assert not box.arrivals.is_here()

    run(elsewhere())


def test_whether_the_caller_is_here_while_tasks_are_resumed(run: Any) -> None:
    """Other threads are not, whatever the loop's own is doing."""

    async def main() -> None:
        arrivals = inbox().arrivals
        found: list[bool] = []

        def look(_: Any) -> None:
            found.append(arrivals.is_here())
            with ThreadPoolExecutor(1) as pool:
                found.append(pool.submit(arrivals.is_here).result(SOON))

        arrivals.news().add_done_callback(look)
        arrivals.woken.gathers = True
        arrivals.tell(1)
        arrivals.woken.gathers = False
        arrivals.woken.resume()
        assert found == [True, False]

    run(main())


def test_arrivals_in_order(run: Any) -> None:
    async def main() -> None:
        arrivals = inbox().arrivals
        queue = ArrivalQueue()
        assert queue.take() is None and queue.first is None and not queue
        one, two, three, four = many = [arrivals.news() for _ in range(4)]
        for arrival in many:
            queue.add(arrival)
        assert len(queue) == 4 and queue.first is one
        assert all(arrival in queue for arrival in many)
        queue.remove(one)
        queue.remove(three)
        assert [one in queue, two in queue, three in queue, four in queue] == [0, 1, 0, 1]
        assert [queue.take(), queue.take(), queue.take()] == [two, four, None]
        queue.add(three)
        assert len(queue) == 1 and queue.take() is three

    run(main())


def test_what_there_is_to_do_besides_waiting(run: Any) -> None:
    async def main() -> None:
        box = inbox()
        assert box.arrivals.next() is not None
        box.holds_back = True
        assert box.arrivals.next() is None
        box.holds_back = False
        box.end(None)
        assert box.arrivals.next() is None

    run(main())


def test_news_wake_in_order_and_the_end_wakes_all(run: Any) -> None:
    async def main() -> None:
        box = inbox()
        woken: list[int] = []

        async def wait(number: int) -> None:
            await box.arrivals.news()
            woken.append(number)

        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(wait(number))
            await turns()
            box.messages(["a", "b"])
            await turns()
            assert woken == [0, 1]
            box.end(None)
        assert woken == [0, 1, 2, 3, 4]

    run(main())


def test_a_cancelled_wait_hands_its_wake_up_on(run: Any) -> None:
    async def main() -> None:
        arrivals = inbox().arrivals
        woken: list[str] = []

        async def wait(name: str) -> None:
            arrival = arrivals.news()
            try:
                await arrival
            except BaseException:
                arrivals.left(arrival)
                raise
            woken.append(name)

        first, second, third = (asyncio.create_task(wait(name)) for name in ("1", "2", "3"))
        await turns()
        first.cancel("before the news")
        await turns()
        with pytest.raises(asyncio.CancelledError, match="before the news"):
            await first
        arrivals.tell(1)
        second.cancel()  # it is meant for this one, which had no time to run
        async with asyncio.timeout(SOON):
            await third
        assert second.cancelled() and woken == ["3"]
        assert not arrivals.waiting

    run(main())


def test_a_wait_that_is_closed(run: Any) -> None:
    async def main() -> None:
        box = inbox()
        waiting = box.arrival(None)
        waiting.send(None)
        assert len(box.arrivals.waiting) == 1
        waiting.close()
        assert not box.arrivals.waiting

    run(main())


def test_a_wait_whose_time_is_over_takes_no_wake_up(run: Any) -> None:
    async def main() -> None:
        box = inbox()
        late, patient = (asyncio.create_task(box.arrival(limit)) for limit in (0, None))
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        while not box.arrivals.waiting.first.done():  # its timer has fired
            await asyncio.sleep(0)
        box.arrivals.tell(1)
        await turns()
        assert late.done() and patient.done()
        await asyncio.wait([late, patient])
        assert late.exception() is None or isinstance(late.exception(), TimeoutError)
        assert patient.exception() is None and loop.is_running()

    run(main())


def test_tasks_are_resumed_within_the_turn_that_brings_the_news(run: Any, served: Any) -> None:
    """In the context of the task, behind all that was delivered."""
    variable = contextvars.ContextVar("variable", default="none")

    async def main() -> None:
        reader, far = await served()
        await reader.until(lambda: "registered" in reader.told)
        box = inbox()
        order: list[Any] = []
        read = reader.on_readable

        def on_readable(now: float) -> None:
            read(now)
            box.messages(["a"])
            order.append("delivered")
            asyncio.get_running_loop().call_soon(order.append, "next turn")

        async def wait() -> None:
            variable.set("the task's")
            await box.arrival(None)
            order.append(variable.get())
            await asyncio.sleep(0)

        reader.on_readable = on_readable
        task = asyncio.create_task(wait())
        await turns()
        await far.send(b"x")
        async with asyncio.timeout(SOON):
            await task
        assert order == ["delivered", "the task's", "next turn"]
        assert variable.get() == "none"
        reader.end()

    run(main())


def test_a_task_that_is_cancelled_by_one_that_was_woken_with_it(run: Any, served: Any) -> None:
    """What woke it goes to the next one."""

    async def main() -> None:
        reader, far = await served()
        await reader.until(lambda: "registered" in reader.told)
        box = inbox()
        read = reader.on_readable

        def on_readable(now: float) -> None:
            read(now)
            box.messages(["a", "b"])

        async def wait() -> None:
            await box.arrival(None)
            tasks[1].cancel()

        reader.on_readable = on_readable
        tasks = [asyncio.create_task(wait()) for _ in range(3)]
        await turns()
        await far.send(b"x")
        async with asyncio.timeout(SOON):
            await asyncio.wait(tasks)
        assert [task.cancelled() for task in tasks] == [False, True, False]
        assert not box.arrivals.waiting
        reader.end()

    run(main())


def test_what_one_task_raises_does_not_keep_the_others_asleep(run: Any) -> None:
    async def main() -> None:
        arrivals = inbox().arrivals
        resumed: list[str] = []

        def fail(arrival: Arrival) -> None:
            raise SystemExit

        for callback in (lambda _: resumed.append("1"), fail, lambda _: resumed.append("3")):
            arrival = arrivals.news()
            arrival.add_done_callback(callback, context=contextvars.copy_context())
        arrivals.woken.gathers = True
        arrivals.tell(3)
        arrivals.woken.gathers = False
        assert resumed == []
        with pytest.raises(SystemExit):
            arrivals.woken.resume()
        assert resumed == ["1"] and not arrivals.woken.queue
        await asyncio.sleep(0)
        assert resumed == ["1", "3"]

    run(main())


def test_what_asyncio_may_ask_of_a_future(run: Any) -> None:
    async def main() -> None:
        arrivals = inbox().arrivals
        arrival = arrivals.news()
        assert arrival._asyncio_future_blocking is False
        assert arrival.get_loop() is asyncio.get_running_loop()
        assert not arrival.done() and not arrival.cancelled()
        callback = [].append
        arrival.add_done_callback(callback)
        assert arrival.remove_done_callback(callback) == 1
        assert arrival.remove_done_callback(callback) == 0
        assert arrival.cancel() and not arrival.cancel()
        assert arrival.done() and arrival.cancelled()
        for ask in (arrival.result, arrival.exception):
            with pytest.raises(asyncio.CancelledError):
                ask()
        with pytest.raises(asyncio.CancelledError):
            await arrival
        woken = arrivals.news()
        arrivals.tell(1)
        await woken
        assert woken.exception() is None and not woken.cancel()

    run(main())


def test_an_iteration_asks_for_what_is_not_here(run: Any) -> None:
    async def main() -> None:
        box = inbox()
        box.messages(["a", "b"])
        asked: list[int] = []

        async def following() -> str:
            asked.append(1)
            if len(asked) == 2:
                raise StopAsyncIteration
            return "c"

        iteration = Messages(box.arrivals, following)
        assert [message async for message in iteration] == ["a", "b", "c"]
        assert len(asked) == 2

    run(main())


def test_an_iterator_of_no_connection(run: Any) -> None:
    """The compiled one crashed."""

    async def main() -> None:
        with pytest.raises((TypeError, AttributeError)):
            await anext(Messages.__new__(Messages))

    run(main())
