"""What people read in logs about frames and about the end of a connection."""

from __future__ import annotations

import pytest

from tieline.protocol.events import Close, CloseInfo, ClosingStarted, Frame, closing_in_order
from tieline.protocol.wire import Opcode


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (
            CloseInfo(1000, "bye", Close(1000, ""), Close(1000, "bye"), True, "remote"),
            "1000 (normal closure) 'bye', begun by the remote side",
        ),
        (
            CloseInfo(1005, "", Close(1001, ""), Close(1005, ""), True, "local"),
            "1005 (no status rcvd), begun by the local side",
        ),
        (
            CloseInfo(1006, "", None, None, False, "none", EOFError("it is gone")),
            "1006 (abnormal closure), without a closing handshake: it is gone",
        ),
    ],
)
def test_close_info_tells_code_reason_side_and_error(info: CloseInfo, text: str) -> None:
    assert str(info) == text


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (Frame(Opcode.TEXT, b"Hello"), "TEXT b'Hello' [5 bytes]"),
        (Frame(Opcode.BINARY, b"\x00", fin=False), "BINARY (not final) b'\\x00' [1 bytes]"),
        (Frame(Opcode.PING, b""), "PING b'' [0 bytes]"),
        (Frame(Opcode.TEXT, b"a" * 32), f"TEXT b'{'a' * 32}' [32 bytes]"),
        (Frame(Opcode.TEXT, b"a" * 33), f"TEXT b'{'a' * 32}'... [33 bytes]"),
    ],
)
def test_a_frame_is_shown_in_one_short_line(frame: Frame, text: str) -> None:
    assert str(frame) == text


def test_a_whole_frame_needs_no_bits() -> None:
    assert Frame(Opcode.TEXT, b"")[2:] == (True, False, False, False)


def test_connections_share_the_news_of_an_orderly_end() -> None:
    told = closing_in_order(Close(1000, ""), Close(1000, ""))
    assert told is closing_in_order(Close(1000, ""), Close(1000, ""))
    assert told == ClosingStarted(Close(1000, ""), Close(1000, ""), None)
    with pytest.raises(AttributeError):
        told.sent = None  # type: ignore[misc]
