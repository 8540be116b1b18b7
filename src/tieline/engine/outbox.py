# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Frames that the kernel has not taken yet → as few writes as possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tieline.engine.kept_memory import keep_memory
from tieline.protocol.big_frame import PIECE, BigFrame
from tieline.transport.stream import Stream

#: What is gathered into one write: above it, joining costs more than a further system call.
_GATHERED = 64 * 1024

#: Bytes of big frames after which others have their turn: a peer may take a big message as fast as
#: it comes, and the lock is held meanwhile.
_AT_ONCE = 4 * PIECE

Chunk = bytes | bytearray | memoryview


class Outbox:
    """The bytes that wait to be written to one stream, in order. Guarded by the session's lock."""

    def __init__(self) -> None:
        self._init_outbox()

    def _init_outbox(self) -> None:
        #: What waits, or None.
        self.chunks: list[Chunk | BigFrame] | None = None
        #: Its bytes.
        self.unwritten = 0
        #: Bytes that the stream has taken.
        self.written = 0
        #: Bytes behind these that it was offered, when the call did not return: they may have left.
        self.offered = 0
        #: A signal handler on top finds that `unwritten` lacks what is being added.
        self.is_adding = False

    def extend(self, chunks: Sequence[bytes | bytearray | BigFrame]) -> None:
        """Add frames at the end."""
        for chunk in chunks:
            self.add(chunk)

    def add(self, chunk: Chunk | BigFrame) -> None:
        """Add one at the end, where no signal handler can come in between."""
        if self.chunks is None:
            self._begin([chunk])
        else:
            self.chunks.append(chunk)
        self.unwritten += len(chunk)

    def _begin(self, fresh: list[Chunk | BigFrame]) -> None:
        """Of these, unless there are others by now.

        Before Python 3.12 a new list may have garbage collected, whose finalizers may have sent.
        """
        if self.chunks is None:
            self.chunks = fresh
        else:
            self.chunks += fresh

    def extend_from(self, take: Callable[[], Sequence[bytes | bytearray | BigFrame]]) -> int:
        """Add the frames that `take` returns at the end; how many bytes.

        What a signal handler sends on top of this comes before or behind them, never in their
        midst: a message between two fragments of another would be against the rules.
        """
        chunks = take()
        if not chunks:
            return 0
        # No call within these lines, which a signal handler's send could come into.
        was_adding, self.is_adding = self.is_adding, True
        if self.chunks is None:
            fresh: list[Chunk | BigFrame] = [*chunks]
            if self.chunks is None:  # still, see `_begin`
                self.chunks = fresh
            else:
                self.chunks += fresh  # type: ignore[unreachable]
        else:
            self.chunks += chunks
        size = len(chunks[0]) if len(chunks) == 1 else sum(map(len, chunks))
        self.unwritten += size
        self.is_adding = was_adding
        return size

    def write_to(self, stream: Stream) -> bool:
        """Write what the stream takes, or a lot of it. True: nothing is left. Raises `OSError`."""
        chunks = self.chunks
        begun = 0
        while chunks:
            chunk = chunks[0]
            if isinstance(chunk, BigFrame):
                if begun >= _AT_ONCE:
                    return False
                chunk = _begin_piece(chunks, chunk)
                begun += len(chunk)
            elif len(chunks) > 1:
                chunk = _gather(chunks)
            size = self.offered = len(chunk)
            taken = stream.send(chunk)
            self.unwritten -= taken
            self.written += taken
            self.offered = 0
            if taken < size:
                if taken:
                    chunks[0] = memoryview(chunk)[taken:]
                return False
            del chunks[0]
        self.chunks = None
        return True

    def clear(self) -> None:
        """Drop everything: the stream is broken."""
        chunks = self.chunks
        if chunks is not None:
            for chunk in chunks:
                if isinstance(chunk, BigFrame):
                    chunk.drop()  # whoever sent it may still hold it
            chunks.clear()
        self.unwritten = 0


def _begin_piece(chunks: list[Chunk | BigFrame], frame: BigFrame) -> bytearray:
    """Put the next piece of the first frame before its rest."""
    keep_memory(2 * PIECE)  # for it and a payload, which may be new each time
    piece = frame.next_piece()
    if len(frame):
        chunks.insert(0, piece)
    else:
        chunks[0] = piece
    return piece


def _gather(chunks: list[Chunk | BigFrame]) -> Chunk:
    """Join the first small chunks into one, so that they cost one system call."""
    gathered: list[Chunk] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if isinstance(chunk, BigFrame) or (size > _GATHERED and gathered):
            break
        gathered.append(chunk)
    if len(gathered) == 1:
        return gathered[0]
    joined = b"".join(gathered)
    # In one step, however many: each one taken off alone would move all that are behind it.
    chunks[: len(gathered)] = [joined]
    return joined
