"""Frames that the kernel has not taken yet → as few writes as possible."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tieline.transport.stream import Stream

#: What is gathered into one write: above it, joining costs more than a further system call.
_GATHERED = 64 * 1024


class Outbox:
    """The bytes that wait to be written to one stream, in order. Guarded by the session's lock."""

    def __init__(self) -> None:
        self._chunks: deque[bytes | bytearray | memoryview] = deque()
        #: Bytes that wait.
        self.size = 0
        #: Statistics: bytes that the stream has taken.
        self.written = 0

    def extend(self, chunks: list[bytes | bytearray]) -> None:
        """Add frames at the end."""
        self.extend_from(lambda: chunks)

    def extend_from(self, take: Callable[[], list[bytes | bytearray]]) -> None:
        """Add the frames that `take` returns at the end.

        What a signal handler sends on top of this comes before or behind them, never in their
        midst: a message between two fragments of another would be against the rules.
        """
        chunks = take()
        if chunks:
            self._chunks.extend(chunks)
            size = len(chunks[0]) if len(chunks) == 1 else sum(map(len, chunks))
            self.size += size  # no call within, which a signal handler's send could come into

    def write_to(self, stream: Stream) -> bool:
        """Write as much as the stream takes. True: nothing is left. Raises `OSError`."""
        chunks = self._chunks
        while chunks:
            chunk = chunks[0] if len(chunks) == 1 else self._gather()
            taken = stream.send(chunk)
            self.size -= taken
            self.written += taken
            if taken < len(chunk):
                if taken:
                    chunks[0] = memoryview(chunk)[taken:]
                return False
            chunks.popleft()
        return True

    def _gather(self) -> bytes | bytearray | memoryview:
        """Join the first small chunks into one, so that they cost one system call."""
        chunks = self._chunks
        first = chunks.popleft()
        if len(first) + len(chunks[0]) > _GATHERED:
            chunks.appendleft(first)
            return first
        gathered = [first]
        size = len(first)
        while chunks and size + len(chunks[0]) <= _GATHERED:
            size += len(chunks[0])
            gathered.append(chunks.popleft())
        joined = b"".join(gathered)
        chunks.appendleft(joined)
        return joined

    def clear(self) -> None:
        """Drop everything: the stream is broken."""
        self._chunks.clear()
        self.size = 0
