# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""How much each read brings → memory to read into, larger while reads keep filling it."""

from __future__ import annotations

from threading import get_ident

from tieline.engine.kept_memory import keep_memory

#: One read takes at most this many bytes at first. It feeds many messages, and is what an L2 cache
#: holds.
BUFFER_SIZE = 256 * 1024

#: And at the very first, on a thread that may live for one short connection only: making and
#: zeroing a larger one takes as long as all that such a connection reads.
FIRST_SIZE = 16 * 1024

#: What the kernel holds takes fewer calls with a larger one, and fewer messages are cut by its end.
#: With a still larger one it leaves the caches before messages are made of it, which costs more.
LARGEST_BUFFER = 512 * 1024

#: After so many reads that would have fitted half of it, the buffer shrinks.
QUIET_READS = 256

#: What begins behind a message that was read to where it stays is mostly another such one: of that
#: no more than this is read here, and copied there.
AFTER_BIG = 16 * 1024


class ReceiveBuffer:
    """What one read goes into. The second read that fills it doubles it for the next one.

    With `first` it begins as small as that, and the first read that fills it makes it `size`.

    Whoever reads tells `received` of each count from `watched_from` up, and looks for `buffer` and
    `view` anew before each read. The memory of before is left as it is: it may still be in use.

    Of one thread.
    """

    def __init__(
        self, size: int = BUFFER_SIZE, largest: int = LARGEST_BUFFER, first: int | None = None
    ) -> None:
        begin = size if first is None else min(first, size)
        #: The same memory twice: to keep, and to read into, where there may be less of it.
        self.buffer = bytearray(begin)
        self.view = memoryview(self.buffer)
        #: All reads count as soon as it has grown, before that only those that fill it.
        self.watched_from = begin
        self._smallest, self._largest = size, largest
        # Reads that filled it since it was told of another, and small ones in a row.
        self._full_reads = 0
        self._quiet_reads = 0

    def received(self, count: int) -> None:
        """A read has brought `count` bytes; 0: it went to other memory, as big messages do."""
        size = len(self.buffer)
        room = len(self.view)
        if count == 0:
            if room > AFTER_BIG:
                self._use(self.buffer, AFTER_BIG)
        elif room < size:
            self._use(self.buffer, size)
        if size < self._smallest:
            if count >= size:
                self._resize(self._smallest)
            return
        if count >= size:
            self._quiet_reads = 0
            self._full_reads += 1
            if self._full_reads > 1 and size < self._largest:
                self._resize(min(size * 2, self._largest))
            return
        self._full_reads = 0
        if count > size // 2:
            self._quiet_reads = 0
        elif size > self._smallest:
            self._quiet_reads += 1
            if self._quiet_reads >= QUIET_READS:
                self._quiet_reads = 0
                self._resize(max(size // 2, self._smallest))

    def _resize(self, size: int) -> None:
        if size > len(self.buffer):
            keep_memory()
        self._use(bytearray(size), size)

    def _use(self, buffer: bytearray, room: int) -> None:
        """The next read may fill so much of it."""
        size = len(buffer)
        view = memoryview(buffer)[:room]
        watched_from = size if room == size == self._smallest else 0
        # Without a call in between, so that no signal leaves one of them behind.
        self.buffer, self.view, self.watched_from = buffer, view, watched_from


class SpareBuffers:
    """The receive buffers of one thread that are not in use: two at most.

    One is enough but for handlers, of this connection or of a signal, that receive on another one:
    the bytes below them are not all used yet. And who goes on with what another thread has read
    gets that one's.
    """

    def __init__(self) -> None:
        #: Which thread: as a number that need not be made anew.
        self.thread = get_ident()
        self._first: ReceiveBuffer | None = None
        self._second: ReceiveBuffer | None = None

    def __len__(self) -> int:
        return (self._first is not None) + (self._second is not None)

    def take(self) -> ReceiveBuffer | None:
        """One of them, or None."""
        taken = self._first
        self._first, self._second = self._second, None
        return taken

    def keep(self, buffer: ReceiveBuffer) -> None:
        """It is in use no more."""
        if self._first is not None:
            self._second = self._first
        self._first = buffer
