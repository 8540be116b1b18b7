# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Close frames: code and reason ↔ payload (RFC 6455 sections 5.5.1 and 7.4)."""

from __future__ import annotations

from operator import index

from tieline.errors import OptionError, ProtocolError
from tieline.protocol.events import Close
from tieline.protocol.wire import MAX_CLOSE_REASON, CloseCode, is_sendable_close_code

#: What a Close frame without a code counts as (section 7.1.5).
NO_STATUS = Close(1005, "")

#: Nearly every Close frame is one of these.
_WITHOUT_REASON = {
    code: Close(code, "") for code in map(int, CloseCode) if is_sendable_close_code(code)
}


def check_close(code: int, reason: str) -> Close:
    """The arguments of a close that this side wants to send. Raises `OptionError`."""
    if not reason and type(reason) is str and (type(code) is int or type(code) is CloseCode):
        known = _WITHOUT_REASON.get(code)
        if known is not None:
            return known
    number = _integer(code)
    if number is None:
        raise OptionError(
            f"close code: expected an integer such as 1000 or CloseCode.GOING_AWAY, "
            f"got {code!r} ({type(code).__name__})"
        )
    if not is_sendable_close_code(number):
        raise OptionError(
            f"close code {number} may not be sent (RFC 6455 section 7.4): "
            "use 1000-1003, 1007-1014, or 3000-4999 for codes of your own"
        )
    if not isinstance(reason, str):
        raise OptionError(f"close reason: expected str, got {type(reason).__name__}")
    try:
        size = len(reason.encode())
    except UnicodeEncodeError as error:
        raise OptionError(f"close reason: expected text that UTF-8 can encode: {error}") from None
    if size > MAX_CLOSE_REASON:
        raise OptionError(
            f"close reason: expected at most {MAX_CLOSE_REASON} bytes of UTF-8, got {size}: "
            "shorten it"
        )
    return Close(number, reason)


def _integer(code: object) -> int | None:
    """The code, also one of numpy's and the like; None for what is no integer."""
    try:
        return None if isinstance(code, bool) else index(code)  # type: ignore[arg-type]
    except TypeError:
        return None


def answer_to(received: Close) -> Close:
    """5.5.1: what the peer's Close is answered with typically echoes its code."""
    if received is NO_STATUS:
        return NO_STATUS
    known = _WITHOUT_REASON.get(received.code)
    return known if known is not None else Close(received.code, "")


def close_for(error: Exception, code: int) -> Close:
    """What the peer is told of an error: as much of its text as a Close frame has room for."""
    # "replace": the error may be a handler's, with any text.
    reason = str(error).encode("utf-8", "replace")[:MAX_CLOSE_REASON]
    return Close(code, reason.decode("utf-8", "ignore"))


def encode_close(close: Close) -> bytes:
    """A Close frame's payload; empty for `NO_STATUS`."""
    if close == NO_STATUS:
        return b""
    return close.code.to_bytes(2, "big") + close.reason.encode()


def decode_close(payload: bytes) -> Close:
    """What the peer's Close frame says. Raises `ProtocolError`."""
    if not payload:
        return NO_STATUS
    if len(payload) == 1:
        raise ProtocolError(
            "expected a Close frame with no payload or at least 2 bytes, got 1 byte"
        )
    code = payload[0] << 8 | payload[1]
    if len(payload) == 2 and code in _WITHOUT_REASON:
        return _WITHOUT_REASON[code]
    if not is_sendable_close_code(code):
        raise ProtocolError(
            f"expected a close code that may be sent, got {code} (RFC 6455 section 7.4)"
        )
    try:
        return Close(code, payload[2:].decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ProtocolError(f"expected UTF-8 in the close reason: {error.reason}", 1007) from None
