"""What can be the cause of an attempt, and the moment at which a test asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.refusals import URL
from tieline.errors import HandshakeError
from tieline.headers import Headers, HTTPResponse
from tieline.protocol.events import Close, CloseInfo
from tieline.protocol.handshake import answer_of

#: A moment of the wall clock: 2026-10-11 12:00:00 GMT.
NOON = datetime(2026, 10, 11, 12, tzinfo=UTC)
WALL = NOON.timestamp()
RESET = ConnectionResetError(104, "reset")


def ended(code: int, error: Exception | None = None, initiator: Any = "remote") -> CloseInfo:
    close = Close(code, "")
    return CloseInfo(code, "", close, close, error is None, initiator, error)


def answered(
    status: int, *headers: tuple[str, str], kind: Callable[..., Any] = HandshakeError
) -> Any:
    response = HTTPResponse("1.1", status, "", Headers(headers))
    return kind("refused", answer_of(response, URL))


def date(seconds: float) -> str:
    """The HTTP date so many seconds after noon."""
    return format_datetime(NOON + timedelta(seconds=seconds), usegmt=True)
