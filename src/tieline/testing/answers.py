"""Status, headers and times → the bytes of an HTTP answer, right or wrong (RFC 9110)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus

Headers = Iterable[tuple[str, str]]

#: What a server may ask a client to wait for: seconds, a time, or any text, also a wrong one.
RetryAfter = int | datetime | str


def answer_bytes(
    status: int,
    reason: str | None,
    headers: Headers,
    *,
    date: datetime | None = None,
    retry_after: RetryAfter | None = None,
) -> bytes:
    """The head of an answer, checked for nothing. No `reason`: the status's own phrase."""
    if reason is None:
        reason = HTTPStatus(status).phrase if status in list(HTTPStatus) else ""
    fields = list(headers)
    if date is not None:
        fields.append(("Date", http_date(date)))
    if retry_after is not None:
        # Section 10.2.3: seconds, or a date.
        wait = http_date(retry_after) if isinstance(retry_after, datetime) else str(retry_after)
        fields.append(("Retry-After", wait))
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def http_date(moment: datetime) -> str:
    """A time as HTTP writes it (section 5.6.7), in GMT. It must be aware of its time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"expected a time with its zone, such as datetime.now(UTC), got {moment}")
    return format_datetime(moment.astimezone(UTC), usegmt=True)
