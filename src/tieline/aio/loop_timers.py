"""A point in time, and every few seconds → calls on a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieline.aio.failing import LoopRegistrant
    from tieline.aio.loop_reactor import LoopReactor

#: The shortest wait that all loops can tell from none: uvloop counts in milliseconds.
_TICK = 0.001


class LoopTimer:
    """One call at one time; `cancel` takes it back. Belongs to the loop's thread."""

    __slots__ = ("_call", "_handle", "_reactor", "_registrant", "when")

    def __init__(
        self,
        reactor: LoopReactor,
        when: float,
        registrant: LoopRegistrant,
        call: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._registrant = registrant
        self.when = when
        self._call: Callable[[], None] | None = call
        # Not a method, nor a closure: each of thousands would keep one.
        self._handle: asyncio.Handle = reactor.loop.call_later(when - reactor.now(), self)

    def cancel(self) -> None:
        """It will never be called."""
        self._call = None
        self._handle.cancel()

    def __call__(self) -> None:
        """It is time, or nearly."""
        early, loop = self.when - self._reactor.now(), self._reactor.loop
        if early > 0:  # loops round
            self._handle = loop.call_later(max(early, _TICK), self)
        else:
            # What has arrived counts before any deadline is judged, and some loops fire timers
            # before they read: between the second call from here and now they have read.
            self._handle = loop.call_soon(self._after_reads)

    def _after_reads(self) -> None:
        self._handle = self._reactor.loop.call_soon(self._fire)

    def _fire(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            self._reactor.call(self._registrant, call)


class ClockTicks:
    """What tells the connections of a loop that the machine was asleep. On the loop's thread."""

    __slots__ = ("_next", "_reactor")

    def __init__(self, reactor: LoopReactor) -> None:
        self._reactor = reactor
        # None while nobody who is served has had a timer.
        self._next: asyncio.Handle | None = None

    def begin(self) -> None:
        """Somebody who is served has a timer from now on. Idempotent."""
        if self._next is None:
            self._reactor.clocks.begin()
            self._look_later()

    def end(self) -> None:
        """Nobody is."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def look(self) -> None:
        """If the machine was asleep since the last look, tell everybody."""
        reactor = self._reactor
        seconds = reactor.clocks.look()
        if seconds:
            for registrant in reactor.registrants():
                reactor.call(registrant, partial(registrant.slept, seconds))

    def _look_later(self) -> None:
        reactor = self._reactor
        self._next = reactor.loop.call_later(reactor.clocks.looks_at - reactor.now(), self._tick)

    def _tick(self) -> None:
        try:
            self.look()
        finally:  # Ctrl-C
            if self._next is not None:  # else those who were told have ended
                self._look_later()
