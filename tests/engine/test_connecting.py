"""Options → an open connection, or an error that says which step failed; `info` tells of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tieline.compression import Deflate
from tieline.engine.connecting import Connected, connect, connection_settings
from tieline.engine.record import Record
from tieline.engine.route import Target, parse_options_url
from tieline.errors import (
    ConnectCancelled,
    ConnectError,
    ConnectTimeout,
    HandshakeError,
    TooManyRedirects,
)
from tieline.events import RedirectEvent, RequestEvent, ResponseEvent
from tieline.options import Options
from tieline.testing import ScriptedServer
from tieline.transport.attempt import Attempt

SOON = 20.0


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(*scripts: Any, **options: Any) -> ScriptedServer:
        servers.append(ScriptedServer(*scripts, **({"timeout": SOON} | options)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Outcome:
    """What one call of `connect` did."""

    def __init__(self, url: str, timeout: float = SOON, **options: Any) -> None:
        self.info: dict[str, Any] = {}
        self.events: list[tuple[type, dict[str, Any]]] = []
        made = Options.build(url, {"proxy": None} | options)
        target = Target(made, parse_options_url(made, url), made.attempt_headers())
        self.error: BaseException | None = None
        self.connected: Connected | None = None
        record = Record()
        with Attempt(timeout) as self.attempt:
            try:
                self.connected = connect(
                    target, connection_settings(made, False), self.attempt, record, self._tell
                )
            except (ConnectError, ConnectTimeout, OSError) as error:
                self.error = error
            else:
                self.connected.stream.close()
        record.fill(self.info)

    def _tell(self, kind: type, **data: Any) -> None:
        self.events.append((kind, data))
        if data.get("url", "").endswith("cancel"):
            self.attempt.cancel()


def accept(peer: Any) -> None:
    peer.accept_upgrade(headers=[("X-Server", "me")])
    peer.expect_end()


def test_success(serve: Any) -> None:
    server = serve(accept)
    outcome = Outcome(server.url + "path?token=hunter2", headers={"Authorization": "x hunter2"})
    assert outcome.connected is not None
    assert outcome.connected.response.status == 101
    info = outcome.info
    assert info["request-uri"].startswith("GET /path?token=")
    assert info["response-uri"] == "HTTP/1.1 101 Switching Protocols"
    assert info["response-code"] == 101
    assert info["response-headers"]["x-server"] == "me"
    assert info["peer"] == ("127.0.0.1", server.port)
    assert info["redirects"] == [] and info["tls"] is None and info["proxy"] is None
    assert {"tcp", "upgrade"} <= info["timings"].keys()
    assert [kind for kind, _ in outcome.events] == [RequestEvent, ResponseEvent]
    assert "hunter2" not in str(info) + str(outcome.events)


def test_a_refusal_tells_why(serve: Any) -> None:
    def refuse(peer: Any) -> None:
        peer.respond(403, "Forbidden", body="not you")

    outcome = Outcome(serve(refuse).url)
    assert isinstance(outcome.error, HandshakeError)
    assert outcome.error.response is not None
    assert (outcome.error.response.status, outcome.error.response.body) == (403, b"not you")
    assert outcome.info["response-code"] == 403


def test_a_refusal_whose_body_does_not_end(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head is told, with what came of the body, and nobody waits for the rest."""
    monkeypatch.setattr("tieline.engine.connecting._BODY_PATIENCE", 0.05)

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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(serve: Any, status: int) -> None:
    last = serve(accept)
    first = serve(lambda peer: peer.redirect(last.url + "there", status))
    outcome = Outcome(first.url)
    assert outcome.connected is not None
    assert outcome.connected.response.url == last.url + "there"
    assert outcome.info["redirects"] == [last.url + "there"]
    assert (RedirectEvent, {"status": status, "location": last.url + "there"}) in outcome.events


def test_a_relative_redirect(serve: Any) -> None:
    server = serve(lambda peer: peer.redirect("../b"), accept)
    outcome = Outcome(server.url + "a/c")
    assert outcome.connected is not None
    assert server.peers[1].request.target == "/b"


def test_too_many_redirects(serve: Any) -> None:
    server = serve(lambda peer: peer.redirect("/again"), repeat=True)
    outcome = Outcome(server.url, max_redirects=3)
    assert isinstance(outcome.error, TooManyRedirects)
    assert "max_redirects=3" in str(outcome.error)
    assert len(outcome.info["redirects"]) == 3 and len(server.peers) == 4


def test_max_redirects_0_gives_the_redirect_itself(serve: Any) -> None:
    server = serve(lambda peer: peer.redirect("/there"))
    error = Outcome(server.url, max_redirects=0).error
    assert isinstance(error, HandshakeError) and not isinstance(error, TooManyRedirects)
    assert error.response is not None and error.response.headers["location"] == "/there"


@pytest.mark.parametrize(
    ("location", "text"), [("ftp://x/", "unusable place"), ("ws://[/", "unusable place")]
)
def test_a_redirect_to_nowhere(serve: Any, location: str, text: str) -> None:
    error = Outcome(serve(lambda peer: peer.redirect(location)).url).error
    assert isinstance(error, HandshakeError) and text in str(error)


def test_a_redirect_without_location_is_a_refusal(serve: Any) -> None:
    error = Outcome(serve(lambda peer: peer.respond(302)).url).error
    assert isinstance(error, HandshakeError) and not isinstance(error, TooManyRedirects)


def test_early_frames_are_kept_for_the_session(serve: Any) -> None:
    def play(peer: Any) -> None:
        peer.accept_upgrade(then=b"\x81\x05early")
        peer.expect_end()

    outcome = Outcome(serve(play).url)
    assert outcome.connected is not None
    assert outcome.connected.connection.next_event(0.0) == ["early"]


def test_settings() -> None:
    settings = connection_settings(
        Options.build(
            "ws://a/",
            {
                "max_message_size": 7,
                "ping_interval": None,
                "max_head_size": 9,
                "compression": "deflate",
            },
        ),
        True,
    )
    assert (settings.max_message_size, settings.ping_interval) == (7, None)
    assert settings.compression == Deflate()
    assert settings.inspect_frames and settings.head_limits.max_head_size == 9
