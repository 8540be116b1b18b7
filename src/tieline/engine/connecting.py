"""Options → an open WebSocket connection: dial, upgrade, follow redirects, under one deadline."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from tieline.compression import Compression, parameters_of
from tieline.engine.record import Record
from tieline.engine.route import Target
from tieline.errors import (
    ConnectCancelled,
    ConnectError,
    ConnectTimeout,
    HandshakeError,
    OptionError,
    TLSError,
    TooManyRedirects,
)
from tieline.headers import HeadLimits
from tieline.options import Options
from tieline.protocol.connection import Connection
from tieline.protocol.endpoints import client_connection
from tieline.protocol.events import HandshakeFailed, Opened
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.settings import Settings
from tieline.redact import safe_headers, safe_url
from tieline.transport.attempt import Attempt
from tieline.transport.dial import dial
from tieline.transport.exchange import receive, send_all
from tieline.transport.stream import Stream

#: RFC 9110 section 15.4. 300 and 304 lead nowhere.
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

#: Seconds that the body of a refusal may take after its head: it only makes the error nicer.
_BODY_PATIENCE = 1.0

#: One read of the answer: most are much smaller. What follows it waits for the session's reads.
_ANSWER_SIZE = 8 * 1024

#: Many servers just reset what does not begin with a TLS record.
_IS_IT_TLS = "; does this port expect TLS (wss://)?"

#: Gets the kind of an event, and its data. None: nobody wants events.
Tell = Callable[..., None]


class Connected(NamedTuple):
    """What `connect` returns: everything that a session needs."""

    connection: Connection
    stream: Stream
    response: HandshakeResponse
    target: Target


def connection_settings(options: Options, inspect_frames: bool) -> Settings:
    """The options that concern the protocol."""
    return _settings(
        options.max_message_size,
        options.max_fragments,
        options.ping_interval,
        options.ping_timeout,
        options.heartbeat_interval,
        options.close_timeout,
        options.decode_text,
        inspect_frames,
        options.compression,
        options.max_head_size,
        options.max_header_count,
        options.max_error_body,
    )


@lru_cache(maxsize=64)
def _settings(
    max_message_size: int | None,
    max_fragments: int | None,
    ping_interval: float | None,
    ping_timeout: float,
    heartbeat_interval: float | None,
    close_timeout: float,
    decode_text: bool,
    inspect_frames: bool,
    compression: Compression,
    max_head_size: int,
    max_header_count: int,
    max_error_body: int,
) -> Settings:
    # Immutable, and the same for most connections of a program: so they share one.
    return Settings(
        max_message_size=max_message_size,
        max_fragments=max_fragments,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        heartbeat_interval=heartbeat_interval,
        close_timeout=close_timeout,
        decode_text=decode_text,
        inspect_frames=inspect_frames,
        compression=parameters_of(compression),
        head_limits=HeadLimits(
            max_head_size=max_head_size,
            max_header_count=max_header_count,
            max_body=max_error_body,
        ),
    )


def connect(
    target: Target, settings: Settings, attempt: Attempt, record: Record, tell: Tell | None
) -> Connected:
    """Connect, on the calling thread, within the attempt's deadline.

    `record` learns of things as they become known, also when the attempt fails. `tell(kind,
    **data)` gets the events. Raises `ConnectError` or `OptionError`; every socket is closed then.
    """
    redirects = record.redirects = []
    try:
        while True:
            outcome = _connect_once(target, settings, attempt, record, tell)
            if isinstance(outcome, Connected):
                return outcome
            target = _follow(target, outcome, len(redirects))
            redirects.append(target.url.safe)
            assert outcome.response is not None
            if tell is not None:
                from tieline.events import RedirectEvent

                status = outcome.response.status
                tell(RedirectEvent, status=status, location=target.url.safe)
    finally:
        record.take(attempt)


def _connect_once(
    target: Target, settings: Settings, attempt: Attempt, record: Record, tell: Tell | None
) -> Connected | HandshakeError:
    """One dial and one upgrade; an answer that redirects is returned, not raised."""
    connection = client_connection(target.request(), target.url.safe, settings)
    # Once on the list, a socket that was handed over is ours, also when the dial fails.
    stream = dial(target.route(), attempt)
    try:
        outcome = _upgrade(connection, stream, target, attempt, record, tell)
        if isinstance(outcome, HandshakeResponse):
            return Connected(connection, stream, outcome, target)
    except BaseException:
        stream.close()
        raise
    stream.close()
    return outcome


def _upgrade(
    connection: Connection,
    stream: Stream,
    target: Target,
    attempt: Attempt,
    record: Record,
    tell: Tell | None,
) -> HandshakeResponse | HandshakeError:
    with attempt.in_phase("upgrade", f"waiting for {target.url.safe} to accept the upgrade"):
        record.asked(target.url.target, connection.request_headers)
        try:
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
            if (explained := _late_refusal(error, target.url.host)) is not None:
                raise explained from error
            raise ConnectError(
                f"{target.url.safe} broke the connection during the upgrade: "
                f"{error.strerror or error}{'' if target.url.secure else _IS_IT_TLS}"
            ) from error
    if isinstance(event, Opened):
        _note_response(event.response, record, tell)
        return event.response
    refusal = event.error
    if isinstance(refusal, HandshakeError) and refusal.response is not None:
        _note_response(refusal.response, record, tell)
        if target.options.max_redirects and _location(refusal) is not None:
            return refusal
    raise refusal


def _await_answer(
    connection: Connection, stream: Stream, attempt: Attempt
) -> Opened | HandshakeFailed:
    """Read until the server has accepted or refused. The first frames may come along."""
    buffer = bytearray(_ANSWER_SIZE)
    view = memoryview(buffer)
    give_up: float | None = None
    try:
        while True:
            if connection.is_refused and give_up is None:
                give_up = attempt.clock() + _BODY_PATIENCE
            try:
                count = receive(stream, view, attempt, until=give_up)
            except ConnectTimeout:
                if not connection.is_refused:
                    raise
                count = None  # a refusal tells more than the deadline
            if count is None:
                connection.stop_waiting_for_body()
            elif count:
                connection.receive_data(buffer, count, attempt.clock())
            else:
                connection.receive_eof()
            event = connection.next_event(attempt.clock())
            if isinstance(event, Opened | HandshakeFailed):
                return event
    finally:
        # Tracebacks keep frames, and these the memory, for as long as somebody keeps an error.
        view.release()
        buffer.clear()


def _follow(target: Target, refusal: HandshakeError, followed: int) -> Target:
    """Where the redirect leads. Raises when it must not or cannot be followed."""
    response = refusal.response
    location = _location(refusal)
    assert response is not None and location is not None
    limit = target.options.max_redirects
    if followed >= limit:
        raise TooManyRedirects(
            f"{target.url.safe} redirects to {safe_url(location)}: that is more than "
            f"max_redirects={limit}",
            response,
        )
    try:
        redirected = target.redirected(location)
    except OptionError as error:
        raise HandshakeError(
            f"{target.url.safe} redirects to an unusable place: {error}", response
        ) from error
    if target.url.secure and not redirected.url.secure:
        raise HandshakeError(
            f"{target.url.safe} redirects to {redirected.url.safe}, which is not encrypted: not "
            "followed; connect to that URL itself if it is meant",
            response,
        )
    if target.options.sock is not None:
        raise HandshakeError(
            f"{target.url.safe} redirects to {redirected.url.safe}, and sock= serves for one "
            "request only: connect to that URL itself",
            response,
        )
    return redirected


def _location(refusal: HandshakeError) -> str | None:
    response = refusal.response
    if response is None or response.status not in _REDIRECTS:
        return None
    return response.headers.get("location")


def _note_response(response: HandshakeResponse, record: Record, tell: Tell | None) -> None:
    record.answer = response
    if tell is not None:
        from tieline.events import ResponseEvent

        headers = tuple(safe_headers(response.headers.raw))
        tell(ResponseEvent, url=response.url, status=response.status, headers=headers)


def _late_refusal(error: OSError, host: str) -> TLSError | None:
    """What TLS has against us, when it comes only now. Not loaded where nothing fails."""
    import ssl

    from tieline.transport.tls_errors import explain_late_refusal

    return explain_late_refusal(error, host) if isinstance(error, ssl.SSLError) else None
