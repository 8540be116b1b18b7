"""What connections have counted → values that can be added up, and shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tieline.making import unfinished

if TYPE_CHECKING:
    from tieline.engine.sender import Sender
    from tieline.protocol.connection import Connection


@dataclass(frozen=True, slots=True)
class Latency:
    """Round trips of Pings, in seconds; percentiles over the last thousand."""

    count: int = 0
    last: float | None = None
    min: float | None = None
    mean: float | None = None
    max: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What went over connections: payload is the messages' content, wire is everything."""

    messages_sent: int = 0
    messages_received: int = 0
    frames_sent: int = 0
    frames_received: int = 0
    payload_bytes_sent: int = 0
    payload_bytes_received: int = 0
    wire_bytes_sent: int = 0
    wire_bytes_received: int = 0
    pings_sent: int = 0
    pings_received: int = 0
    pongs_sent: int = 0
    pongs_received: int = 0
    #: Seconds in writes and in waits for the peer to read. Of small messages every 16th is timed
    #: and counts for all of them.
    send_seconds: float = 0.0
    #: Seconds in reads and in decoding; handlers not included.
    receive_seconds: float = 0.0

    @classmethod
    def of(
        cls, connection: Connection, sender: Sender, bytes_read: int, receive_seconds: float
    ) -> Traffic:
        """The counters of one connection."""
        made = _UnfinishedTraffic()
        for name, value in connection.counters().items():
            setattr(made, name, value)
        made.wire_bytes_sent = sender.bytes_written
        made.wire_bytes_received = bytes_read
        made.send_seconds = sender.seconds
        made.receive_seconds = receive_seconds
        made.__class__ = cls
        return made  # type: ignore[no-any-return]

    def plus(self, other: Traffic, factor: int = 1) -> Traffic:
        """The sum, or with factor -1 the difference."""
        mine, others = _counted(self), _counted(other)
        return Traffic(
            **{
                name: one + factor * two
                for name, one, two in zip(COUNTERS, mine, others, strict=True)
            }
        )


_UnfinishedTraffic = unfinished(Traffic)

#: The names of all that is counted.
COUNTERS = tuple(field.name for field in fields(Traffic))
_counted: Callable[[Traffic], tuple[Any, ...]] = attrgetter(*COUNTERS)

#: Immutable, so that all who have counted nothing yet can share them.
NO_TRAFFIC = Traffic()
NO_LATENCY = Latency()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats(Traffic):
    """What a client has done since it was made, or since `reset_stats()`. A snapshot."""

    #: Connections that came about.
    connects: int = 0
    #: How many of them replaced one that was lost, or dropped by `reconnect()`.
    reconnects: int = 0
    #: Messages that came and could not be delivered.
    dropped: int = 0
    #: Messages that wait for the next connection (``offline="queue"``).
    offline_queued: int = 0
    #: Messages that were sent while offline and will not be sent: see `MessageDroppedEvent`.
    offline_dropped: int = 0
    #: Messages that were read and wait for their handler (with ``executor``) or for `recv()`.
    queue_depth: int = 0
    #: Bytes that wait for the kernel to take them.
    buffered_bytes: int = 0
    latency: Latency = NO_LATENCY
