"""A running asyncio loop → a reactor: connections are served by the loop itself."""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary, WeakSet, ref

from tieline.aio.arrivals import Woken
from tieline.aio.failing import LoopRegistrant, give_up
from tieline.aio.loop_timers import ClockTicks, LoopTimer
from tieline.aio.watching import DescriptorWatch
from tieline.engine.clock_watch import ClockWatch, sleepless_clock
from tieline.engine.process import GOODBYE
from tieline.engine.reactor import Reactor, all_reactors
from tieline.engine.receive_buffer import ReceiveBuffer, SpareBuffers
from tieline.protocol.wire import CloseCode
from tieline.transport.stream import SocketStream, lowest

if TYPE_CHECKING:
    from tieline.aio.transport_stream import TransportStream

#: Seconds for what is left to be closed after `GOODBYE`; nothing of it waits for a peer.
_LAST_CALLS = 0.2


class LoopReactor:
    """Serves connections on an asyncio loop, in place of a `Reactor` and its thread.

    Get the one of the running loop by `running_loop_reactor()`. `call_soon`, `now` and `in_thread`
    may be called on any thread, the rest on the loop's.

    When the loop ends in an orderly way (`asyncio.run` does, `shutdown_asyncgens` is what counts),
    peers get a Close with 1001 and a moment to answer. A loop that was closed without it serves
    nobody any more: the next call from wherever it comes ends what is left, on a thread of its own.
    """

    is_tieline_reactor = True
    #: Its sessions may read and write with system calls of their own (`engine.lane`).
    has_lanes = True
    watch_over = staticmethod(lambda writer: False)  # no other thread may write

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.name = f"asyncio loop {id(loop):#x}"
        self.loop = loop
        #: The receive buffer that all connections share: an idle connection needs none.
        self.memory = ReceiveBuffer()
        #: The same for what goes the short way, and may resume tasks before it has read everything.
        self.spares = SpareBuffers()
        self.clocks = ClockWatch(self.now, sleepless_clock())
        self._ticks = ClockTicks(self)
        self._registrants: dict[LoopRegistrant, DescriptorWatch | TransportStream] = {}
        self.woken = Woken(loop)
        # Transports whose descriptors are open.
        self._streams: set[TransportStream] = set()
        # Set whenever nobody is served and no descriptor is open.
        self._idle = asyncio.Event()
        # Waits for the loop's `shutdown_asyncgens`, while there is anything to be closed then.
        self._farewell: AsyncGenerator[None, None] | None = None
        self._leaving = False
        # Without the loop: the calls that it does not make any more, and the thread that does.
        self._ending = threading.Lock()
        self._starting = threading.RLock()
        self._last_calls: deque[tuple[LoopRegistrant, Callable[[], None]]] = deque()
        self._stand_in: int | None = None
        self._thread: threading.Thread | None = None
        all_reactors.add(cast(Reactor, self))
        _loop_reactors.add(self)

    def __repr__(self) -> str:
        return f"<LoopReactor on {self.name}, {len(self._registrants)} connections>"

    # --- on any thread ------------------------------------------------------------------------

    @property
    def is_leaving(self) -> bool:
        """Is the loop at its end, or beyond it?"""
        return self._leaving or self._stand_in is not None or self.loop.is_closed()

    #: Seconds of the monotonic clock that all timers of this reactor use.
    now = staticmethod(time.monotonic)

    def in_thread(self) -> bool:
        """Is the caller inside the running loop?"""
        return asyncio._get_running_loop() is self.loop or threading.get_ident() == self._stand_in

    def call_soon(self, registrant: LoopRegistrant, callback: Callable[[], None]) -> None:
        """Run `callback` on the loop after what is under way, if `registrant` is still served."""
        if registrant not in self._registrants:
            return
        if self._stand_in is not None:
            self._last_calls.append((registrant, callback))
        elif asyncio._get_running_loop() is self.loop:
            self.loop.call_soon(self.call, registrant, callback)
        else:
            try:
                self.loop.call_soon_threadsafe(self.call, registrant, callback)
            except RuntimeError:  # the loop is closed
                self._last_calls.append((registrant, callback))
                self._end_on_a_thread()

    def caller(self) -> object:
        """Who calls, since fragments of one message come from one: a task of the loop, a thread."""
        if asyncio._get_running_loop() is self.loop:
            return asyncio.current_task(self.loop)
        return threading.get_ident()

    def post(self, function: Callable[[], None]) -> None:
        """Run `function` on the loop; nothing happens when that is closed."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function)

    def registrants(self) -> list[LoopRegistrant]:
        """Who is served now."""
        return list(self._registrants)

    # --- on the loop's thread -----------------------------------------------------------------

    def register(self, registrant: LoopRegistrant, *, quietly: bool = False) -> None:
        """Serve a connection from now on. `quietly` or not: no thread has to be woken up."""
        stream = lowest(registrant.stream)
        if isinstance(stream, SocketStream):
            self._registrants[registrant] = DescriptorWatch(self, registrant)
        elif isinstance(stream, asyncio.BufferedProtocol):
            self._registrants[registrant] = adopted = cast("TransportStream", stream)
            adopted.serve(registrant)
        else:
            raise TypeError(f"a LoopReactor cannot serve a {type(stream).__name__}")
        self._begin()
        self.loop.call_soon(self.call, registrant, registrant.on_registered)

    def unregister(self, registrant: LoopRegistrant) -> None:
        """Serve this connection no more. Call it before its stream is closed."""
        served = self._registrants.pop(registrant, None)
        if isinstance(served, DescriptorWatch):
            served.end()
        elif served is not None:
            served.serve(None)
        self._note_idle()

    def watch(self, registrant: LoopRegistrant, *, readable: bool, writable: bool) -> None:
        """Call `on_readable` and `on_writable` while the stream is ready for it."""
        if self._stand_in is None:
            self._registrants[registrant].watch(readable=readable, writable=writable)

    def call_at(
        self, when: float, registrant: LoopRegistrant, callback: Callable[[], None]
    ) -> LoopTimer:
        """Run `callback` at `when`, never earlier, if `registrant` is still served then."""
        if self._registrants:
            # Who has no timer asks its peer for nothing, after a sleep neither. And a loop that has
            # a timer looks at it in every round.
            self._ticks.begin()
        return LoopTimer(self, when, registrant, callback)

    def call(self, registrant: LoopRegistrant, callback: Callable[[], None]) -> None:
        """Run it now, if `registrant` is still served."""
        if registrant in self._registrants:
            try:
                callback()
            except BaseException as error:
                give_up(registrant, error)

    def look_at_clocks(self) -> None:
        """Tell everybody if the machine was asleep."""
        self._ticks.look()

    def stream_opened(self, stream: TransportStream) -> None:
        """Its descriptor is to be closed before the loop ends."""
        self._streams.add(stream)
        self._begin()

    def stream_closed(self, stream: TransportStream) -> None:
        """Its transport is gone."""
        self._streams.discard(stream)
        self._note_idle()

    # --- the end of the loop ------------------------------------------------------------------

    def _begin(self) -> None:
        """There is something to take leave of, so have it done before the loop ends."""
        self._idle.clear()
        if self._farewell is None and not self._leaving:
            self._farewell = self._on_shutdown()
            # Up to its `yield`. The loop knows of it then, because it was begun inside the loop.
            with suppress(StopIteration):
                self._farewell.__anext__().send(None)

    def _note_idle(self) -> None:
        if self._registrants:
            return
        self._ticks.end()
        if self._streams or self._stand_in is not None:
            return
        self._idle.set()
        if self._farewell is not None:
            # It has nothing to wait for, so it ends in this one step.
            with suppress(StopIteration):
                self._farewell.aclose().send(None)

    async def _on_shutdown(self) -> AsyncGenerator[None, None]:
        """`shutdown_asyncgens` is the one sign that a loop gives before it ends."""
        try:
            yield
        finally:
            self._farewell = None
            if self._registrants or self._streams:
                await self._take_leave()

    async def _take_leave(self) -> None:
        self._leaving = True
        try:
            for registrant in self.registrants():
                self.call(registrant, partial(registrant.close, CloseCode.GOING_AWAY, ""))
            for stream in list(self._streams):
                if not stream.is_served:
                    stream.close()
            if not await self._becomes_idle(GOODBYE):
                for registrant in self.registrants():
                    self.call(registrant, registrant.drop)
                for stream in list(self._streams):
                    if not stream.is_served:
                        stream.close()
                await self._becomes_idle(_LAST_CALLS)
        finally:
            self._leaving = False

    async def _becomes_idle(self, limit: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._idle.wait()
        return self._idle.is_set()

    def end_without_loop(self) -> None:
        """The loop runs no more: this thread ends what it served, and makes its last calls.

        Each peer gets its Close with 1001 if the kernel takes it; no answer is awaited.
        """
        if not self._ending.acquire(timeout=GOODBYE):
            return  # another thread is at it, in a handler that does not return
        self._stand_in = threading.get_ident()
        try:
            for registrant in self.registrants():
                self.call(registrant, registrant.drop)
            while self._last_calls:
                self.call(*self._last_calls.popleft())
            self._registrants.clear()
            for stream in list(self._streams):
                stream.close()
            self._streams.clear()
        finally:
            self._stand_in = None
            self._ending.release()

    def _end_on_a_thread(self) -> None:
        """Not on the caller's: it may hold its session's lock, and no handler runs under that."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self.end_without_loop, name="tieline-last-calls", daemon=True
                )
                self._thread.start()

    def abandon_after_fork(self) -> None:
        """In a child process: the loop does not run here, and its descriptors are the parent's."""
        self._ending = threading.Lock()
        self._starting = threading.RLock()
        for registrant in self._registrants:
            registrant.abandon_after_fork()
        for stream in self._streams:
            stream.detach_after_fork()
        self._registrants = {}
        self._streams = set()
        self._note_idle()


#: Every one of them, for the end of the program.
_loop_reactors: WeakSet[LoopReactor] = WeakSet()

# Weak on both sides: a loop lives as long as its user wants, a reactor as long as it serves.
_reactor_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, ref[LoopReactor]] = (
    WeakKeyDictionary()
)


def running_loop_reactor() -> LoopReactor:
    """The one reactor of the running loop. Raises RuntimeError when no loop is running."""
    loop = asyncio.get_running_loop()
    known = _reactor_of_loop.get(loop)
    reactor = None if known is None else known()
    if reactor is None:
        reactor = LoopReactor(loop)
        _reactor_of_loop[loop] = ref(reactor)
    return reactor


def _end_stopped_loops() -> None:
    """At exit: a loop that is stopped will not run again. Those that run are closed like others."""
    for reactor in list(_loop_reactors):
        if not reactor.loop.is_running():
            reactor.end_without_loop()


# Runs before the `atexit` function of engine.process, which was registered earlier.
atexit.register(_end_stopped_loops)
