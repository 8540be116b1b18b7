"""Parts of a message → an iterator over them, for tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import TracebackType

from tieline.engine.chunks import Chunks


class MessageStream(AsyncIterator[str | bytes]):
    """One message, chunk by chunk as it arrives: ``str`` for text, ``bytes`` for binary.

    Iterating gives at least one chunk, which is empty for an empty message. While about 1 MiB waits
    here, nothing more is read from the peer. Raises `ConnectionClosed` when the connection ends
    before the message does; what had come is given first. Cancelling a wait loses nothing.

    For one task at a time. Whoever does not want the rest calls `aclose`, or leaves an
    ``async with`` block, or lets go of the stream: then the rest is thrown away as it comes.
    """

    def __init__(
        self,
        begin: Callable[[], Awaitable[Chunks]],
        wait: Callable[[Chunks], Awaitable[None]],
    ) -> None:
        """Not for users. `wait` returns when its argument `is_ready`."""
        self._loop = asyncio.get_running_loop()
        self._begin = begin
        self._wait = wait
        self._chunks: Chunks | None = None
        self._is_closed = False

    def __aiter__(self) -> MessageStream:
        return self

    async def __anext__(self) -> str | bytes:
        """The next chunk.

        Raises `TimeoutError` when it does not come in time, if the stream was made with a timeout;
        nothing is lost then.
        """
        if self._is_closed:
            raise StopAsyncIteration
        chunks = await self._begun()
        while True:
            try:
                chunk = chunks.take()
            except IndexError:
                await self._wait(chunks)
                continue
            if chunk is None:
                raise StopAsyncIteration
            return chunk

    async def read(self) -> str | bytes:
        """All the chunks that were not yet given, joined. Raises as iterating does."""
        if self._is_closed:
            raise RuntimeError("the stream was closed, so the rest of the message is lost")
        chunks = await self._begun()
        while (message := chunks.gather()) is None:
            await self._wait(chunks)
        return message

    async def aclose(self) -> None:
        """Throw away the rest of the message, also what has not come yet. Idempotent."""
        self._is_closed = True
        if self._chunks is not None:
            self._chunks.discard()

    async def __aenter__(self) -> MessageStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # On any thread, and in the middle of anything.
        chunks = getattr(self, "_chunks", None)
        if chunks is not None and not chunks.is_finished and not self._loop.is_closed():
            with suppress(RuntimeError):  # closed just now
                self._loop.call_soon_threadsafe(chunks.discard)

    async def _begun(self) -> Chunks:
        if self._chunks is None:
            self._chunks = await self._begin()
        self._chunks.reader = asyncio.current_task()
        return self._chunks
