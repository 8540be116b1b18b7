"""What went wrong → whether another attempt may end better, and which wait the server asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tieline.errors import (
    ConnectCancelled,
    ConnectionClosed,
    HandshakeError,
    MessageTooBig,
    OptionError,
    ProtocolError,
    ProxyError,
    ResolveError,
    TLSError,
    TooManyRedirects,
)
from tieline.patterns import pattern

if TYPE_CHECKING:
    from tieline.headers import Headers
    from tieline.protocol.events import CloseInfo

#: What can end a connection, or an attempt to make one.
Cause: TypeAlias = "Exception | CloseInfo"

_SECONDS = pattern(r"[0-9]+(\.[0-9]+)?")

#: Statuses below 500 that say "not now": timeout, too early, too many requests.
_RETRIED_STATUSES = frozenset({408, 425, 429})
#: 1005 and 1006 say nothing of the reason, the others that it is a passing one. After 1000 the
#: peer has no more to say, and what 1002, 1003 and 1007 to 1010 complain of would happen again.
#: What a code of the application's own (3000-4999) means, only the application knows.
_RETRIED_CODES = frozenset({1001, 1005, 1006, 1011, 1012, 1013, 1014})


def default_retry(cause: Cause) -> bool:
    """True when another attempt may end better. Pure; any thread may call it.

    ``cause`` is what a failed attempt raised, or the `CloseInfo` of a connection that is over. For
    your own ``Reconnect(retry=...)`` to fall back on.
    """
    if not isinstance(cause, Exception):
        # Who broke a rule, or sent too much, will do so again.
        fatal = isinstance(cause.error, ProtocolError | MessageTooBig)
        return not fatal and cause.code in _RETRIED_CODES
    if isinstance(cause, ProxyError | ResolveError | TLSError) and cause.refused:
        return False
    if isinstance(cause, HandshakeError | ProxyError):
        # Without an answer that can be read it broke off, or is on its way up.
        return cause.response is None or _is_retried_status(cause.response.status)
    if isinstance(cause, ConnectionClosed):
        return cause.close_info is None or default_retry(cause.close_info)
    return not isinstance(
        cause, OptionError | ConnectCancelled | TooManyRedirects | ProtocolError | MessageTooBig
    )


def _is_retried_status(status: int) -> bool:
    return status in _RETRIED_STATUSES or 500 <= status <= 599


def retry_after(cause: Cause, wall: float) -> float:
    """Seconds that the server asks to wait (RFC 9110 section 10.2.3); 0.0 when it asks nothing.

    ``wall``, seconds since 1970, serves for a date in an answer that does not tell its own time.
    """
    if not isinstance(cause, HandshakeError | ProxyError) or cause.response is None:
        return 0.0
    headers = cause.response.headers
    return max((_wait(text, headers, wall) for text in headers.get_all("retry-after")), default=0.0)


def _wait(text: str, headers: Headers, wall: float) -> float:
    text = text.strip()
    # Longer than the RFC's whole seconds: some rate limiters answer with a fraction.
    if _SECONDS.fullmatch(text):
        return float(text)
    until = _timestamp(text)
    if until is None:
        return 0.0
    # Measured by the server's own clock, because this machine's may be wrong.
    now = _timestamp(headers.get("date", ""))
    return max(0.0, until - (wall if now is None else now))


def _timestamp(text: str) -> float | None:
    """An HTTP date in any of its forms (RFC 9110 section 5.6.7) → seconds since 1970."""
    # Here, because it loads socket, which options need not.
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text)
        # A date without a zone is in GMT, as all of them are in HTTP.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
