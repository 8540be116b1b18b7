"""Parts of a message → an iterator over them, for threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType

from tieline.engine.chunks import Chunks


class MessageStream(Iterator[str | bytes]):
    """One message, chunk by chunk as it arrives: ``str`` for text, ``bytes`` for binary.

    Iterating gives at least one chunk, which is empty for an empty message. While about 1 MiB waits
    here, nothing more is read from the peer. Raises `ConnectionClosed` when the connection ends
    before the message does; what had come is given first.

    For one thread at a time. Whoever does not want the rest calls `close`, or leaves a ``with``
    block, or lets go of the stream: then the rest is thrown away as it comes.
    """

    def __init__(self, begin: Callable[[], Chunks], wait: Callable[[Chunks], None]) -> None:
        """Not for users. `wait` returns when its argument `is_ready`."""
        self._begin = begin
        self._wait = wait
        self._chunks: Chunks | None = None
        self._is_closed = False

    def __iter__(self) -> MessageStream:
        return self

    def __next__(self) -> str | bytes:
        """The next chunk.

        Raises `TimeoutError` when it does not come in time, if the stream was made with a timeout;
        nothing is lost then.
        """
        if self._is_closed:
            raise StopIteration
        chunks = self._begun()
        chunks.reader = threading.get_ident()
        while True:
            try:
                chunk = chunks.take()
            except IndexError:
                self._wait(chunks)
                continue
            if chunk is None:
                raise StopIteration
            return chunk

    def read(self) -> str | bytes:
        """All the chunks that were not yet given, joined. Raises as iterating does."""
        if self._is_closed:
            raise RuntimeError("the stream was closed, so the rest of the message is lost")
        chunks = self._begun()
        chunks.reader = threading.get_ident()
        while (message := chunks.gather()) is None:
            self._wait(chunks)
        return message

    def close(self) -> None:
        """Throw away the rest of the message, also what has not come yet. Idempotent."""
        self._is_closed = True
        if self._chunks is not None:
            self._chunks.discard()

    def __enter__(self) -> MessageStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        chunks = getattr(self, "_chunks", None)
        if chunks is not None and not chunks.is_finished:
            chunks.abandon()

    def _begun(self) -> Chunks:
        if self._chunks is None:
            self._chunks = self._begin()
        return self._chunks
