"""Answers are written as they are told, and times as HTTP writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tieline.testing.answers import answer_bytes, http_date

NOON = datetime(1994, 11, 15, 12, 45, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (503, None, b"HTTP/1.1 503 Service Unavailable"),
        (429, None, b"HTTP/1.1 429 Too Many Requests"),
        (599, None, b"HTTP/1.1 599 "),
        (503, "Busy", b"HTTP/1.1 503 Busy"),
        (503, "", b"HTTP/1.1 503 "),
    ],
)
def test_the_reason_is_the_status_s_own(status: int, reason: str | None, line: bytes) -> None:
    assert answer_bytes(status, reason, []) == line + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("keywords", "fields"),
    [
        ({}, b"A: b"),
        ({"retry_after": 5}, b"A: b\r\nRetry-After: 5"),
        ({"retry_after": "soon"}, b"A: b\r\nRetry-After: soon"),
        ({"retry_after": NOON}, b"A: b\r\nRetry-After: Tue, 15 Nov 1994 12:45:26 GMT"),
        (
            {"date": NOON, "retry_after": 0},
            b"A: b\r\nDate: Tue, 15 Nov 1994 12:45:26 GMT\r\nRetry-After: 0",
        ),
    ],
)
def test_headers(keywords: dict[str, Any], fields: bytes) -> None:
    expected = b"HTTP/1.1 429 Too Many Requests\r\n" + fields + b"\r\n\r\n"
    assert answer_bytes(429, None, [("A", "b")], **keywords) == expected


def test_times_are_told_in_gmt() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    assert http_date(east) == http_date(NOON) == "Tue, 15 Nov 1994 12:45:26 GMT"
    with pytest.raises(ValueError, match="with its zone"):
        http_date(NOON.replace(tzinfo=None))
