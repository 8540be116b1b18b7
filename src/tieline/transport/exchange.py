# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Whole writes and single reads on a non-blocking stream, within an attempt's bounds.

For the question-and-answer part of a connection: CONNECT and the upgrade.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tieline.errors import ConnectTimeout
from tieline.transport.attempt import Attempt
from tieline.transport.stream import SocketStream, Stream

#: Seconds that the body of a refusal may take after its head: it only makes the error nicer.
BODY_PATIENCE = 1.0


def send_all(stream: Stream, data: bytes | bytearray, attempt: Attempt) -> None:
    """Write everything. Raises OSError, ConnectTimeout or ConnectCancelled."""
    sent = stream.send(data) if data else 0
    if sent == len(data) and stream.flush():
        return
    rest = memoryview(data)[sent:]
    while True:
        rest = rest[stream.send(rest) :] if len(rest) else rest
        if stream.flush() and not len(rest):
            return
        attempt.wait(stream.fileno(), False, True)


def receive(
    stream: Stream, buffer: memoryview, attempt: Attempt, until: float | None = None
) -> int | None:
    """Read what comes first: how many bytes; 0 at the end of the stream; None: `until` has passed.

    Raises OSError, ConnectTimeout or ConnectCancelled.
    """
    # The answer is hardly ever there before it is waited for, and to look costs as much.
    waits_first = type(stream) is SocketStream
    while True:
        # A peer that always has one more byte must not outrun the time either.
        if until is not None and attempt.clock() >= until:
            return None
        if not waits_first:
            attempt.check()  # as a wait does
        elif not attempt.wait(stream.fileno(), True, False, until):
            return None
        count = stream.receive_into(buffer)
        if count is not None:
            return count
        if not waits_first and not stream.has_buffered_input:
            attempt.wait(stream.fileno(), True, False, until)


def reads_of_answer(
    stream: Stream, buffer: memoryview, attempt: Attempt, has_head: Callable[[], bool]
) -> Iterator[int | None]:
    """The reads of an HTTP answer, as `receive` gives them, without an end of its own.

    `has_head`: is the answer's head complete, and only its body awaited? That ends (None) after
    `BODY_PATIENCE`, or at the deadline, which is no error then: a refusal tells more.
    """
    give_up: float | None = None
    while True:
        if give_up is None and has_head():
            give_up = attempt.clock() + BODY_PATIENCE
        try:
            count = receive(stream, buffer, attempt, until=give_up)
        except ConnectTimeout:
            if not has_head():
                raise
            count = None
        yield count
