"""MessageStream: chunks for a task, taken when asked for, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from tests.engine.test_chunks import Owner
from tieline.aio.streams import MessageStream
from tieline.engine.chunks import Chunks
from tieline.errors import ConnectionClosed


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


def stream_of(
    owner: Owner, wait: Callable[[Chunks], Awaitable[None]] | None = None, *later: tuple[str, bool]
) -> MessageStream:
    """Each wait brings the next of `later`, unless `wait` is given."""
    parts = iter(later)

    async def begin() -> Chunks:
        return owner.chunks

    async def feed(chunks: Chunks) -> None:
        chunks.feed(*next(parts))

    return MessageStream(begin, wait or feed)


def test_chunk_by_chunk() -> None:
    async def main() -> None:
        stream = stream_of(Owner(), None, ("a", False), ("", False), ("b", True))
        assert [chunk async for chunk in stream] == ["a", "b"]
        assert [chunk async for chunk in stream] == []
        assert await stream.read() == ""

    run(main())


def test_read_the_rest() -> None:
    async def main() -> None:
        stream = stream_of(Owner(), None, ("a", False), ("b", False), ("c", True))
        assert await anext(stream) == "a"
        assert await stream.read() == "bc"
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    run(main())


def test_a_wait_that_fails_or_is_cancelled_loses_nothing() -> None:
    async def main() -> None:
        owner = Owner()
        owner.chunks.feed("a", False)
        entered = asyncio.Event()

        async def forever(chunks: Chunks) -> None:
            entered.set()
            await asyncio.Event().wait()

        stream = stream_of(owner, forever)
        assert await anext(stream) == "a"
        owner.chunks.feed("b", False)
        reading = asyncio.create_task(stream.read())
        await entered.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        owner.chunks.feed("c", True)
        assert await stream.read() == "bc"

    run(main())


def test_the_reader_is_the_task() -> None:
    async def main() -> None:
        owner = Owner()
        owner.chunks.feed("a", False)
        await anext(stream_of(owner))
        assert owner.chunks.reader is asyncio.current_task()

    run(main())


@pytest.mark.parametrize("how", ["aclose", "async with", "drop"])
def test_the_rest_is_thrown_away(how: str) -> None:
    async def main() -> None:
        owner = Owner()
        owner.chunks.feed("a", False)
        owner.chunks.feed("b", False)
        stream = stream_of(owner)
        assert await anext(stream) == "a"
        if how == "aclose":
            await stream.aclose()
            await stream.aclose()
            assert [chunk async for chunk in stream] == []
            with pytest.raises(RuntimeError, match="closed"):
                await stream.read()
        elif how == "async with":
            async with stream as same:
                assert same is stream
        else:
            del stream
            gc.collect()
            await asyncio.sleep(0)  # it is done on the loop, whatever thread lets go of it
        assert owner.finished == [owner.chunks]
        assert owner.chunks.waiting == 0

    run(main())


def test_the_end_in_the_middle_is_told() -> None:
    async def main() -> None:
        async def end(chunks: Chunks) -> None:
            chunks.break_off(None)

        owner = Owner()
        owner.chunks.feed("a", False)
        stream = stream_of(owner, end)
        assert await anext(stream) == "a"
        for _ in range(2):
            with pytest.raises(ConnectionClosed):
                await anext(stream)

    run(main())


def test_dropped_behind_the_end_of_its_loop() -> None:
    """Nobody runs what would be asked of the loop; nothing is left to throw away for, either."""
    kept: list[MessageStream] = []

    async def main() -> None:
        owner = Owner()
        owner.chunks.feed("a", False)
        kept.append(stream_of(owner))
        await anext(kept[0])

    run(main())
    kept.clear()
    gc.collect()
