"""A descriptor that a loop watches: calls while it is ready, and none that nobody wants."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.aio.boxes import inbox
from tieline.aio.watching import watches_descriptors

#: Seconds for what takes none.
SOON = 20.0

#: More than all buffers between two sockets hold.
BLOCK = b"x" * 1_000_000


def test_reading_that_is_given_up_leaves_bytes_with_the_kernel(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, far = await served()
        await reader.until(lambda: "registered" in reader.told)
        await far.send(b"first")
        assert await reader.receive(5) == b"first"
        reader.watch(reading=False)
        reader.told.clear()
        await far.send(b"second")
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert reader.told == []
        # The loop does not run round and round on what it was told not to read.
        assert not asyncio.get_running_loop().remove_reader(reader.fileno())
        reader.watch(reading=True)
        assert await reader.receive(6) == b"second"
        reader.end()

    run(main())


def test_room_is_told_of_while_it_is_asked_for(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, far = await served()
        sent = 0
        while taken := reader.stream.send(BLOCK):
            sent += taken
        reader.watch(writing=True)
        await asyncio.sleep(0.01)
        assert "writable" not in reader.told
        await far.receive(sent)
        await reader.until(lambda: "writable" in reader.told)
        reader.watch(writing=False)
        await asyncio.sleep(0)
        reader.told.clear()
        await asyncio.sleep(0.005)
        assert reader.told == []
        reader.end()

    run(main())


def test_what_a_call_raises_ends_it(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, far = await served()
        errors = [ValueError("read"), ValueError("write")]

        def fail(error: Exception) -> None:
            reader.watch(reading=False, writing=False)
            raise error

        reader.on_readable = lambda now: fail(errors[0])
        reader.on_writable = lambda: fail(errors[1])
        await far.send(b"x")
        await reader.until(lambda: errors[0] in reader.told)
        reader.watch(writing=True)
        await reader.until(lambda: errors[1] in reader.told)
        reader.end()

    run(main())


def test_ctrl_c_in_a_call_leaves_no_task_asleep(new_loop: Any, served: Any) -> None:
    """It comes through, and who was woken before goes on."""
    got: list[str | bytes] = []

    async def main() -> None:
        reader, far = await served()
        box = inbox()
        read = reader.on_readable

        def on_readable(now: float) -> None:
            read(now)
            box.messages(["a", "b"])
            raise KeyboardInterrupt

        async def wait() -> None:
            await box.arrival(None)
            got.append(box.take_whole())

        reader.on_readable = on_readable
        tasks = [asyncio.create_task(wait()) for _ in range(2)]
        await asyncio.sleep(0)
        await far.send(b"x")
        try:
            await asyncio.wait(tasks, timeout=SOON)
        finally:
            reader.end()

    loop = new_loop()
    running = loop.create_task(main())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(running)
    loop.run_until_complete(running)
    loop.close()
    assert got == ["a", "b"]


def test_loops_that_watch(run: Any) -> None:
    class Proactor(asyncio.SelectorEventLoop):
        def remove_reader(self, fd: Any) -> bool:
            raise NotImplementedError

    async def main() -> None:
        assert watches_descriptors(asyncio.get_running_loop(), 0)

    run(main())
    loop = Proactor()
    assert not watches_descriptors(loop, 0)
    loop.close()
