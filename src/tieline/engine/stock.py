# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Messages that wait to be taken → whether there is room for more."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from tieline.engine.callbacks import Callbacks
from tieline.engine.chunks import Chunks
from tieline.engine.delivery import Delivery
from tieline.engine.delivery import Owner as DeliveryOwner
from tieline.engine.locks import ReentrantLock
from tieline.engine.serial import MAX_WAITING, Runner
from tieline.engine.unsent import NONE_YET, Queue
from tieline.engine.waiting import News

#: More bytes than a run of messages has beside its first and its last one.
RUN = 2 * 1024 * 1024


class Owner(DeliveryOwner, Protocol):
    """The line whose messages are asked for."""

    def on_dropped(self, count: int) -> None:
        """Messages came that nobody will get. The caller may hold locks."""

    @property
    def changed(self) -> News:
        """Of the line's lock, under which no other one is waited for that is held around news."""


class Stock(Delivery):
    """What an `Inbox` holds.

    With `max_queue` messages, or `MAX_WAITING` bytes, it is full: nothing is read before half of
    them are taken. What one read had brought is kept all the same.
    """

    if TYPE_CHECKING:
        _owner: Owner | None

    def __init__(
        self,
        callbacks: Callbacks,
        runner: Runner | None,
        max_queue: int,
        owner: Owner | None = None,
    ) -> None:
        super().__init__(callbacks, runner, max_queue, owner)
        self._max_queue = max_queue
        #: With so many messages left it is worth while to read on.
        self.few = max_queue // 2
        self._messages: Queue[str | bytes] = NONE_YET
        # At least as many bytes as wait, see `_count`; they are too many.
        self._size = 0
        self._is_heavy = False
        #: Reading has stopped, or is about to.
        self.was_full = False
        #: A message in chunks came, or is read.
        self.is_streaming = False
        #: No message will come any more.
        self.has_ended = False
        #: The connection is being closed: what there is no room for is thrown away.
        self.discards = False
        # What came since a message in chunks came, or while one is read: guarded by `news`.
        self._behind: Queue[str | bytes | Chunks] = NONE_YET
        # The message whose end has not come.
        self._chunks: Chunks | None = None
        # See `news`.
        self._news: News | None = None
        #: Threads that wait for news, so that nobody is told when nobody waits.
        self.waiters = 0

    @property
    def news(self) -> News:
        """Notified when a message comes, when a thread stops driving, and at the end.

        Reentrant, because a signal handler may come on top of any line.
        """
        news = self._news
        if news is None:
            fresh = self.news_of(self._owner)
            # Without a call, as above.
            if self._news is None:
                self._news = fresh
            news = self._news
        return news

    def news_of(self, owner: Owner | None) -> News:
        """The owner's, whose lock this needs for moments only: it is one for each line."""
        return News(ReentrantLock()) if owner is None else owner.changed

    @property
    def waiting(self) -> deque[str | bytes]:
        """What `take` takes from, for who looks at `was_full` as well. It stays the same one."""
        messages = self._messages
        if messages is NONE_YET:
            fresh: deque[str | bytes] = deque()
            with self.news.lock:
                # Without a call, where a signal handler on top could come in.
                if self._messages is NONE_YET:
                    self._messages = fresh
                messages = self._messages
        return messages  # type: ignore[return-value]  # not the empty tuple any more

    def _opened_behind(self) -> deque[str | bytes | Chunks]:
        """`_behind`, which can be added to from now on. With `news` held."""
        fresh: deque[str | bytes | Chunks] = deque()
        if self._behind is NONE_YET:
            self._behind = fresh
        return self._behind  # type: ignore[return-value]  # as above

    def __len__(self) -> int:
        return len(self._messages) + len(self._behind)

    def keep(self, message: str | bytes) -> bool:
        """Keep one that came alone; `tell` is the caller's. False: `messages` is to do it."""
        messages = self._messages
        if self.discards or self.is_streaming or self.has_ended:
            return False
        size = len(message)
        if messages:
            size += self._size
        if size >= MAX_WAITING or len(messages) + 1 >= self._max_queue:
            return False
        self._size = size
        if isinstance(messages, tuple):
            messages = self.waiting
        messages.append(message)
        return True

    def keep_run(self, batch: list[str | bytes]) -> bool:
        """The same for a run of them."""
        messages = self._messages
        if self.discards or self.is_streaming or self.has_ended:
            return False
        size = len(batch[0])
        if len(batch) > 1:
            size += len(batch[-1]) + RUN
        if messages:
            size += self._size
        if size >= MAX_WAITING or len(messages) + len(batch) >= self._max_queue:
            return False
        self._size = size
        if isinstance(messages, tuple):
            messages = self.waiting
        messages.extend(batch)
        return True

    # --- how much there is --------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        if self.holds_back:
            return True
        if self.discards:
            return False
        if self.was_full and (self._is_heavy or self._whole_ones >= self._max_queue):
            return True
        chunks = self._chunks
        return chunks is not None and chunks.is_full

    @property
    def load(self) -> int:
        return len(self)

    @property
    def _whole_ones(self) -> int:
        # Not the message in work: who waits for its end may be the only one who can make room.
        return len(self) - (self._chunks is not None)

    def _look_if_full(self) -> None:
        if self._size < MAX_WAITING and len(self) < self._max_queue:
            return
        with self.news.lock:
            self.was_full = True  # before the look: whoever takes one meanwhile looks as well
            self._size = self._count()
            self._is_heavy = self._size >= MAX_WAITING
            self.was_full = self._is_heavy or len(self) >= self._max_queue

    def _count(self) -> int:
        """The bytes (of text: characters) that wait."""
        size = sum(map(len, self.waiting.copy()))
        for one in self._behind:
            size += len(one) if not isinstance(one, Chunks) else one.waiting
        return size

    def look_for_room(self) -> None:
        """Something was taken: is there as much room as makes reading worth while?"""
        if len(self._messages) > self.few:
            return
        with self.news.lock:
            if not self.was_full or self._whole_ones > self.few:
                return
            if self._is_heavy and self._count() > MAX_WAITING // 2:
                return
            # First: it may be full again before `_on_room` returns.
            self._is_heavy = self.was_full = False
        self._on_room()
