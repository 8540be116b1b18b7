"""A line on an event loop whose messages are asked for, and sent, by tasks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TypeVar

from tieline.aio.at_once import AtOnce
from tieline.aio.streams import MessageStream
from tieline.aio.supervisor import LoopSupervisor
from tieline.aio.waiters import Waiters
from tieline.engine.handlers import Handlers
from tieline.engine.session import Session
from tieline.errors import ConnectionClosed, SendBufferFull
from tieline.options import Options

T = TypeVar("T")

#: Seconds after which a task that sends and sends lets others run.
_LOOP_TURN = 0.005

#: Nobody can see that from here: the task that has begun the message waits for another future.
_IN_A_TASK_OF_ITS_OWN = (
    "asyncio.wait_for() runs what it is given in a task of its own before Python 3.12: if it was "
    "used within a message in fragments, use asyncio.timeout()"
)


class LoopLine(LoopSupervisor):
    """Waits before it takes: a call that is cancelled has taken, or sent, nothing."""

    __slots__ = ("_asked_for_room", "_senders", "_yielded_at", "at_once")

    def __init__(self, options: Options, handlers: Handlers) -> None:
        super().__init__(options, handlers)
        #: The short way of messages that need not wait.
        self.at_once = AtOnce(self, self.inbox.arrivals)
        # Tasks that wait for room in the write buffer, or for a fragmented message's end.
        self._senders = Waiters()
        self._asked_for_room = False
        # When a sender last let the loop turn.
        self._yielded_at = 0.0

    # --- receiving ----------------------------------------------------------------------------

    async def receive(self, timeout: float | None) -> str | bytes:
        """The next message. Raises TimeoutError, and ConnectionClosed when there is none left."""
        return await self._wait_for(self.inbox.take_whole, timeout, "message")

    def stream(self, timeout: float | None) -> MessageStream:
        """The next message in chunks; each is awaited for `timeout` seconds at most."""
        self._check_loop()
        self.stream_messages()
        take_chunks = self.inbox.take_chunks
        return MessageStream(
            lambda: self._wait_for(take_chunks, timeout, "message"),
            lambda chunks: self._wait_for(chunks.check_ready, timeout, "more of the message"),
        )

    async def _wait_for(self, take: Callable[[], T], timeout: float | None, what: str) -> T:
        """What `take` returns once it raises no IndexError. Raises TimeoutError, ConnectionClosed.

        It takes in one step with returning: cancelled means that nothing was taken.
        """
        self._check_loop()
        inbox = self.inbox
        deadline = None if timeout is None else self.reactor.now() + timeout
        is_over = False
        while True:
            try:
                return take()
            except IndexError:
                pass
            if inbox.has_ended:
                raise self.closed_error()
            if is_over:
                raise TimeoutError(f"no {what} within {timeout:g} s")
            left = None if deadline is None else max(0.0, deadline - self.reactor.now())
            try:
                await inbox.arrival(left)
            except TimeoutError:
                is_over = True

    # --- sending ------------------------------------------------------------------------------

    async def say(
        self, session: Session, size: int, blocked: Callable[[], bool], action: Callable[[], T]
    ) -> T:
        """Wait while `blocked()`, then do it, in one go: cancelled means that nothing was sent."""
        self._check_loop()
        if self.reactor.now() - self._yielded_at > _LOOP_TURN:
            # Nothing here need ever wait while the kernel takes all, and others want to run.
            await asyncio.sleep(0)
            self._yielded_at = self.reactor.now()
        while True:
            if blocked() and session.is_open:
                await self._room(session, size, blocked)
            try:
                return action()
            except SendBufferFull:
                if not session.is_open:
                    raise ConnectionClosed(
                        "nothing can be sent, the connection is closing or closed", self.close_info
                    ) from None
                # Another thread was faster: wait again.

    async def _room(self, session: Session, size: int, blocked: Callable[[], bool]) -> None:
        sender = session.sender
        with sender.waiting(size) as deadline:
            while blocked() and session.is_open:
                left = sender.patience(deadline)
                if left is not None and left <= 0:
                    error = sender.no_room()
                    if not sender.is_full and sys.version_info < (3, 12):
                        error.add_note(_IN_A_TASK_OF_ITS_OWN)
                    raise error
                if not self._asked_for_room:
                    self._asked_for_room = True
                    sender.call_when_ready(self._on_send_room)
                try:
                    await self._senders.wait(sender.pause(left))
                except TimeoutError:
                    with session.lock:
                        sender.look_for_room()

    def _on_send_room(self) -> None:
        """On any thread, with the session's lock held."""
        if self.reactor.in_thread():
            self._wake_senders()
        else:
            self._loop_reactor.post(self._wake_senders)

    def _wake_senders(self) -> None:
        self._asked_for_room = False
        self._senders.wake()
