# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""What happens on one connection → typed events for `on_event`, in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tieline.engine.delivery import Delivery
from tieline.engine.log import AnyLogger
from tieline.options import Options
from tieline.protocol.events import Frame
from tieline.protocol.wire import Opcode

if TYPE_CHECKING:
    from tieline.events import ConnectionEvent


class HandlerCaller(Protocol):
    """What a `Teller` asks of its session."""

    def call_handler(self, function: Callable[[], None]) -> None:
        """On the reactor's thread, behind what was delivered before."""


class Teller:
    """Tells one connection's events, each with the moment at which it happened.

    `tell` and `received` are for the reactor's thread; all else is for any thread, also for one
    that holds the session's lock.
    """

    def __init__(
        self,
        delivery: Delivery,
        connection_id: int,
        options: Options,
        *,
        log: AnyLogger,
        now: Callable[[], float],
        owner: HandlerCaller,
    ) -> None:
        self._delivery = delivery
        self._connection_id = connection_id
        self._log = log
        self._now = now
        self._owner = owner
        #: Somebody listens. Otherwise nothing is made or told, and what only it needs can be left.
        self.is_heard = delivery.callbacks.wants_events
        self._low_throughput = options.low_throughput
        #: Seconds above which a send is told of, or None: then sends need not be `timed`.
        self.slow_send = options.slow_send
        #: True when `sent` and `received` are to be called for each frame.
        self.shows_frames = self.is_heard and options.frame_events

    @property
    def watches_sends(self) -> bool:
        """Does anybody want to know of each message that is sent?"""
        return self.shows_frames or self.slow_send is not None

    def tell(self, kind: str, **data: Any) -> None:
        """It happens now."""
        if self.is_heard:
            self._post(self._event(kind, data))

    def received(self, frame: Frame) -> None:
        """A frame came."""
        if self.shows_frames:
            self.tell("FrameReceivedEvent", frame=frame)

    def sent(
        self,
        opcode: Opcode,
        payload: bytes | bytearray | memoryview,
        fin: bool = True,
        rsv1: bool = False,
    ) -> None:
        """A frame was handed to the kernel or the write buffer; `payload` is not compressed."""
        if self.shows_frames:
            self._tell_soon("FrameSentEvent", frame=Frame(opcode, bytes(payload), fin, rsv1))

    @contextmanager
    def timed(self, size: int) -> Iterator[None]:
        """The body sends `size` bytes, on a thread that holds no lock."""
        started = self._now()
        try:
            yield
        finally:
            seconds = self._now() - started
            if self.slow_send is not None and seconds > self.slow_send:
                self._log.warning("sending %d bytes took %.3f s", size, seconds)
                self._tell_soon("SlowSendEvent", seconds=seconds, size=size)

    def waited(self, size: int, seconds: float, taken: int) -> None:
        """A send of `size` bytes waited for the peer, which took `taken` bytes meanwhile."""
        limit = self._low_throughput
        if limit is None or seconds <= 0 or taken / seconds >= limit:
            return
        rate = taken / seconds
        # Not logged here: log handlers are the user's code, and the caller holds the lock.
        self._owner.call_handler(
            lambda: self._log.warning("the peer takes only %.0f bytes per second", rate)
        )
        self._tell_soon("LowThroughputEvent", bytes_per_second=rate, size=size)

    def _tell_soon(self, kind: str, **data: Any) -> None:
        if self.is_heard:
            event = self._event(kind, data)
            self._owner.call_handler(lambda: self._post(event))

    def _event(self, kind: str, data: dict[str, Any]) -> ConnectionEvent:
        from tieline import events  # loaded where somebody listens

        make = getattr(events, kind)
        event: ConnectionEvent
        event = make(time=self._now(), connection_id=self._connection_id, **data)
        return event

    def _post(self, event: ConnectionEvent) -> None:
        self._delivery.post(self._delivery.callbacks.event, event)


class _Nobody(Teller):
    """What all connections share of which nobody wants to be told anything."""

    def __init__(self) -> None:
        self._now = time.monotonic
        self.is_heard = self.shows_frames = False
        self._low_throughput = self.slow_send = None


_NOBODY = _Nobody()


def teller_of(
    delivery: Delivery,
    connection_id: int,
    options: Options,
    log: AnyLogger,
    now: Callable[[], float],
    owner: HandlerCaller,
) -> Teller:
    """A connection's `Teller`."""
    is_wanted = delivery.callbacks.wants_events
    if not is_wanted and options.slow_send is None and options.low_throughput is None:
        return _NOBODY
    return Teller(delivery, connection_id, options, log=log, now=now, owner=owner)
