"""Options → an open connection, or an error that says which step failed; `info` tells of both."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType
from typing import Any

import pytest

from tests.engine.outcome import Outcome, accept
from tieline.compression import Deflate
from tieline.engine.connecting import connection_settings
from tieline.errors import HandshakeError
from tieline.events import RequestEvent, ResponseEvent
from tieline.options import Options
from tieline.protocol.handshake import UpgradeRequest


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


@pytest.mark.parametrize(
    "given",
    [
        {"auth": ("joe", "hunter2")},
        {"token": "hunter2"},
        {"cookies": {"session": "hunter2"}},
    ],
)
def test_what_was_said_of_who_we_are_is_not_kept(serve: Any, given: dict[str, Any]) -> None:
    def check(peer: Any) -> None:
        request = peer.read_request()
        assert {"authorization", "cookie"} & set(request.headers)
        accept(peer)

    outcome = Outcome(serve(check).url, **given)
    assert outcome.is_open
    said = {"Authorization", "Cookie"} & set(outcome.info["request-headers"])
    assert [outcome.info["request-headers"][name] for name in said] == ["***"]
    assert not any(isinstance(each, UpgradeRequest) for each in reachable(outcome.record))


def reachable(start: object) -> list[object]:
    """All that an object keeps, as the collector sees it; not types and modules."""
    found: dict[int, object] = {id(start): start}
    waiting = [start]
    while waiting:
        for each in gc.get_referents(waiting.pop()):
            if id(each) not in found and not isinstance(each, type | ModuleType | FunctionType):
                found[id(each)] = each
                waiting.append(each)
    return list(found.values())


def test_a_refusal_tells_why(serve: Any) -> None:
    def refuse(peer: Any) -> None:
        peer.respond(403, "Forbidden", body="not you")

    outcome = Outcome(serve(refuse).url)
    assert isinstance(outcome.error, HandshakeError)
    assert outcome.error.response is not None
    assert (outcome.error.response.status, outcome.error.response.body) == (403, b"not you")
    assert outcome.info["response-code"] == 403


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
