"""LoopPause: a wait of a task that anybody can end."""

from __future__ import annotations

import asyncio
import threading

from tieline.aio.pause import LoopPause


class Told(list[str]):
    """What was told while somebody waited."""

    def __call__(self) -> None:
        self.append("news")


async def begun(pause: LoopPause, seconds: float, news: Told) -> asyncio.Task[bool]:
    task = asyncio.create_task(pause.wait(seconds, news))
    await asyncio.sleep(0)
    return task


def new() -> LoopPause:
    return LoopPause(asyncio.get_running_loop())


def test_it_lasts_as_long_as_it_should() -> None:
    async def wait() -> bool:
        return await new().wait(0.0, Told())

    assert asyncio.run(wait())


def test_another_thread_ends_it_and_every_later_one() -> None:
    async def wait() -> list[bool]:
        pause = new()
        task = await begun(pause, 1000.0, Told())
        threading.Thread(target=pause.interrupt).start()
        async with asyncio.timeout(20.0):
            return [await task, await pause.wait(1000.0, Told())]

    assert asyncio.run(wait()) == [False, False]


def test_news_are_told_while_it_goes_on() -> None:
    async def wait() -> list[str]:
        news = Told()
        pause = new()
        task = await begun(pause, 1000.0, news)
        pause.bring_news()
        async with asyncio.timeout(20.0):
            while not news:
                await asyncio.sleep(0)
        assert not task.done()
        pause.interrupt()
        assert not await task
        return news

    assert asyncio.run(wait()) == ["news"]


def test_after_the_end_of_the_loop_nobody_waits() -> None:
    async def make() -> LoopPause:
        return new()

    pause = asyncio.run(make())
    pause.interrupt()
    pause.bring_news()
