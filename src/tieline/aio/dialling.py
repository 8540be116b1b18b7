"""A blocking dial → an awaitable one on another thread, and its stream → one of the loop's."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from tieline.aio.diallers import DIALLERS
from tieline.aio.loop_reactor import LoopReactor
from tieline.transport.attempt import Attempt
from tieline.transport.stream import SocketStream, Stream, lowest

if TYPE_CHECKING:
    from tieline.transport.tls_stream import TLSStream

T = TypeVar("T")

#: Has a function called on the loop, after those that were posted before. From any thread.
Post = Callable[[Callable[[], object]], None]


async def dial_in_thread(
    work: Callable[[Post], T], attempt: Attempt, dispose: Callable[[T], None]
) -> T:
    """The result of `work(post)`, which runs on a thread of its own; what it raises is raised here.

    What `work` posts is called on the loop, in order and before the result is there. A task that is
    cancelled goes on at once: `attempt` is cancelled, nothing more is called, and a result that
    comes nevertheless goes to `dispose`, normally on the dial's thread. `attempt` is closed in the
    end, when the thread needs it no more.
    """
    handover = _Handover(work, dispose, attempt, asyncio.get_running_loop())
    context = contextvars.copy_context()  # the user's `auth` or `headers` may look at theirs
    try:
        DIALLERS.run(partial(context.run, handover.run))
    except BaseException:
        attempt.close()
        raise
    try:
        return await handover.take()
    except BaseException:
        # Also GeneratorExit, when the task is thrown away with its loop.
        if handover.give_up():
            attempt.cancel()
        raise


class _Handover(Generic[T]):
    """One result on its way from the thread that dials to the task that waits, or to `dispose`."""

    def __init__(
        self,
        work: Callable[[Post], T],
        dispose: Callable[[T], None],
        attempt: Attempt,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._work = work
        self._dispose = dispose
        self._attempt = attempt
        self._loop = loop
        self._arrived: asyncio.Future[None] = loop.create_future()
        # Guards the three below.
        self._lock = threading.Lock()
        self._unwanted = False
        self._results: list[T] = []  # at most one, until it is taken
        self._error: BaseException | None = None

    # --- on the dial's thread -----------------------------------------------------------------

    def run(self) -> None:
        """Work, and hand over what comes of it."""
        try:
            with self._attempt:
                result = self._work(self.post)
        except BaseException as error:
            self._error = error
        else:
            with self._lock:
                unwanted = self._unwanted
                if not unwanted:
                    self._results.append(result)
            if unwanted:
                self._dispose(result)
        if not self._to_loop(self._arrive):
            self._dispose_rest()

    def post(self, function: Callable[[], object]) -> None:
        """Have it called on the loop; no more once nobody waits for the result."""
        self._to_loop(partial(self._call, function))

    def _to_loop(self, function: Callable[[], object]) -> bool:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            return False  # the loop is closed
        return True

    # --- on the loop's thread -----------------------------------------------------------------

    async def take(self) -> T:
        """Wait for the result, or raise the error."""
        await self._arrived
        if self._error is not None:
            error, self._error = self._error, None
            if isinstance(error, StopIteration):
                # No coroutine can raise that; it would look like the end of the caller's.
                raise RuntimeError("a callable among the options raised StopIteration") from error
            try:
                raise error
            finally:
                del error  # its traceback holds this frame, and the dial's with its buffers
        with self._lock:
            return self._results.pop()

    def give_up(self) -> bool:
        """Nobody waits any more. True: the dial may still be going on."""
        with self._lock:
            self._unwanted = True
        self._dispose_rest()
        return not self._arrived.done() or self._arrived.cancelled()

    def _arrive(self) -> None:
        if not self._arrived.done():
            self._arrived.set_result(None)

    def _call(self, function: Callable[[], object]) -> None:
        if not self._unwanted:
            function()

    # --- on either ----------------------------------------------------------------------------

    def _dispose_rest(self) -> None:
        """A result that was on its way."""
        with self._lock:
            results, self._results = self._results, []
        for result in results:
            self._dispose(result)


async def adopt(stream: Stream, reactor: LoopReactor) -> Stream:
    """Move a connected stream of blocking calls into the reactor's loop, which must be running.

    Returns a `TransportStream`, or the TLS stream that was given, now over one. Unless this
    succeeds, the connection is closed.
    """
    from tieline.aio.transport_stream import TransportStream  # for loops that watch no descriptors

    below = lowest(stream)
    if not isinstance(below, SocketStream):
        stream.close()
        raise TypeError(f"a loop cannot take over a {type(below).__name__}")
    peer, local = below.peer, below.local
    connected = below.release()
    adopted = TransportStream(
        reactor, connected, peer=peer, local=local, under_tls=stream is not below
    )
    loop = reactor.loop
    try:
        # asyncio takes a unix socket as any other, uvloop does not.
        if connected.family == getattr(socket, "AF_UNIX", None):
            await loop.create_unix_connection(lambda: adopted, sock=connected)
        else:
            await loop.create_connection(lambda: adopted, sock=connected)
    except BaseException:
        adopted.close()
        connected.close()
        # uvloop does not tell the protocol of a connection that it gives up so early.
        reactor.stream_closed(adopted)
        raise
    if stream is below:
        return adopted
    _bottom(stream).lower = adopted
    return stream


def _bottom(stream: Stream) -> TLSStream:
    """The TLS stream that no other TLS stream is below."""
    from tieline.transport.tls_stream import TLSStream

    assert isinstance(stream, TLSStream)
    while isinstance(stream.lower, TLSStream):
        stream = stream.lower
    return stream
