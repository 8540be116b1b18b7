"""LoopPause: a wait of a task that anybody can end."""

from __future__ import annotations

import asyncio
import threading

from tieline.aio.pause import LoopPause


async def begun(pause: LoopPause, seconds: float) -> asyncio.Task[bool]:
    task = asyncio.create_task(pause.wait(seconds))
    await asyncio.sleep(0)
    return task


def new(news: list[str] | None = None) -> LoopPause:
    told = [] if news is None else news
    return LoopPause(asyncio.get_running_loop(), lambda: told.append("news"))


def test_it_lasts_as_long_as_it_should() -> None:
    async def wait() -> bool:
        return await new().wait(0.0)

    assert asyncio.run(wait())


def test_another_thread_ends_it_and_every_later_one() -> None:
    async def wait() -> list[bool]:
        pause = new()
        task = await begun(pause, 1000.0)
        threading.Thread(target=pause.interrupt).start()
        async with asyncio.timeout(20.0):
            return [await task, await pause.wait(1000.0)]

    assert asyncio.run(wait()) == [False, False]


def test_news_are_told_while_it_goes_on() -> None:
    async def wait() -> list[str]:
        news: list[str] = []
        pause = new(news)
        task = await begun(pause, 1000.0)
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
