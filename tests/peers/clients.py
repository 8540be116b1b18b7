"""What a client's callback is given → the same, to be waited for by a test."""

from __future__ import annotations

import threading
from queue import Empty, Queue

from tests.peers.processes import PATIENCE


class Received:
    """A callback. `next` gives what it was called with, in order."""

    def __init__(self) -> None:
        self._queue: Queue[str | bytes | None] = Queue()
        #: The thread that called last.
        self.thread: threading.Thread | None = None

    def __call__(self, message: str | bytes | None) -> None:
        self.thread = threading.current_thread()
        self._queue.put(message)

    def next(self) -> str | bytes | None:
        try:
            return self._queue.get(timeout=PATIENCE)
        except Empty:
            raise AssertionError(f"the callback was not called within {PATIENCE:g} s") from None

    def until_none(self) -> list[str | bytes]:
        """The messages up to the None that tells the end of the connection."""
        messages = []
        while (message := self.next()) is not None:
            messages.append(message)
        return messages

    def assert_thread_ends(self) -> None:
        """The background thread ends by itself, and has nothing more to say."""
        assert self.thread is not None
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        assert self._queue.empty()
