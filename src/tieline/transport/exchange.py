"""Whole writes and single reads on a non-blocking stream, within an attempt's bounds.

For the question-and-answer part of a connection: CONNECT and the upgrade.
"""

from __future__ import annotations

from tieline.transport.attempt import Attempt
from tieline.transport.stream import Stream


def send_all(stream: Stream, data: bytes | bytearray, attempt: Attempt) -> None:
    """Write everything. Raises OSError, ConnectTimeout or ConnectCancelled."""
    rest = memoryview(data)
    while True:
        rest = rest[stream.send(rest) :] if len(rest) else rest
        if stream.flush() and not len(rest):
            return
        attempt.wait(stream.fileno(), writable=True)


def receive(
    stream: Stream, buffer: memoryview, attempt: Attempt, until: float | None = None
) -> int | None:
    """Read what comes first: how many bytes; 0 at the end of the stream; None: `until` has passed.

    Raises OSError, ConnectTimeout or ConnectCancelled.
    """
    while True:
        # A peer that always has one more byte must not outrun the time either.
        attempt.check()
        if until is not None and attempt.clock() >= until:
            return None
        count = stream.receive_into(buffer)
        if count is not None:
            return count
        if not stream.has_buffered_input:
            attempt.wait(stream.fileno(), readable=True, until=until)
