# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""What was said and done about the end of a connection → its deadline and its `CloseInfo`."""

from __future__ import annotations

from typing import Literal

from tieline.making import unfinished
from tieline.protocol.events import Close, CloseInfo

_UnfinishedInfo = unfinished(CloseInfo)

#: Seconds that a side waits for the end of the stream when all is said. 7.1.1 lets the server
#: close TCP first; and a socket closed with bytes unread resets, which can take our Close frame
#: away from the peer.
LINGER = 2.0


def unanswered(seconds: float) -> TimeoutError:
    """Whoever closes waits no longer than that. (A handler may keep the answer from being read.)"""
    return TimeoutError(f"no answer to the Close frame was read within {seconds:g} s")


class Closing:
    """The closing handshake of one connection (RFC 6455 section 7); times in seconds."""

    def __init__(self, close_timeout: float | None) -> None:
        self._close_timeout = close_timeout
        self.sent: Close | None = None
        self.received: Close | None = None
        #: When to wait no longer; None before the handshake has begun, or without a limit.
        self.deadline: float | None = None
        #: What broke the connection. The first error is the cause; later ones follow from it.
        self.error: Exception | None = None
        self._initiator: Literal["local", "remote", "none"] = "none"

    def begin(self, initiator: Literal["local", "remote"], now: float) -> None:
        """One side has begun."""
        self._initiator = initiator
        if self._close_timeout is not None:
            self.deadline = now + self._close_timeout

    def linger(self, now: float) -> None:
        """All is said: only the end of the stream is missing, and not for long."""
        until = now + LINGER
        if self.deadline is None or until < self.deadline:
            self.deadline = until

    @property
    def is_settled(self) -> bool:
        """True when nothing of the peer's is awaited but the end of the stream."""
        return self.received is not None or self.error is not None

    def timed_out(self) -> Exception | None:
        """Why the connection ends now that the deadline has passed."""
        if self.is_settled:
            return None
        return TimeoutError(
            "the peer did not answer the Close frame within "
            f"close_timeout={self._close_timeout:g} s"
        )

    def stream_ended(self) -> Exception | None:
        """Why the connection ends now that the stream has ended."""
        if self.sent is None:
            return EOFError("the peer ended the connection without a Close frame")
        if self.is_settled:
            return None
        return EOFError("the peer ended the connection without answering the Close frame")

    def info(self) -> CloseInfo:
        """How it all ended (sections 7.1.4 to 7.1.6)."""
        sent, received, error = self.sent, self.received, self.error
        made = _UnfinishedInfo()
        made.code = 1006 if received is None else received.code
        made.reason = "" if received is None else received.reason
        made.sent, made.received, made.error = sent, received, error
        made.clean = received is not None and sent is not None and error is None
        made.initiator = self._initiator
        made.__class__ = CloseInfo
        return made  # type: ignore[no-any-return]
