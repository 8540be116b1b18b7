"""Messages, as they arrive → calls of the user's handlers with a stream for each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from tieline.engine.callbacks import Callbacks
from tieline.engine.chunks import Chunks
from tieline.engine.delivery import Delivery, Owner
from tieline.engine.handler_thread import HandlerThread
from tieline.engine.serial import MAX_WAITING, Runner, SerialQueue
from tieline.engine.streams import MessageStream
from tieline.protocol.events import CloseInfo, MessageChunk

#: What a stream says when its handler has returned and something else still reads it.
_RETURNED = "the handler that got this stream has returned, and with that the rest was thrown away"


class StreamDelivery(Delivery):
    """Every message is a `MessageStream`, and its handler may wait for the rest of it.

    So handlers never run on the reactor's thread: without `runner` there is a thread for them. What
    a handler does not read is thrown away when it has returned.

    While a handler reads a message whose end has not come, only what waits in that message stops
    the reading: the rest of it could not come otherwise. Of the Pings, Pongs and events that come
    meanwhile none are told any more when `max_queue` Pings and Pongs wait.
    """

    def __init__(
        self,
        callbacks: Callbacks,
        runner: Runner | None,
        max_queue: int,
        owner: Owner | None = None,
    ) -> None:
        self._thread = HandlerThread() if runner is None else None
        runner = runner or Runner(self._thread)
        super().__init__(callbacks, runner, max_queue, owner)
        # The message whose end has not come.
        self._chunks: Chunks | None = None
        # Those whose end has come before their handler was called, and how much waits in them.
        self._lock = threading.RLock()
        self._unread: dict[Chunks, int] = {}
        self._unread_size = 0

    @property
    def _jobs(self) -> SerialQueue:
        assert self._queue is not None
        return self._queue

    # --- what comes in ------------------------------------------------------------------------

    def messages(self, batch: list[str | bytes]) -> None:
        self._jobs.post(partial(self._handle_all, batch), len(batch), sum(map(len, batch)))

    def chunk(self, chunk: MessageChunk) -> None:
        chunks = self._chunks
        if chunks is None:
            chunks = self._chunks = Chunks(self)
            chunks.feed(*chunk)
            self._jobs.post(partial(self._handle, chunks), 1)
        else:
            chunks.feed(*chunk)
        if chunk.is_last:
            self._chunks = None
            with self._lock:
                if chunks.reader is None:
                    self._unread[chunks] = chunks.waiting
                    self._unread_size += chunks.waiting

    def post(self, function: Callable[..., Any], *arguments: Any, weight: int = 0) -> None:
        if not (self._awaits_rest and self._jobs.is_full):
            super().post(function, *arguments, weight=weight)

    def post_always(self, function: Callable[..., Any], *arguments: Any) -> None:
        super().post(function, *arguments)

    def cut(self, info: CloseInfo | None) -> None:
        """A handler that waits for the rest of a message is told."""
        chunks, self._chunks = self._chunks, None
        if chunks is not None:
            chunks.break_off(info)

    def end(self, info: CloseInfo | None) -> None:
        self.cut(info)

    @property
    def is_full(self) -> bool:
        chunks = self._chunks
        if chunks is not None and (chunks.reader is not None or chunks.is_full):
            return chunks.is_full
        return self._jobs.is_full or self._unread_size >= MAX_WAITING

    @property
    def _awaits_rest(self) -> bool:
        """Has a handler begun to read the message whose end has not come?"""
        chunks = self._chunks
        return chunks is not None and chunks.reader is not None

    def on_chunks_room(self) -> None:
        self._on_room()

    def on_chunks_finished(self, chunks: Chunks) -> None:
        """The rest is thrown away as it comes."""

    # --- handlers -----------------------------------------------------------------------------

    def _handle_all(self, batch: list[str | bytes]) -> None:
        for message in batch:
            chunks = Chunks(self)
            chunks.feed(message, True)
            self._call(chunks)

    def _handle(self, chunks: Chunks) -> None:
        with self._lock:
            chunks.reader = self
            self._unread_size -= self._unread.pop(chunks, 0)
        self._on_room()
        self._call(chunks)

    def _call(self, chunks: Chunks) -> None:
        stream = MessageStream(lambda: chunks, Chunks.wait)
        try:
            self.callbacks.messages([stream])
        finally:
            chunks.discard(_RETURNED)

    # --- the end ------------------------------------------------------------------------------

    def finish(self, finished: Callable[[], None]) -> None:
        super().post(self._finish, finished)

    def _finish(self, finished: Callable[[], None]) -> None:
        # First: whoever waits for `finished` calls `join` then.
        if self._thread is not None:
            self._ending = self._thread.rest() or self._ending
        finished()

    _ending: threading.Thread | None = None

    def join(self, timeout: float | None) -> None:
        if self._ending is not None:
            self._ending.join(timeout)

    def abandon_after_fork(self) -> None:
        super().abandon_after_fork()
        self._ending = None
        self._lock = threading.RLock()
        self._unread.clear()
        self._unread_size = 0
        if self._thread is not None:
            self._thread.abandon_after_fork()
        if self._chunks is not None:
            self._chunks.abandon_after_fork()
