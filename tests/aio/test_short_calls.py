"""The calls of every message: what they take themselves, and what they leave to the front."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

import tieline
import tieline.aio
from tieline.aio.sending import SendingFront
from tieline.aio.short_calls import ShortCalls
from tieline.front import Front
from tieline.testing import EchoServer

_OPTIONS: dict[str, Any] = {"proxy": None, "compression": None}


class Watched(tieline.aio.Connection):
    """Tells of the calls that were left to the front."""

    def __init__(self, opened: tieline.aio.Connection) -> None:
        super().__init__(opened._line)
        self.opened = opened  # who lets go of it ends the connection
        self.left: list[tuple[Any, ...]] = []

    async def _send(self, *arguments: Any) -> Any:
        self.left.append(arguments)
        return await super()._send(*arguments)

    async def _recv(self, timeout: float | None) -> str | bytes:
        self.left.append((timeout,))
        return await super()._recv(timeout)


@pytest.fixture
def watched(run: Any, echo: EchoServer) -> Callable[[Callable[[Any], Any]], None]:
    """watched(work): runs it with a connection that is open and warm."""

    async def with_connection(work: Callable[[Any], Any]) -> None:
        async with tieline.aio.connect(echo.url, **_OPTIONS) as opened:
            connection = Watched(opened)
            await connection.send("first")  # the clock is looked at
            assert await connection.recv() == "first"
            assert connection.left == [("first", None, None, False)]
            connection.left.clear()
            await work(connection)

    return lambda work: run(with_connection(work))  # type: ignore[no-any-return]


def test_what_they_take(watched: Any) -> None:
    async def work(connection: Watched) -> None:
        for message in ("a", b"b", "ü", b""):
            assert await connection.send(message) is None  # type: ignore[func-returns-value]
            assert await connection.recv() == message
        await connection.send(b"c", compress=None, when_offline=None, receipt=False)
        assert await connection.recv(None) == b"c"
        assert connection.left == []

    watched(work)


@pytest.mark.parametrize(
    "option", [{"compress": False}, {"when_offline": "drop"}, {"receipt": True}]
)
def test_options_are_the_fronts(watched: Any, option: dict[str, Any]) -> None:
    async def work(connection: Watched) -> None:
        await connection.send("a", **option)
        assert await connection.recv() == "a"
        wanted = {"compress": None, "when_offline": None, "receipt": False} | option
        assert connection.left == [("a", *wanted.values())]

    watched(work)


def test_what_it_was_made_with_is_the_lines(watched: Any) -> None:
    """No attribute of the compiled class is in front of what the fronts have in common."""

    async def work(connection: Watched) -> None:
        options = connection.opened.options
        assert options is connection._line.options
        assert options.proxy is None
        own = {name for name in vars(ShortCalls) if not name.startswith("_")}
        assert own.isdisjoint(vars(Front)), "hidden by the class that comes first"

    watched(work)


def test_fragments_and_timeouts_are_the_fronts(watched: Any) -> None:
    async def work(connection: Watched) -> None:
        await connection.send(["a", "b"])
        assert await connection.recv(5.0) == "ab"
        assert connection.left == [(["a", "b"], None, None, False), (5.0,)]

    watched(work)


def test_the_end_is_the_fronts(watched: Any) -> None:
    async def work(connection: Watched) -> None:
        await connection.close()
        with pytest.raises(tieline.ConnectionClosed):
            await connection.recv()
        with pytest.raises(tieline.ConnectionClosed):
            await connection.send("a")
        assert connection.left == [(None,), ("a", None, None, False)]

    watched(work)


def test_they_are_coroutines(watched: Any) -> None:
    """So `asyncio.create_task` takes them, and nothing is done before they are awaited."""

    async def work(connection: Watched) -> None:
        receiving = asyncio.create_task(connection.recv())
        sending = connection.send("a")
        assert asyncio.iscoroutine(sending) and connection.stats().messages_sent == 1
        await asyncio.create_task(sending)
        assert await receiving == "a"
        receiving = asyncio.create_task(connection.recv())
        await asyncio.sleep(0)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        await connection.send("b")
        assert await connection.recv() == "b"

    watched(work)


def test_who_has_them() -> None:
    assert tieline.aio.Connection.send is ShortCalls.send is SendingFront.send
    assert tieline.aio.Connection.recv is ShortCalls.recv


@pytest.mark.parametrize("call", [ShortCalls.send, ShortCalls.recv])
def test_they_explain_themselves(call: Any) -> None:
    """Compiled as well: for `help`, for editors, and for who asks whether to await it."""
    assert "Raises" in (call.__doc__ or "")
    assert "self" in inspect.signature(call).parameters
    assert asyncio.iscoroutinefunction(call)


def test_wrong_calls_are_type_errors(watched: Any) -> None:
    async def work(connection: Any) -> None:
        with pytest.raises(TypeError):
            await connection.send()
        with pytest.raises(TypeError):
            await connection.send("a", None)
        with pytest.raises(TypeError):
            await connection.send("a", no_such_option=1)
        with pytest.raises(TypeError):
            await connection.recv(1, 2)

    watched(work)


@pytest.mark.parametrize("wrong", [None, "x", object()])
def test_what_is_no_connection_has_no_messages(wrong: Any) -> None:
    with pytest.raises(TypeError, match="send"):
        asyncio.run(tieline.aio.Connection.send(wrong, "a message"))
    with pytest.raises(TypeError, match="recv"):
        asyncio.run(tieline.aio.Connection.recv(wrong))


def test_a_connection_that_was_never_made_is_no_crash() -> None:
    class Feed(tieline.aio.Connection):
        def __init__(self) -> None:
            """Forgets `super().__init__()`."""

    with pytest.raises(AttributeError):
        asyncio.run(Feed().send("a message"))
    with pytest.raises(AttributeError):
        asyncio.run(Feed().recv())
