"""The name of a front → connections with one small blocking interface, the same for all of them.

A test that takes the fixture `front` runs on every front: `WebSocketClient`, `tieline.connect`, and
`tieline.aio.connect` on a loop that a thread runs, asyncio's and uvloop's.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable
from importlib.util import find_spec
from queue import Empty, Queue
from typing import Any, TypeVar

import pytest

import tieline
from tests.peers.processes import PATIENCE

T = TypeVar("T")

FRONTS = ("callback", "sync", "asyncio", "uvloop")


class Line(ABC):
    """One connection, for any thread; nothing waits for longer than `PATIENCE`."""

    #: What can be asked: state, response, close_info, connection_info(), ...
    connection: Any

    def __init__(self) -> None:
        #: What `on_close` was told.
        self.ends: Queue[tieline.CloseInfo] = Queue()

    def ended(self, seconds: float = PATIENCE) -> tieline.CloseInfo:
        """How the connection ended, which must be noticed without anybody receiving."""
        try:
            return self.ends.get(timeout=seconds)
        except Empty:
            raise AssertionError(f"the end was not told within {seconds:g} s") from None

    def receive_rest(self) -> list[str | bytes]:
        """The messages up to the end of the connection."""
        messages = []
        while True:
            try:
                messages.append(self.receive())
            except tieline.ConnectionClosed:
                return messages

    @abstractmethod
    def receive(self) -> str | bytes:
        """The next message. Raises TimeoutError, and ConnectionClosed after the last one."""

    @abstractmethod
    def send(self, message: object) -> None: ...

    @abstractmethod
    def send_frames(self, *frames: tuple[object, int, bool]) -> None:
        """Payloads, opcodes and FIN bits, sent by one thread or task: it owns the message."""

    @abstractmethod
    def ping(self, data: bytes = b"") -> float:
        """The round trip in seconds."""

    @abstractmethod
    def with_pings(self, pieces: Iterable[object]) -> object:
        """For `send`: the pieces of a message, and a Ping before each of them."""

    @abstractmethod
    def close(self, code: int = 1000, reason: str = "", timeout: float | None = None) -> None: ...


class CallbackLine(Line):
    def __init__(self, url: object, info: dict[str, Any], options: dict[str, Any]) -> None:
        super().__init__()
        self._messages: Queue[str | bytes | None] = Queue()
        self.connection = tieline.WebSocketClient(
            self._messages.put, url=url, on_close=self.ends.put, **options
        )
        self.connection.connect(info=info)

    def receive(self) -> str | bytes:
        try:
            message = self._messages.get(timeout=PATIENCE)
        except Empty:
            raise TimeoutError(f"the callback was not called within {PATIENCE:g} s") from None
        if message is None:
            assert self._messages.empty(), "the callback was called after its None"
            self._messages.put(None)  # for the next call
            raise tieline.ConnectionClosed("the callback got None", self.connection.close_info)
        return message

    def send(self, message: object) -> None:
        self.connection.send(message)

    def send_frames(self, *frames: tuple[object, int, bool]) -> None:
        for frame in frames:
            self.connection.send_frame(*frame)

    def ping(self, data: bytes = b"") -> float:
        return self.connection.ping(data).wait(PATIENCE)

    def with_pings(self, pieces: Iterable[object]) -> object:
        for piece in pieces:
            self.connection.ping(b"between")
            yield piece

    def close(self, code: int = 1000, reason: str = "", timeout: float | None = None) -> None:
        self.connection.disconnect(code, reason, timeout=timeout)


class SyncLine(Line):
    def __init__(self, url: object, info: dict[str, Any], options: dict[str, Any]) -> None:
        super().__init__()
        self.connection = tieline.connect(
            {"url": url, **options}, info=info, on_close=self.ends.put
        )

    def receive(self) -> str | bytes:
        return self.connection.recv(PATIENCE)

    def send(self, message: object) -> None:
        self.connection.send(message)

    def send_frames(self, *frames: tuple[object, int, bool]) -> None:
        for frame in frames:
            self.connection.send_frame(*frame)

    def ping(self, data: bytes = b"") -> float:
        return self.connection.ping(data).wait(PATIENCE)

    def with_pings(self, pieces: Iterable[object]) -> object:
        for piece in pieces:
            self.connection.ping(b"between")
            yield piece

    def close(self, code: int = 1000, reason: str = "", timeout: float | None = None) -> None:
        self.connection.close(code, reason, timeout=timeout)


class LoopThread:
    """An event loop in debug mode, run by a thread."""

    def __init__(self, name: str) -> None:
        if name == "uvloop":
            if find_spec("uvloop") is None:
                pytest.skip("uvloop is not installed")
            import uvloop

            self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        else:
            self._loop = asyncio.new_event_loop()
        self._loop.set_debug(True)
        self._problems: list[dict[str, Any]] = []
        self._loop.set_exception_handler(lambda _, context: self._problems.append(context))
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Its result, as a task of its own. Raises TimeoutError."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(2 * PATIENCE)
        except TimeoutError:
            future.cancel()
            raise

    def stop(self) -> None:
        """Nothing that the connections began may still be under way."""

        async def other_tasks() -> list[str]:
            return [repr(task) for task in asyncio.all_tasks() if task != asyncio.current_task()]

        left = self.run(other_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self._loop.close()
        assert left == []
        assert self._problems == []


class LoopLine(Line):
    def __init__(
        self, loop: LoopThread, url: object, info: dict[str, Any], options: dict[str, Any]
    ) -> None:
        super().__init__()
        self._loop = loop

        async def connect() -> tieline.aio.Connection:
            return await tieline.aio.connect(
                {"url": url, **options}, info=info, on_close=self.ends.put
            )

        self.connection = loop.run(connect())

    def receive(self) -> str | bytes:
        return self._loop.run(self.connection.recv(PATIENCE))

    def send(self, message: object) -> None:
        self._loop.run(self.connection.send(message))

    def send_frames(self, *frames: tuple[object, int, bool]) -> None:
        async def send() -> None:
            for frame in frames:
                await self.connection.send_frame(*frame)

        self._loop.run(send())

    def ping(self, data: bytes = b"") -> float:
        async def round_trip() -> float:
            return await (await self.connection.ping(data)).wait(PATIENCE)

        return self._loop.run(round_trip())

    async def with_pings(self, pieces: Iterable[object]) -> object:
        for piece in pieces:
            await self.connection.ping(b"between")
            yield piece

    def close(self, code: int = 1000, reason: str = "", timeout: float | None = None) -> None:
        self._loop.run(self.connection.close(code, reason, timeout=timeout))


class Front:
    """Opens connections, and closes what is left of them at the end of the test."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lines: list[Line] = []
        self._loop: LoopThread | None = None
        self._open: Callable[[object, dict[str, Any], dict[str, Any]], Line]
        if name == "callback":
            self._open = CallbackLine
        elif name == "sync":
            self._open = SyncLine
        else:
            loop = self._loop = LoopThread(name)
            self._open = lambda url, info, options: LoopLine(loop, url, info, options)

    def open(self, url: object, info: dict[str, Any] | None = None, **options: Any) -> Line:
        """A connection that is open. Raises ConnectError and OptionError."""
        line = self._open(url, {} if info is None else info, {"proxy": None, **options})
        self._lines.append(line)
        return line

    def stop(self) -> None:
        for line in self._lines:
            line.close(timeout=1)
        if self._loop is not None:
            self._loop.stop()
