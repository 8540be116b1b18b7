"""A request → an answer, a refusal with what came of its body, or why there is none."""

from __future__ import annotations

import errno
import os
import select
from contextlib import suppress
from typing import Any

import pytest

from tests.engine.outcome import Outcome
from tieline.errors import ConnectCancelled, ConnectError, ConnectTimeout, HandshakeError


def test_a_refusal_whose_body_does_not_end(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head is told, with what came of the body, and nobody waits for the rest."""
    monkeypatch.setattr("tieline.transport.exchange.BODY_PATIENCE", 0.05)

    def refuse(peer: Any) -> None:
        peer.read_request()
        peer.send_raw(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\npart")
        peer.expect_end()

    outcome = Outcome(serve(refuse).url)
    assert isinstance(outcome.error, HandshakeError)
    assert outcome.error.response is not None
    assert (outcome.error.response.status, outcome.error.response.body) == (503, b"part")


@pytest.mark.slow
def test_a_refusal_is_told_although_the_deadline_passes(serve: Any) -> None:
    def refuse(peer: Any) -> None:
        peer.read_request()
        peer.send_raw(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\npart")
        peer.expect_end()

    outcome = Outcome(serve(refuse).url, timeout=1.0)
    assert isinstance(outcome.error, HandshakeError)


@pytest.mark.slow
@pytest.mark.parametrize("script", ["silent", "drip"])
def test_the_deadline(serve: Any, script: str) -> None:
    def play(peer: Any) -> None:
        peer.read_request()
        if script == "drip":
            with suppress(OSError):  # the client hangs up
                peer.drip(b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 1000, 0.02)
        peer.expect_end()

    outcome = Outcome(serve(play).url, timeout=1.0)
    assert isinstance(outcome.error, ConnectTimeout)
    assert outcome.error.phase == "upgrade"
    assert 1.0 <= outcome.attempt.timings["total"] < 5.0


def test_cancelled(serve: Any) -> None:
    def play(peer: Any) -> None:
        peer.read_request()
        peer.expect_end()

    assert isinstance(Outcome(serve(play).url + "cancel").error, ConnectCancelled)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_the_server_breaks_off(serve: Any, end: str) -> None:
    def play(peer: Any) -> None:
        peer.read_request()
        getattr(peer, end)()

    error = Outcome(serve(play).url).error
    assert isinstance(error, ConnectError)
    assert "127.0.0.1" in str(error)


def test_no_http_at_all(serve: Any) -> None:
    def play(peer: Any) -> None:
        peer.read_request()
        peer.send_raw(b"SSH-2.0-OpenSSH_9.2\r\n")
        peer.expect_end()

    error = Outcome(serve(play).url).error
    assert isinstance(error, HandshakeError) and error.response is None


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ECONNRESET])
def test_only_a_broken_connection_is_a_reason_to_think_of_tls(
    serve: Any, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Waiting takes descriptors, which may have run out."""

    class Poll:
        """Waits for room to write, and not for something to read."""

        def __init__(self) -> None:
            self._poll = real()
            self.poll = self._poll.poll
            self._waits_to_write = False

        def register(self, descriptor: int, events: int) -> None:
            self._waits_to_write |= events == select.POLLOUT
            if not self._waits_to_write:
                raise OSError(code, os.strerror(code))
            self._poll.register(descriptor, events)

    def play(peer: Any) -> None:
        peer.read_request()
        peer.expect_end()

    real = select.poll
    monkeypatch.setattr(select, "poll", Poll)
    error = Outcome(serve(play).url).error
    assert isinstance(error, ConnectError)
    assert os.strerror(code) in str(error)
    is_broken = code == errno.ECONNRESET
    assert ("does this port expect TLS" in str(error)) == is_broken
    assert ("broke the connection" in str(error)) == is_broken
