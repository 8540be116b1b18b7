# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Messages that came → tasks that ask for them: taken without waiting, or awaited by one future."""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any

from tieline.engine.locks import ReentrantLock
from tieline.engine.unsent import NONE_YET, Queue

if TYPE_CHECKING:
    from tieline.aio.inbox import LoopInbox
    from tieline.aio.loop_reactor import LoopReactor


class Arrival:
    """One task's wait for news: a future, as far as asyncio is concerned.

    (What has `_asyncio_future_blocking` is one, see `asyncio.isfuture`.) A future of the loop's own
    would resume its task in the loop's next turn. This one lets whoever serves the connection do it
    in this turn, when all that came was delivered and no call of ours is left that an exception of
    the task's could interrupt. Belongs to the loop's thread.
    """

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._asyncio_future_blocking = False
        self._is_done = False
        # The message of the cancellation, in a tuple.
        self._cancelled: tuple[Any, ...] | None = None
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None

    # --- what a coroutine does ----------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, None]:
        return self  # type: ignore[return-value]  # an iterator is all that is wanted

    def __iter__(self) -> Arrival:
        return self

    def __next__(self) -> Arrival:
        if self._is_done:
            if self._cancelled is not None:
                self.result()
            raise StopIteration
        self._asyncio_future_blocking = True
        return self

    # --- what a task does ---------------------------------------------------------------------

    def get_loop(self) -> AbstractEventLoop:
        return self._arrivals.loop

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        self._callback = callback
        self._context = context

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        had_one = self._callback == callback
        if had_one:
            self._callback = None
        return int(had_one)

    def done(self) -> bool:
        return self._is_done

    def cancelled(self) -> bool:
        return self._cancelled is not None

    def result(self) -> None:
        if self._cancelled is not None:
            raise CancelledError(*self._cancelled)

    def exception(self) -> None:
        self.result()

    def cancel(self, msg: Any = None) -> bool:
        if self._is_done:
            return False
        self._is_done = True
        self._cancelled = () if msg is None else (msg,)
        self._arrivals.forget(self)
        self.resume_soon()
        return True

    # --- what brings the news -----------------------------------------------------------------

    def wake(self) -> None:
        """There is news for this one."""
        if self._is_done:
            return
        self._is_done = True
        woken = self._arrivals.woken
        if woken.gathers:
            woken.queue.add(self)
        else:
            self.resume_soon()

    def resume_soon(self) -> None:
        """Have the loop resume the task; after the end of the loop nobody waits any more."""
        callback, context, loop = self._callback, self._context, self._arrivals.loop
        self._callback = self._context = None
        if callback is not None and not loop.is_closed():
            loop.call_soon(callback, self, context=context)

    def resume(self) -> None:
        """Resume the task now. What the loop itself would let through comes through."""
        callback, context = self._callback, self._context
        self._callback = self._context = None
        if callback is None:
            return
        done = self._arrivals.woken.done
        if context is None:
            callback(done)
        else:
            context.run(callback, done)


class ArrivalQueue:
    """Arrivals in order. Hardly ever is it more than one, and that takes no memory of its own."""

    def __init__(self) -> None:
        self.first: Arrival | None = None
        # Those behind it.
        self._others: Queue[Arrival] = NONE_YET

    def __len__(self) -> int:
        return 0 if self.first is None else 1 + len(self._others)

    def __contains__(self, arrival: object) -> bool:
        return arrival is not None and (arrival is self.first or arrival in self._others)

    def add(self, arrival: Arrival) -> None:
        """At its end."""
        if self.first is None:
            self.first = arrival
            return
        others = self._others
        if isinstance(others, tuple):
            self._others = others = deque()
        others.append(arrival)

    def take(self) -> Arrival | None:
        """The first one, or None."""
        taken = self.first
        self.first = self._others.popleft() if self._others else None
        return taken

    def remove(self, arrival: Arrival) -> None:
        """One that is in it."""
        if arrival is self.first:
            self.take()
        else:
            self._others.remove(arrival)  # type: ignore[union-attr]  # it is a deque then


class Woken:
    """While a connection of the loop is read: who was woken, to be resumed when that is done.

    Made on the loop's thread, and of that.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        #: The loop's thread holds it for good: to ask whose it is takes C no call, where a thread's
        #: number would be a Python object.
        self.thread: Any = ReentrantLock()
        self.thread.acquire()
        #: Is a connection read?
        self.gathers = False
        # Are tasks resumed, inside the running loop?
        self._resumes = False
        self.queue = ArrivalQueue()
        #: What tasks are resumed with. They look into a future of asyncio's own, where they would
        #: have to find and call the `result` of any other.
        self.done = loop.create_future()
        self.done.set_result(None)

    def resume(self) -> None:
        """Resume their tasks, all of them, whatever one of them raises."""
        queue = self.queue
        self._resumes = True
        try:
            while queue.first is not None:
                queue.take().resume()  # type: ignore[union-attr]  # there is one
        finally:
            self._resumes = False
            self.resume_soon()

    def resume_soon(self) -> None:
        """Have the loop do it, in its next turn."""
        queue = self.queue
        while queue.first is not None:
            queue.take().resume_soon()  # type: ignore[union-attr]  # as above


class Arrivals:
    """Who waits for the messages of one inbox, in order. Belongs to the loop's thread."""

    def __init__(self, inbox: LoopInbox, reactor: LoopReactor) -> None:
        self._inbox = inbox
        # Of the inbox, once somebody has asked for one.
        self._messages: Queue[str | bytes] = NONE_YET
        self._pop: Callable[[], str | bytes] | None = None
        #: Those that were not woken yet.
        self.waiting = ArrivalQueue()
        self.woken = reactor.woken
        self.loop = reactor.loop
        self._is_running = reactor.loop.is_running

    def is_here(self) -> bool:
        """Is the caller most certainly inside the loop? Much quicker than asking asyncio."""
        woken = self.woken
        if not woken.thread._is_owned():
            return False
        return woken._resumes or bool(self._is_running())

    def take(self) -> str | bytes | None:
        """The next message, if it is here and whole and nobody reads one in chunks before it."""
        if self._pop is None:
            self._messages = messages = self._inbox.waiting
            self._pop = messages.popleft
        if not self._messages:
            return None
        message = self._pop()
        if self._inbox.was_full:
            self._inbox.took_one()
        return message

    def next(self) -> Arrival | None:
        """What to await for the next message; None when there is more to do than to wait."""
        inbox = self._inbox
        if inbox.has_ended or inbox.holds_back or inbox.is_streaming:
            return None
        return self.news()

    def news(self) -> Arrival:
        """To be awaited, in this step of the task; then tell of `left`, if that raises."""
        arrival = Arrival(self)
        self.waiting.add(arrival)
        return arrival

    def forget(self, arrival: Arrival) -> None:
        """It waits no more."""
        self.waiting.remove(arrival)

    def left(self, arrival: Arrival) -> None:
        """Its task does not go on with what it was told."""
        if arrival in self.waiting:
            self.forget(arrival)
        elif not arrival.cancelled():
            self.tell(1)  # it was meant for whoever goes on

    def tell(self, count: int) -> None:
        """Wake the first `count` of those that wait."""
        waiting = self.waiting
        while count > 0:
            arrival = waiting.take()
            if arrival is None:
                break
            if not arrival._is_done:  # its time is over, and it was told so
                arrival.wake()
                count -= 1


class Messages:
    """Each message as it comes: what ``async for`` goes through."""

    def __init__(
        self, arrivals: Arrivals, following: Callable[[], Coroutine[Any, Any, str | bytes]]
    ) -> None:
        self._arrivals = arrivals
        # The next one when there is none; keeps the connection alive.
        self._following = following

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> str | bytes:
        arrivals = self._arrivals
        if arrivals is None:  # C would take it for what it should be
            raise TypeError("nothing to go through: use 'async for message in ws'")
        message = arrivals.take()
        if message is None:
            return await self._following()
        return message
