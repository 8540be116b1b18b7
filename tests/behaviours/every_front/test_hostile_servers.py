"""Servers and proxies that answer what nobody should → a clear error, soon, and nothing left open.

The same byte by byte: tests/test_http1.py. `tests/conftest.py` looks for threads and descriptors
that are left behind.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import tieline
from tests.behaviours.every_front.conftest import Open
from tests.hostile_answers import MALFORMED, NO_HTTP, OK, REFUSALS, TUNNEL_REFUSALS
from tieline.engine import dial
from tieline.protocol.handshake import accept_value
from tieline.testing import ScriptedPeer
from tieline.transport import attempt, exchange

#: Seconds within which everything here is over, on a busy machine, though `connect_timeout` is 30.
SOON = 10.0


def answering(raw: bytes, *, reading: bool = True) -> Callable[[ScriptedPeer], None]:
    """A script that sends these bytes, whether or not they were asked for."""

    def script(peer: ScriptedPeer) -> None:
        if reading:
            peer.receive_raw(1)
        with suppress(OSError):  # the client has heard enough and is gone
            peer.send_raw(raw)
            peer.half_close()
            peer.expect_end()

    return script


def refused(talk: Open, url: str, kind: type[tieline.ConnectError], **options: Any) -> str:
    begun = time.monotonic()
    with pytest.raises(kind) as caught:
        talk(url, **options)
    assert time.monotonic() - begun < SOON
    text = str(caught.value)
    assert "hush" not in text and len(text) < 700 and text.isprintable()
    return text


@pytest.mark.parametrize(("raw", "said"), (NO_HTTP | MALFORMED).values(), ids=NO_HTTP | MALFORMED)
def test_what_is_no_answer(talk: Open, scripted: Any, raw: bytes, said: str) -> None:
    text = refused(talk, scripted(answering(raw)).url, tieline.HandshakeError)
    assert "did not answer the WebSocket upgrade: expected a" in text
    assert said.split("got b'")[0] in text


@pytest.mark.parametrize(("raw", "said"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_no_agreement(talk: Open, scripted: Any, raw: bytes, said: str) -> None:
    text = refused(talk, scripted(answering(raw)).url, tieline.HandshakeError, max_redirects=0)
    assert "did not accept the WebSocket upgrade: expected " in text and said in text


@pytest.mark.parametrize(("raw", "said"), NO_HTTP.values(), ids=NO_HTTP)
def test_answers_before_the_question(talk: Open, scripted: Any, raw: bytes, said: str) -> None:
    server = scripted(answering(raw, reading=False))
    text = refused(talk, server.url, tieline.ConnectError)
    # A reset may overtake what was said.
    assert said.split("got b'")[0] in text or "broke the connection during the upgrade" in text


@pytest.mark.parametrize(("raw", "said"), (NO_HTTP | MALFORMED).values(), ids=NO_HTTP | MALFORMED)
def test_proxies_that_do_not_answer(talk: Open, scripted: Any, raw: bytes, said: str) -> None:
    proxy = f"http://u:hush@127.0.0.1:{scripted(answering(raw)).port}"
    text = refused(talk, "ws://nowhere.invalid/", tieline.ProxyError, proxy=proxy)
    assert "did not answer in HTTP: expected a" in text and said.split("got b'")[0] in text


@pytest.mark.parametrize(("raw", "said"), TUNNEL_REFUSALS.values(), ids=TUNNEL_REFUSALS)
def test_proxies_that_refuse(talk: Open, scripted: Any, raw: bytes, said: str) -> None:
    proxy = f"http://u:hush@127.0.0.1:{scripted(answering(raw)).port}"
    text = refused(talk, "ws://nowhere.invalid/", tieline.ProxyError, proxy=proxy)
    assert "nowhere.invalid:80" in text and said in text


def test_a_proxy_that_switches_protocols(talk: Open, scripted: Any) -> None:
    server = scripted(answering(OK + b"\r\n"))
    proxy = f"http://127.0.0.1:{server.port}"
    text = refused(talk, "ws://nowhere.invalid/", tieline.ProxyError, proxy=proxy)
    assert "it switches to another protocol (101), which was not asked for" in text


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 101 Swi", OK], ids=["", "status", "headers"])
@pytest.mark.parametrize("end", ["half_close", "reset"])
def test_an_answer_that_breaks_off(talk: Open, scripted: Any, begin: bytes, end: str) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.read_request()
        if begin:
            peer.send_raw(begin)
        getattr(peer, end)()
        if end == "half_close":
            peer.expect_end()

    text = refused(talk, scripted(script).url, tieline.ConnectError)
    if end == "half_close":
        assert f"closed before the response head was complete, after {len(begin)} bytes" in text
    else:
        assert "broke the connection during the upgrade" in text


def test_a_switch_with_a_body(talk: Open, scripted: Any) -> None:
    """RFC 9110 section 15.2: an answer of the 1xx kind has none; what follows are frames."""

    def script(peer: ScriptedPeer) -> None:
        key = peer.read_request().headers["sec-websocket-key"]
        accept = f"Sec-WebSocket-Accept: {accept_value(key)}\r\n".encode()
        peer.send_raw(OK + accept + b"Content-Length: 7\r\n\r\n\x81\x05hello")
        peer.expect_close(1000)
        peer.send_close(1000)

    assert talk(scripted(script).url).receive() == "hello"


#: Such as never end, byte by byte.
DRIPS = {
    "status line": b"HTTP/1.1 101 " + b"x" * 30_000,
    "headers": OK + b"X: " + b"x" * 30_000,
    "informational": b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK + b"X: " + b"x" * 30_000,
}


class Clock:
    """A second for every look at it, so that no test waits for one."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.05
        return self.now


@pytest.fixture
def quick_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dials have a clock that runs away, so that 30 seconds of dripping are over soon."""

    def make(timeout: float, _clock: Any, on_event: Any) -> attempt.Attempt:
        return attempt.Attempt(timeout, Clock(), on_event)

    monkeypatch.setattr(dial, "Attempt", make)
    monkeypatch.setattr(attempt, "_LONGEST_POLL", 0.01)


@pytest.mark.parametrize("through", ["server", "proxy"])
@pytest.mark.parametrize("raw", DRIPS.values(), ids=DRIPS)
def test_a_byte_now_and_then(
    talk: Open, scripted: Any, quick_time: None, raw: bytes, through: str
) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.receive_raw(1)
        with suppress(OSError):  # the client has waited long enough and is gone
            peer.drip(raw, 0.001)

    server = scripted(script)
    options: dict[str, Any] = {}
    url = server.url
    if through == "proxy":
        url, options = "ws://h.invalid/", {"proxy": f"http://127.0.0.1:{server.port}"}
    text = refused(talk, url, tieline.ConnectTimeout, connect_timeout=30, **options)
    assert "connect_timeout of 30 s ran out in phase" in text
    assert ("'proxy'" if through == "proxy" else "'upgrade'") in text


def test_a_body_that_drips_hides_no_refusal(
    talk: Open, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "BODY_PATIENCE", 0.05)

    def script(peer: ScriptedPeer) -> None:
        peer.read_request()
        peer.send_raw(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99999\r\n\r\n")
        with suppress(OSError):
            peer.drip(b"x" * 99_999, 0.005)

    text = refused(talk, scripted(script).url, tieline.HandshakeError)
    assert "expected status 101, got 403 Forbidden" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "flood",
    [
        OK + b"X: y\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        b"HTTP/1.1 500 x\r\n\r\n",
    ],
    ids=["headers", "informational", "chunks", "body"],
)
def test_floods_take_no_memory(talk: Open, scripted: Any, flood: bytes) -> None:
    """64 MB are on offer; what is kept is a head and a body at most."""
    last = flood[flood.rfind(b"\r\n", 0, -2) + 2 :]
    piece = {b"\r\n": b"x" * 65_536}.get(last, last * 8_000)
    if flood.startswith(b"HTTP/1.1 100"):
        piece = flood * 3_000

    def script(peer: ScriptedPeer) -> None:
        peer.receive_raw(1)
        with suppress(OSError):
            peer.send_raw(flood)
            for _ in range(1_000):
                peer.send_raw(piece)

    url = scripted(script).url
    tracemalloc.start()
    try:
        refused(talk, url, tieline.HandshakeError)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
