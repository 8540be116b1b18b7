# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A stream to a server and a request → its answer to the upgrade, within the attempt's deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tieline.engine.record import Record
from tieline.engine.route import Target
from tieline.errors import (
    ConnectCancelled,
    ConnectError,
    ConnectTimeout,
    HandshakeError,
    TLSError,
)
from tieline.protocol.connection import Connection
from tieline.protocol.events import HandshakeFailed, Opened
from tieline.protocol.handshake import HandshakeResponse
from tieline.redact import safe_headers
from tieline.transport.attempt import Attempt
from tieline.transport.exchange import reads_of_answer, receive, send_all
from tieline.transport.stream import Stream

#: One read of the answer: most are much smaller. What follows it waits for the session's reads.
_ANSWER_SIZE = 2 * 1024

#: Many servers just reset what does not begin with a TLS record.
_IS_IT_TLS = "; does this port expect TLS (wss://)?"

#: Gets the kind of an event, and its data.
Tell = Callable[..., None]


def upgrade(
    connection: Connection,
    stream: Stream,
    target: Target,
    attempt: Attempt,
    record: Record,
    tell: Tell | None,
) -> HandshakeResponse | HandshakeError:
    """Ask, and wait for the answer. A refusal that has a response is returned, not raised.

    `tell`: None, when nobody wants events.
    """
    outer = attempt.begin_phase("upgrade", ("waiting for ", target.url, " to accept the upgrade"))
    try:
        opening = connection.opening
        request = opening.request
        record.asked(request, opening.key, target.keeps(request))
        connection.start()
        for chunk in connection.data_to_send():
            send_all(stream, chunk, attempt)
        if tell is not None:
            from tieline.events import RequestEvent  # loaded where somebody listens

            tell(RequestEvent, url=target.url.safe, headers=record.request_headers)
        event = _await_answer(connection, stream, attempt)
    except (ConnectTimeout, ConnectCancelled):
        raise
    except OSError as error:
        raise _broken(error, target) from error
    finally:
        attempt.end_phase(outer)
    if isinstance(event, Opened):
        _note_response(event.response, target, record, tell)
        return event.response
    refusal = event.error
    if isinstance(refusal, HandshakeError) and refusal.response is not None:
        _note_response(refusal.response, target, record, tell)
        return refusal
    raise refusal


def _await_answer(
    connection: Connection, stream: Stream, attempt: Attempt
) -> Opened | HandshakeFailed:
    """Read until the server has accepted or refused. The first frames may come along."""
    buffer = bytearray(_ANSWER_SIZE)
    view = memoryview(buffer)
    try:
        # Nearly always it comes whole.
        event = _judge(connection, buffer, receive(stream, view, attempt), attempt.clock())
        if event is None:
            for count in _further_reads(connection, stream, view, attempt):
                event = _judge(connection, buffer, count, attempt.clock())
                if event is not None:
                    break
        assert event is not None  # the reads have no end of their own
        return event
    finally:
        # Tracebacks keep frames, and these the memory, for as long as somebody keeps an error.
        view.release()
        buffer.clear()


def _further_reads(
    connection: Connection, stream: Stream, view: memoryview, attempt: Attempt
) -> Iterator[int | None]:
    return reads_of_answer(stream, view, attempt, lambda: connection.is_refused)


def _judge(
    connection: Connection, buffer: bytearray, count: int | None, now: float
) -> Opened | HandshakeFailed | None:
    """What the answer says, if `count` more bytes of it are enough to tell."""
    if count is None:
        connection.stop_waiting_for_body()
    elif count:
        connection.receive_data(buffer, count, now)
    else:
        connection.receive_eof()
    event = connection.next_event(now)
    return event if isinstance(event, Opened | HandshakeFailed) else None


def _note_response(
    response: HandshakeResponse, target: Target, record: Record, tell: Tell | None
) -> None:
    record.answer = response
    target.store_cookies(response.headers)
    if tell is not None:
        from tieline.events import ResponseEvent

        headers = tuple(safe_headers(response.headers.raw))
        tell(ResponseEvent, url=response.url, status=response.status, headers=headers)


def _broken(error: OSError, target: Target) -> ConnectError:
    """What it means that the stream failed meanwhile."""
    explained = _late_refusal(error, target)
    if explained is not None:
        return explained
    reason = error.strerror or str(error)
    if not isinstance(error, ConnectionError):  # such as too many open files, here
        return ConnectError(f"the upgrade of {target.url.safe} failed: {reason}")
    return ConnectError(
        f"{target.url.safe} broke the connection during the upgrade: "
        f"{reason}{'' if target.url.secure else _IS_IT_TLS}"
    )


def _late_refusal(error: OSError, target: Target) -> TLSError | None:
    """What TLS has against us, when it comes only now. Not loaded where nothing fails."""
    import ssl

    from tieline.transport.tls_errors import explain_late_refusal

    if not isinstance(error, ssl.SSLError):
        return None
    return explain_late_refusal(error, target.url.host, target.peer)
