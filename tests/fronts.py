"""The three fronts → one way to talk, so that a test can be run on each of them."""

from __future__ import annotations

import asyncio
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, ClassVar

import tieline

#: Seconds after which something that should have happened long ago will not happen any more.
PATIENCE = 20.0


class Talk(ABC):
    """An open connection on one front. Every call blocks, none longer than `PATIENCE`."""

    front_name: ClassVar[str]
    #: What the user has: a WebSocketClient, a Connection, an aio.Connection.
    front: Any

    @abstractmethod
    def __init__(self, *arguments: Any, **options: Any) -> None: ...

    @abstractmethod
    def call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """The result of a method that may wait."""

    @abstractmethod
    def receive(self, timeout: float = PATIENCE) -> str | bytes:
        """The next message. Raises TimeoutError."""

    @abstractmethod
    def ended(self) -> tieline.CloseInfo:
        """Wait until the connection has ended by itself."""

    def close_now(self) -> None:
        """Close with 1000."""
        self.call("close", 1000)

    def close(self) -> None:
        """Close, and let go of all that the test has used for it."""
        self.close_now()

    def send(self, message: object) -> None:
        self.call("send", message)


class CallbackTalk(Talk):
    front_name = "callback"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._messages: queue.SimpleQueue[str | bytes] = queue.SimpleQueue()
        info = options.pop("info", None)
        self.front = tieline.WebSocketClient(
            *arguments, **({"proxy": None, "on_message": self._messages.put} | options)
        )
        self.front.connect(info=info)

    def call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        return getattr(self.front, method)(*arguments, **keywords)

    def receive(self, timeout: float = PATIENCE) -> str | bytes:
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None

    def ended(self) -> tieline.CloseInfo:
        return self.front.wait(PATIENCE)

    def close_now(self) -> None:
        self.call("disconnect", 1000)


class PlainTalk(Talk):
    front_name = "plain"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.front = tieline.connect(*arguments, **({"proxy": None} | options))

    def call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        return getattr(self.front, method)(*arguments, **keywords)

    def receive(self, timeout: float = PATIENCE) -> str | bytes:
        return self.front.recv(timeout)

    def ended(self) -> tieline.CloseInfo:
        try:
            while True:
                self.front.recv(PATIENCE)
        except tieline.ConnectionClosed as closed:
            return closed.close_info


class AsyncioTalk(Talk):
    front_name = "asyncio"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="test-loop", daemon=True)
        self._thread.start()
        try:
            self.front = self.run(self._open(*arguments, **({"proxy": None} | options)))
        except BaseException:
            self._stop()
            raise

    @staticmethod
    async def _open(*arguments: Any, **options: Any) -> tieline.aio.Connection:
        return await tieline.aio.connect(*arguments, **options)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine, which runs on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(2 * PATIENCE)

    def call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        return self.run(getattr(self.front, method)(*arguments, **keywords))

    def receive(self, timeout: float = PATIENCE) -> str | bytes:
        return self.call("recv", timeout)

    async def _ended(self) -> tieline.CloseInfo:
        try:
            while True:
                await self.front.recv(PATIENCE)
        except tieline.ConnectionClosed as closed:
            return closed.close_info

    def ended(self) -> tieline.CloseInfo:
        return self.run(self._ended())

    def close(self) -> None:
        try:
            self.close_now()
        finally:
            self._stop()


#: In the order of the documentation's table.
FRONTS: tuple[type[Talk], ...] = (CallbackTalk, PlainTalk, AsyncioTalk)
