"""Dials on threads of their own: results, errors, events, cancellation at any moment, adoption."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tieline.aio import loop_reactor
from tieline.aio.dialling import adopt, dial_in_thread
from tieline.aio.loop_reactor import running_loop_reactor
from tieline.errors import ConnectCancelled, ConnectError
from tieline.testing.memory import memory_streams
from tieline.transport.attempt import Attempt
from tieline.transport.stream import SocketStream
from tieline.transport.tls_stream import TLSStream

PATIENCE = 20.0


class Work:
    """A dial that a test holds up where it likes."""

    def __init__(self) -> None:
        self.attempt = Attempt(PATIENCE)
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.disposed: list[Any] = []
        self.disposed_on: list[str] = []
        self.thread = threading.current_thread()

    def __call__(self, post: Any) -> str:
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        return "result"

    def dispose(self, result: Any) -> None:
        self.disposed_on.append(threading.current_thread().name)
        self.disposed.append(result)

    def start(self, work: Callable[[Any], Any] | None = None) -> asyncio.Task[Any]:
        return asyncio.create_task(dial_in_thread(work or self, self.attempt, self.dispose))

    async def wait_until_begun(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while not self.begun.is_set():
                await asyncio.sleep(0)

    def join(self) -> None:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.attempt.close()


def test_the_result_comes_from_a_thread_of_its_own(run: Any, work: Work) -> None:
    async def main() -> None:
        work.go_on.set()
        assert await work.start() == "result"
        assert work.thread.name.startswith("tieline-dial-") and work.thread.daemon

    run(main())
    work.join()
    assert work.disposed == []
    assert "total" in work.attempt.timings  # so it was closed


@pytest.mark.parametrize("error", [ConnectError("no"), OSError("no"), SystemExit(3)])
def test_errors_come_to_the_task(run: Any, work: Work, error: BaseException) -> None:
    def fail(post: Any) -> None:
        raise error

    async def main() -> None:
        with pytest.raises(type(error)) as caught:
            await dial_in_thread(fail, work.attempt, work.dispose)
        assert caught.value is error

    run(main())


def test_what_no_coroutine_can_raise(run: Any, work: Work) -> None:
    """`headers=lambda: next(iterator)`, say. It must not be taken for the coroutine's return."""

    def fail(post: Any) -> None:
        raise StopIteration

    async def main() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await dial_in_thread(fail, work.attempt, work.dispose)

    run(main())


def test_events_come_on_the_loop_in_order_and_before_the_result(run: Any, work: Work) -> None:
    async def main() -> None:
        seen: list[Any] = []
        thread = threading.get_ident()

        def tell(number: int) -> None:
            seen.append((number, threading.get_ident() == thread))

        def dial(post: Any) -> str:
            for number in range(100):
                post(lambda number=number: tell(number))
            return "result"

        assert await work.start(dial) == "result"
        assert seen == [(number, True) for number in range(100)]

    run(main())


def test_the_dial_sees_the_callers_context(run: Any, work: Work) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def main() -> None:
        variable.set("set")
        assert await work.start(lambda post: variable.get()) == "set"

    run(main())


def test_cancelling_goes_on_at_once_and_ends_the_thread(run: Any, work: Work) -> None:
    async def main() -> None:
        ended: list[Any] = []

        def wait(post: Any) -> None:
            work.thread = threading.current_thread()
            work.begun.set()
            try:
                work.attempt.wait(None)
            except ConnectCancelled as error:
                ended.append(error)
                raise

        task = work.start(wait)
        await work.wait_until_begun()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        work.join()
        assert len(ended) == 1

    run(main())
    assert work.disposed == []


def test_a_result_that_comes_after_the_cancellation(run: Any, work: Work) -> None:
    async def main() -> None:
        task = work.start()
        await work.wait_until_begun()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task  # although the dial is not over
        assert work.attempt.cancelled and work.disposed == []
        work.go_on.set()
        work.join()
        assert work.disposed == ["result"]
        assert work.disposed_on == [work.thread.name]

    run(main())


def test_events_after_the_cancellation_are_not_told(run: Any, work: Work) -> None:
    async def main() -> None:
        told: list[str] = []

        def dial(post: Any) -> str:
            post(lambda: told.append("before"))
            work(post)
            post(lambda: told.append("after"))
            return "result"

        task = work.start(dial)
        await work.wait_until_begun()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        work.go_on.set()
        work.join()
        await asyncio.sleep(0)
        assert told == ["before"]

    run(main())


@pytest.mark.parametrize("turns", range(5))
def test_cancelling_while_the_result_is_on_its_way(run: Any, work: Work, turns: int) -> None:
    """Whatever happens first, the result has exactly one owner."""

    async def main() -> None:
        work.go_on.set()
        task = work.start()
        await work.wait_until_begun()
        work.join()  # so the result has been posted
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        try:
            got = [await task]
        except asyncio.CancelledError:
            got = []
        assert got + work.disposed == ["result"]

    run(main())


def test_an_error_that_comes_after_the_cancellation_is_nobodys(run: Any, work: Work) -> None:
    async def main() -> None:
        def dial(post: Any) -> None:
            work(post)
            raise ConnectError("too late")

        task = work.start(dial)
        await work.wait_until_begun()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        work.go_on.set()
        work.join()
        await asyncio.sleep(0)

    run(main())  # which fails if something was logged


def test_a_dial_that_outlives_its_loop(new_loop: Any, work: Work) -> None:
    async def main() -> None:
        task = work.start()
        await work.wait_until_begun()
        assert not task.done()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())  # which cancels the task at its end
    work.go_on.set()
    work.join()
    assert work.disposed == ["result"]


@pytest.mark.filterwarnings("ignore:coroutine method 'aclose':RuntimeWarning")
def test_a_result_for_a_loop_that_was_closed_without_a_word(new_loop: Any, work: Work) -> None:
    loop = new_loop()

    async def main() -> None:
        loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending"
        work.task = work.start()  # type: ignore[attr-defined]
        await work.wait_until_begun()

    loop.run_until_complete(main())
    loop.close()
    work.go_on.set()
    work.join()
    assert work.disposed == ["result"]
    del work.task  # type: ignore[attr-defined]
    gc.collect()
    assert work.disposed == ["result"]


def test_no_thread_can_be_had(run: Any, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            await dial_in_thread(work, work.attempt, work.dispose)
        assert "total" in work.attempt.timings

    run(main())


# Adoption


@pytest.mark.parametrize("kind", ["plain", "tls", "tls over tls"])
def test_the_stream_goes_on_in_the_loop(
    run: Any, connected: Any, reader_of: Any, kind: str
) -> None:
    async def main() -> None:
        stream, far = connected(kind)
        await far.send(b"before")
        reactor = running_loop_reactor()
        adopted = await adopt(stream, reactor)
        assert isinstance(adopted, TLSStream) == (kind != "plain")
        await far.send(b"between")
        reader = reader_of(adopted, reactor).start()
        assert await reader.receive(13) == b"beforebetween"
        adopted.send(b"answer")
        assert await far.receive(6) == b"answer"
        reader.end()

    run(main())


def test_a_unix_socket(run: Any, reader_of: Any) -> None:
    async def main() -> None:
        near, far = socket.socketpair(socket.AF_UNIX)
        with far:
            reactor = running_loop_reactor()
            reader = reader_of(await adopt(SocketStream(near), reactor), reactor).start()
            far.sendall(b"hello")
            assert await reader.receive(5) == b"hello"
            assert reader.stream.send(b"answer") == 6
            assert far.recv(10) == b"answer"
            reader.end()

    run(main())


@pytest.mark.parametrize("kind", ["plain", "tls over tls"])
@pytest.mark.parametrize("turns", range(4))
def test_cancelling_an_adoption_closes_the_connection(
    run: Any, connected: Any, monkeypatch: pytest.MonkeyPatch, kind: str, turns: int
) -> None:
    async def main() -> None:
        stream, far = connected(kind)
        descriptor = stream.fileno()
        task = asyncio.create_task(adopt(stream, running_loop_reactor()))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        try:
            (await task).close()
        except asyncio.CancelledError:
            if turns == 0:
                stream.close()  # it was never begun, so it has nothing to clean up
        for _ in range(5):
            await asyncio.sleep(0)
        with pytest.raises(OSError):
            os.fstat(descriptor)

    monkeypatch.setattr(loop_reactor, "GOODBYE", 60.0)
    began = time.monotonic()
    run(main())
    assert time.monotonic() - began < PATIENCE, "the loop had nobody to take leave of"


def test_a_stream_that_is_no_socket_is_refused_and_closed(run: Any) -> None:
    async def main() -> None:
        near, far = memory_streams(100)
        with pytest.raises(TypeError, match="MemoryStream"):
            await adopt(near, running_loop_reactor())
        assert far.at_end

    run(main())


def test_a_reset_before_the_adoption_is_told_by_reading(
    run: Any, connected: Any, reader_of: Any
) -> None:
    async def main() -> None:
        stream, far = connected("plain")
        far.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        far.socket.close()
        reactor = running_loop_reactor()
        reader = reader_of(await adopt(stream, reactor), reactor).start()
        await reader.until(lambda: reader.error)
        reader.end()

    run(main())
