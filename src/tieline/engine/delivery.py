# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""What a session has to tell → the user's handlers, on the reactor's thread or an executor's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from tieline.engine.callbacks import Callbacks
from tieline.engine.serial import Runner, SerialQueue
from tieline.protocol.events import CloseInfo, MessageChunk


class Owner(Protocol):
    """The line: others call its handlers as well, and it says when to read."""

    def is_driven_by_caller(self) -> bool:
        """Is the caller a thread that brings it up again, hence a handler?"""

    def on_room(self) -> None:
        """Reading may go on."""


class Delivery:
    """Calls handlers in order and never two at a time, where the user wants them to run.

    Without `runner` they run at once, on the reactor's thread. With it they queue, and `is_full`
    says when more than `max_queue` messages wait, or very large ones (see `SerialQueue`).
    """

    def __init__(
        self,
        callbacks: Callbacks,
        runner: Runner | None,
        max_queue: int,
        owner: Owner | None = None,
    ) -> None:
        self.callbacks = callbacks
        #: What follows the last messages has to wait, see `hold_back`.
        self.holds_back = False
        self._owner = owner
        self._queue = (
            None
            if runner is None
            else SerialQueue(runner, max_queue, self._on_room, callbacks.executor_refuses)
        )
        #: Handlers are called at once, by whoever delivers.
        self.is_direct = runner is None

    def messages(self, batch: list[str | bytes]) -> None:
        """Deliver a run of messages."""
        if self._queue is None:
            self.callbacks.messages(batch)
        else:
            callbacks = self.callbacks
            job = partial(callbacks.messages, batch)
            self._queue.post(job, len(batch), sum(map(len, batch)))

    def chunk(self, chunk: MessageChunk) -> None:
        """Deliver a part of a message, which comes only where somebody asked for parts."""
        raise TypeError(f"{type(self).__name__} delivers whole messages only")

    def post(self, function: Callable[..., Any], *arguments: Any, weight: int = 0) -> None:
        """Call `function` behind everything that was delivered before. It must not raise.

        `weight`: 1 for what the peer can make any number of, so that it counts as a message does.
        """
        if self._queue is None:
            function(*arguments)
        else:
            self._queue.post(partial(function, *arguments), weight)

    def post_always(self, function: Callable[..., Any], *arguments: Any) -> None:
        """The same for what is never left out: the peer has no part in it."""
        self.post(function, *arguments)

    def hold_back(self) -> bool:
        """The peer breaks a rule behind the messages that come next, and the connection will fail.

        True: wait, because whoever takes these messages may want to answer them first.
        """
        return False

    def go_on(self) -> None:
        """Hold nothing back any more."""

    def discard_rest(self) -> None:
        """The connection is being closed, so nothing may keep it from being read to its end."""

    def begin(self) -> None:
        """A connection is about to be served."""

    def cut(self, info: CloseInfo | None) -> None:
        """The connection has ended, maybe in the middle of a message; another one will follow."""

    def end(self, info: CloseInfo | None) -> None:
        """The connection has ended, or the wait for the next one: no message will come any more."""

    def finish(self, finished: Callable[[], None]) -> None:
        """Call it, which must not raise, when the last handler has returned."""
        if self.is_direct:
            finished()
        else:
            self.post(finished)

    def join(self, timeout: float | None) -> None:
        """Wait until a thread that only this delivery uses has ended. Not on that thread."""

    @property
    def is_full(self) -> bool:
        """True while the handlers are too far behind for more to be read."""
        return self._queue is not None and self._queue.is_full

    @property
    def load(self) -> int:
        """Messages, Pings and Pongs that were read and wait for their handler."""
        return 0 if self._queue is None else self._queue.load

    def abandon_after_fork(self) -> None:
        """In a child process: what waited belongs to the parent."""
        if self._queue is not None:
            self._queue.abandon_after_fork()

    def in_handler(self) -> bool:
        """Is the caller inside a handler that runs elsewhere than on the reactor's thread?"""
        return (self._owner is not None and self._owner.is_driven_by_caller()) or (
            self._queue is not None and self._queue.in_job()
        )

    def _on_room(self) -> None:
        if self._owner is not None:
            self._owner.on_room()
