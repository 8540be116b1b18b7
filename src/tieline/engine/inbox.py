# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Messages that came → messages that are asked for, by any number of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tieline.engine.callbacks import Callbacks
from tieline.engine.chunks import Chunks
from tieline.engine.serial import MAX_WAITING, Runner
from tieline.engine.stock import RUN, Owner, Stock
from tieline.engine.unsent import NONE_YET
from tieline.protocol.events import CloseInfo, MessageChunk


class Inbox(Stock):
    """Keeps messages until they are taken; all else goes to the handlers, as it does elsewhere.

    A message that comes in chunks takes its place among the others with the first of them: `take`
    gives the messages before it, `take_whole` and `take_chunks` give it as well, and what follows.
    """

    def __init__(
        self,
        callbacks: Callbacks,
        runner: Runner | None,
        max_queue: int,
        owner: Owner | None = None,
    ) -> None:
        super().__init__(callbacks, runner, max_queue, owner)
        # Those that somebody reads; those that were cut
        # short because nobody had room for them.
        self._taken: list[Chunks] | tuple[()] = NONE_YET
        self._cut: tuple[Chunks, ...] = ()
        self._skips_chunks = False
        # How many messages were thrown away, see `discard_rest`; told at the end.
        self._dropped = 0

    #: Tells those from each other who take messages: a message in chunks is read by one of them.
    reader: Callable[[], object] = staticmethod(threading.get_ident)

    # --- what comes in ------------------------------------------------------------------------

    def messages(self, batch: list[str | bytes]) -> None:
        """Keep a run of messages."""
        if self.discards:
            batch = self._that_fit(batch)
            if not batch:
                return
        if not self._messages and not self.is_streaming:
            self._size = 0
        # To look at each one would take as long as all the rest of this.
        self._size += len(batch[0])
        if len(batch) > 1:
            self._size += len(batch[-1]) + RUN
        if self.is_streaming:
            self._keep_behind(batch)
        else:
            messages = self.waiting
            messages.extend(batch)
            if self._size >= MAX_WAITING or len(messages) >= self._max_queue:
                self._look_if_full()
        self.tell()

    def _keep_behind(self, batch: list[str | bytes]) -> None:
        with self.news.lock:
            if self.is_streaming:
                self._opened_behind().extend(batch)
            else:
                self.waiting.extend(batch)
            self._look_if_full()

    def chunk(self, chunk: MessageChunk) -> None:
        """Keep a part of a message."""
        chunks = self._chunks
        if chunks is None and not self._skips_chunks:
            if self.discards and (len(self) >= self._max_queue or self._is_heavy):
                self._skips_chunks = True
                self._dropped += 1
            else:
                chunks = self._chunks = Chunks(self)
                with self.news.lock:
                    self._opened_behind().append(chunks)
                    self.is_streaming = True
        if chunks is not None:
            if self.discards and chunks.is_full:
                self._cut = (*self._cut, chunks)
                self._dropped += 1
                self._chunks, self._skips_chunks = None, True
            else:
                chunks.feed(*chunk)
                self._size += len(chunk.data)
        if chunk.is_last:
            self._chunks, self._skips_chunks = None, False
            self._look_if_full()
        self.tell()

    def begin(self) -> None:
        self.discards = self._skips_chunks = self.has_ended = self.holds_back = False
        self.tell()  # who waits for a message may drive this one

    def cut(self, info: CloseInfo | None) -> None:
        """A message without its end is none, unless somebody has begun to read it."""
        with self.news.lock:
            for chunks in (self._chunks, *self._cut):
                if chunks is None:
                    continue
                if chunks in self._behind:
                    self._opened_behind().remove(chunks)
                chunks.break_off(info)
            self._chunks = None
            self._cut = ()
            self._go_back()
        self.tell()

    def end(self, info: CloseInfo | None) -> None:
        """What is here can still be taken, but nothing more will come."""
        for chunks in (self._chunks, *self._cut):
            if chunks is not None:
                chunks.break_off(info)
        self._chunks = None
        self._cut = ()
        self.has_ended = True
        self.tell()
        dropped, self._dropped = self._dropped, 0
        if dropped and self._owner is not None:
            self._owner.on_dropped(dropped)

    def discard_rest(self) -> None:
        """The connection is being closed: read up to the peer's Close, full or not."""
        self.discards = True
        self.holds_back = False

    def _that_fit(self, batch: list[str | bytes]) -> list[str | bytes]:
        room = 0 if self._is_heavy else max(0, self._max_queue - len(self))
        self._dropped += max(0, len(batch) - room)
        return batch[:room]

    def hold_back(self) -> bool:
        """Until somebody asks for more than these messages, which is after their answers."""
        self.holds_back = not self.discards
        return self.holds_back

    def go_on(self) -> None:
        if self.holds_back:
            self.holds_back = False
            self._on_room()

    def tell(self) -> None:
        """There is news."""
        if self.waiters:
            with self.news.lock:
                self.news.notify_all()

    # --- what is taken ------------------------------------------------------------------------

    def take(self) -> str | bytes:
        """The next message before any that comes in chunks. Raises IndexError without one."""
        try:
            message = self.waiting.popleft()
        except IndexError:
            if not self.is_streaming:
                self.go_on()
            raise
        if self.was_full:
            self.look_for_room()
        return message

    def take_whole(self) -> str | bytes:
        """The next message. Raises IndexError when there is none, or not all of it.

        RuntimeError and ConnectionClosed as with `take_chunks` and what that gives.
        """
        try:
            return self.take()
        except IndexError:
            if not self.is_streaming:
                raise
        with self.news.lock:
            first = message = self._next()
            has_room = False
            if isinstance(first, Chunks):
                message, has_room = first.gather_quietly()
                if message is not None:
                    self._remove_chunks()
        if has_room:
            self._on_room()
        if message is None:
            self.go_on()
            raise IndexError
        assert not isinstance(message, Chunks)
        self.look_for_room()
        return message

    def take_chunks(self) -> Chunks:
        """The next message, of which something has come; the caller reads the rest.

        Raises IndexError when there is none, and RuntimeError when the reader has not yet read the
        last one to its end: it would wait for ever if that is long.
        """
        message: str | bytes | Chunks | None
        try:
            message = self.take()
        except IndexError:
            if not self.is_streaming:
                raise
            with self.news.lock:
                message = self._next()
                if isinstance(message, Chunks):
                    message.reader = self.reader()
                    self._note_taken(message)
                    self._remove_chunks()
            if message is None:
                self.go_on()
                raise
            self.look_for_room()
        if isinstance(message, Chunks):
            return message
        chunks = Chunks(self)
        chunks.feed(message, True)
        return chunks

    def _note_taken(self, chunks: Chunks) -> None:
        fresh: list[Chunks] = []
        if self._taken is NONE_YET:
            self._taken = fresh
        self._taken += [chunks]  # type: ignore[operator]  # a list by now

    def _next(self) -> str | bytes | Chunks | None:
        """Take the next message; one in chunks stays where it is."""
        if self._is_reading():
            raise RuntimeError(
                "the message before is still coming in, and only its stream makes room for the "
                "next one: read it to its end or close() it first"
            )
        # Others may have gone the short way back since the caller looked, and take without a lock.
        try:
            return self.waiting.popleft()
        except IndexError:
            pass  # so it is the one behind them
        first = self._behind[0] if self._behind else None
        if first is not None and not isinstance(first, Chunks):
            self._opened_behind().popleft()
            self._go_back()
        return first

    def _is_reading(self) -> bool:
        """Has the caller not yet read its last message to the end?"""
        # A copy: a stream may be finalized, and so leave, at any line.
        return bool(self._taken) and self.reader() in [one.reader for one in tuple(self._taken)]

    def _remove_chunks(self) -> None:
        """The message in chunks that comes next was taken."""
        self._opened_behind().popleft()
        self._go_back()

    def _go_back(self) -> None:
        """To the short way, if nobody reads a message in chunks."""
        if not self._taken:
            behind = self._behind
            while behind and not isinstance(behind[0], Chunks):
                self.waiting.append(behind.popleft())  # type: ignore[arg-type]
            self.is_streaming = bool(behind)

    def has_whole(self) -> bool:
        """Would `take_whole` get on?"""
        if self._messages or not self.is_streaming:
            return bool(self._messages)
        with self.news.lock:
            first = self._behind[0] if self._behind else None
            is_here = first is not None and (not isinstance(first, Chunks) or first.is_ready)
            return is_here or self._is_reading()

    def has_chunks(self) -> bool:
        """Would `take_chunks` raise no IndexError?"""
        return len(self) > 0 or self._is_reading()

    def on_chunks_room(self) -> None:
        self._on_room()

    def on_chunks_finished(self, chunks: Chunks) -> None:
        self.tell()  # first: afterwards it may look as if nobody cared for chunks
        with self.news.lock:
            if chunks in self._taken:
                self._taken.remove(chunks)  # type: ignore[union-attr]  # not the empty tuple
            self._go_back()

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> None:
        """Wait for news until `predicate` holds, `timeout` seconds at most."""
        with self.news.lock:
            self.waiters += 1
            try:
                self.news.wait_for(predicate, timeout)
            finally:
                self.waiters -= 1

    def abandon_after_fork(self) -> None:
        """In a child process: the messages that are here are its own copies."""
        super().abandon_after_fork()
        self._news = None
        self.waiters = 0
        for chunks in (self._chunks, *self._cut, *self._taken):
            if chunks is not None:
                chunks.abandon_after_fork()
