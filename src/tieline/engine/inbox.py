"""Messages that came → messages that are asked for, by any number of threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from tieline.engine.callbacks import Callbacks
from tieline.engine.delivery import Delivery
from tieline.engine.serial import Runner


class Inbox(Delivery):
    """Keeps messages until they are taken; all else goes to the handlers, as it does elsewhere.

    With `max_queue` messages it is full: nothing is read before half of them are taken. What one
    read had brought is kept all the same.
    """

    def __init__(
        self,
        callbacks: Callbacks,
        runner: Runner | None,
        max_queue: int,
        on_room: Callable[[], None],
    ) -> None:
        super().__init__(callbacks, runner, max_queue, on_room)
        self._max_queue = max_queue
        self._on_room = on_room
        self._messages: deque[str | bytes] = deque()
        self._was_full = False
        self._discards = False
        #: Notified when a message comes, when a thread stops driving, and at the end. Reentrant,
        #: because a signal handler may come on top of any line.
        self.news = threading.Condition(threading.RLock())
        # Threads that wait for news, so that nobody is told when nobody waits.
        self._waiting = 0
        #: No message will come any more.
        self.has_ended = False
        # How many messages were thrown away, see `discard_rest`; told at the end.
        self._dropped = 0
        self.on_dropped: Callable[[int], None] | None = None

    def __len__(self) -> int:
        return len(self._messages)

    # --- what comes in ------------------------------------------------------------------------

    def messages(self, batch: list[str | bytes]) -> None:
        """Keep a run of messages."""
        if self._discards and len(self._messages) + len(batch) > self._max_queue:
            room = max(0, self._max_queue - len(self._messages))
            self._dropped += len(batch) - room
            batch = batch[:room]
        self._messages.extend(batch)
        if len(self._messages) >= self._max_queue:
            self._was_full = True
        self.tell()

    def end(self) -> None:
        """What is here can still be taken, but nothing more will come."""
        self.has_ended = True
        self.tell()
        dropped, self._dropped = self._dropped, 0
        if dropped and self.on_dropped is not None:
            self.on_dropped(dropped)

    def discard_rest(self) -> None:
        """The connection is being closed: read up to the peer's Close, full or not."""
        self._discards = True
        self.holds_back = False

    def hold_back(self) -> bool:
        """Until somebody asks for more than these messages, which is after their answers."""
        self.holds_back = not self._discards
        return self.holds_back

    def go_on(self) -> None:
        if self.holds_back:
            self.holds_back = False
            self._on_room()

    def tell(self) -> None:
        """There is news."""
        if self._waiting:
            with self.news:
                self.news.notify_all()

    @property
    def is_full(self) -> bool:
        return self.holds_back or (len(self._messages) >= self._max_queue and not self._discards)

    @property
    def load(self) -> int:
        return len(self._messages)

    # --- what is taken ------------------------------------------------------------------------

    def take(self) -> str | bytes:
        """The next message. Raises IndexError when there is none."""
        try:
            message = self._messages.popleft()
        except IndexError:
            self.go_on()
            raise
        if self._was_full and len(self._messages) <= self._max_queue // 2:
            self._was_full = False  # first: it may be full again before `_on_room` returns
            self._on_room()
        return message

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> None:
        """Wait for news until `predicate` holds, `timeout` seconds at most."""
        with self.news:
            self._waiting += 1
            try:
                self.news.wait_for(predicate, timeout)
            finally:
                self._waiting -= 1

    def abandon_after_fork(self) -> None:
        """In a child process: the messages that are here are its own copies."""
        super().abandon_after_fork()
        self.news = threading.Condition(threading.RLock())
        self._waiting = 0
