"""What is read and written without h11 is what h11 makes of it, on any input and split."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tieline.errors import OptionError
from tieline.headers import HeadLimits, HTTPFormatError
from tieline.http1 import ClientExchange
from tieline.upgrade_exchange import UpgradeExchange, read_switch, write_request

HEADERS = [
    ("Host", "example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
]
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
)


def outcome(exchange: Any, pieces: list[bytes], *, eof: bool = True) -> list[Any]:
    """All that can be seen of an exchange after each piece."""
    seen: list[Any] = [exchange.request_bytes()]
    try:
        for piece in pieces:
            exchange.receive_data(piece)
            seen.append((exchange.head_complete, _plain(exchange.response)))
            seen.append(bytes(exchange.trailing_data))
        if eof:
            exchange.receive_eof()
        seen += [_plain(exchange.response), bytes(exchange.trailing_data)]
    except HTTPFormatError as error:
        seen.append(str(error))
    return seen


def _plain(response: Any) -> Any:
    if response is None:
        return None
    return (
        response.http_version,
        response.status,
        response.reason,
        response.headers.raw,
        response.body,
    )


def both(pieces: list[bytes], limits: HeadLimits | None = None, **options: Any) -> None:
    ours = outcome(UpgradeExchange("/path", HEADERS, limits), pieces, **options)
    assert ours == outcome(ClientExchange("GET", "/path", HEADERS, limits), pieces, **options)


def splits(data: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and in two at each place."""
    pairs = [[data[:cut], data[cut:]] for cut in range(len(data) + 1)]
    return [[data], [data[at : at + 1] for at in range(len(data))], *pairs]


HEADS = [
    SWITCH,
    SWITCH + b"\x81\x02hi",
    SWITCH.replace(b" Switching Protocols", b""),
    SWITCH.replace(b"Switching Protocols", b""),
    SWITCH.replace(b"Switching Protocols", b" \xa0odd \x85"),
    SWITCH.replace(b"\r\n", b"\n"),
    SWITCH.replace(b"websocket\r\n", b"websocket\n"),
    SWITCH.replace(b": ", b":"),
    SWITCH.replace(b": ", b":\t  ").replace(b"\r\n", b" \t\r\n", 2),
    SWITCH.replace(b"Upgrade: websocket", b"Upgrade : websocket"),
    SWITCH.replace(b"Upgrade: websocket", b"Upgrade:"),
    SWITCH.replace(b"Upgrade: websocket", b"Upgrade"),
    SWITCH.replace(b"Upgrade: websocket", b"Upgrade: a: b  "),
    SWITCH.replace(b"Upgrade: websocket", b"X-Other: 1"),
    SWITCH.replace(b"Upgrade: websocket", b"Upgrade: web\rsocket"),
    SWITCH.replace(b"Switching Protocols", b"Switching\rProtocols"),
    SWITCH.replace(b"Accept: x", b"Accept: \xe9"),
    SWITCH.replace(b"Upgrade: websocket", b": websocket"),
    SWITCH.replace(b"Upgrade: websocket", b"Upgrade: web\r\n socket"),
    SWITCH.replace(b"Upgrade: websocket", b"X: \x01\x7f\xff"),
    SWITCH.replace(b"Upgrade: websocket", b"X: \x00"),
    SWITCH.replace(b"Upgrade: websocket", b"Content-Length: 5"),
    SWITCH.replace(b"Upgrade: websocket", b"Content-Length: 5, 6"),
    SWITCH.replace(b"Upgrade: websocket", b"transfer-encoding: Chunked"),
    SWITCH.replace(b"Upgrade: websocket", b"Transfer-Encoding: gzip"),
    SWITCH.replace(b"HTTP/1.1", b"HTTP/1.0"),
    SWITCH.replace(b"101", b"100") + SWITCH,
    SWITCH.replace(b"101", b"1010"),
    SWITCH.replace(b"101", b"200"),
    b"\r\n" + SWITCH,
    b"HTTP/1.1 101\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"",
]


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_every_split_is_read_as_h11_reads_it(head: bytes) -> None:
    for pieces in splits(head):
        both(pieces)
        both(pieces, eof=False)


@pytest.mark.parametrize("name", ["max_head_size", "max_header_count"])
def test_the_limits_are_the_same(name: str) -> None:
    exact = {"max_head_size": len(SWITCH), "max_header_count": 3}[name]
    for value in (exact - 1, exact, exact + 1):
        for pieces in ([SWITCH + b"more"], *splits(SWITCH)):
            both(pieces, HeadLimits(**{name: value}))


PARTS = [
    b"Date: now",
    b"Server:",
    b"HTTP/1.1 101",
    b" Switching Protocols",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"Upgrade: websocket\r\n",
    b"Set-Cookie: a=b\r\n",
    b"Content-Length: 3\r\n",
    b"X-\xff: y\r\n",
    b" folded\r\n",
    b": ",
    b" ",
    b"\t",
    b"\x00",
    b"\x0b",
    b"\x85",
    b"\xff",
    b"\x81\x00",
]


@given(
    st.lists(st.sampled_from(PARTS) | st.binary(max_size=3), max_size=14),
    st.lists(st.integers(0, 200), max_size=4),
    st.booleans(),
)
@example([SWITCH], [], False)
def test_any_bytes_in_any_pieces_are_read_as_h11_reads_them(
    parts: list[bytes], cuts: list[int], with_head: bool
) -> None:
    data = (b"HTTP/1.1 101 X\r\n" if with_head else b"") + b"".join(parts)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    both([data[start:end] for start, end in zip(edges, edges[1:], strict=False)])


# --- requests


def written(make: Callable[[], Any]) -> bytes | str:
    try:
        return bytes(make().request_bytes())
    except OptionError as error:
        return str(error)


NAMES = ["Host", "host", "X-A", "Content-Length", "Transfer-Encoding", "X B", "X:", "", "X\r\nY"]
VALUES = ["", "a", " a\t", "a b", "\xff", "\u20ac", "a\r\nX: b", "\x00", "\x7f", "0", "chunked"]


@given(
    st.sampled_from(["/", "/a?b=c", "", "/ ", "/\xff", "/\r\n", "*"]) | st.text(max_size=3),
    st.lists(
        st.tuples(
            st.sampled_from(NAMES) | st.text(max_size=3),
            st.sampled_from(VALUES) | st.text(max_size=4),
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_requests_are_written_or_refused_as_by_h11(
    target: str, headers: list[tuple[str, str]], with_host: bool
) -> None:
    given_headers = [*(HEADERS if with_host else ()), *headers]
    ours = written(lambda: UpgradeExchange(target, given_headers))
    assert ours == written(lambda: ClientExchange("GET", target, given_headers))


def test_a_host_that_comes_late_is_sent_first() -> None:
    sent = write_request("/", [("X-A", "1"), ("HOST", "h"), ("X-B", "2")])
    assert sent == b"GET / HTTP/1.1\r\nHOST: h\r\nX-A: 1\r\nX-B: 2\r\n\r\n"


# --- who does it


def test_the_plain_ones_are_done_here() -> None:
    assert write_request("/path", HEADERS) is not None
    found = read_switch(SWITCH + b"\x81\x00", HeadLimits())
    assert found is not None and found[1] == len(SWITCH)


def test_a_plain_handshake_does_not_load_h11() -> None:
    program = (
        "import sys\n"
        "from tieline.upgrade_exchange import UpgradeExchange\n"
        f"exchange = UpgradeExchange('/', {HEADERS!r})\n"
        f"exchange.receive_data({SWITCH!r})\n"
        "assert exchange.response.status == 101\n"
        "sys.exit('h11' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def test_more_bytes_after_the_switch_are_kept() -> None:
    exchange = UpgradeExchange("/", HEADERS)
    exchange.receive_data(SWITCH + b"a")
    exchange.receive_data(b"b")
    exchange.receive_eof()
    exchange.finish()
    assert exchange.head_complete and exchange.trailing_data == b"ab"


def test_a_body_that_never_ends_can_be_cut_short() -> None:
    exchange = UpgradeExchange("/", HEADERS)
    exchange.receive_data(b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nno")
    assert exchange.head_complete and exchange.response is None
    exchange.finish()
    assert exchange.response is not None and exchange.response.body == b"no"


def test_headers_that_are_written_already_are_not_asked_for_before_h11_wants_them() -> None:
    asked: list[int] = []

    def headers() -> list[tuple[str, str]]:
        asked.append(1)
        return HEADERS

    written = write_request("/", HEADERS)
    exchange = UpgradeExchange("/", headers, None, written)
    assert exchange.request_bytes() == written and not asked
    exchange.receive_data(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    assert exchange.response is not None and exchange.response.status == 403 and asked
