"""A record holds what is known, fills in no more than that, and shows no secret."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.engine.record import Record
from tieline.headers import Headers, HTTPResponse
from tieline.protocol.handshake import UpgradeRequest
from tieline.transport.attempt import Attempt

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def filled(record: Record) -> dict[str, Any]:
    info: dict[str, Any] = {"mine": 1}
    record.fill(info)
    assert info.pop("mine") == 1
    return info


def test_nothing_is_known_at_first() -> None:
    record = Record()
    assert filled(record) == {}
    record.url = "ws://h/"
    assert filled(record) == {"url": "ws://h/"}


@pytest.fixture
def begun() -> Record:
    record = Record()
    record.redirects = ["ws://other/"]
    with Attempt(5) as attempt:
        attempt.peer, attempt.local = ("192.0.2.1", 80), ("192.0.2.2", 5000)
        record.take(attempt)
    return record


def test_the_way_is_known_before_the_request(begun: Record) -> None:
    info = filled(begun)
    assert info["redirects"] == ["ws://other/"]
    assert (info["peer"], info["local"]) == (("192.0.2.1", 80), ("192.0.2.2", 5000))
    assert info["proxy"] is None and info["tls"] is None
    # The attempt ended after it was taken from.
    assert "total" in info["timings"]
    assert "request-uri" not in info and "response-code" not in info


def test_what_is_known_stays_the_same_when_the_dial_is_over(begun: Record) -> None:
    before = filled(begun)
    for _ in range(2):
        begun.settle()
        after = filled(begun)
        assert after == before and list(after["timings"]) == list(before["timings"])
    assert not isinstance(begun.timings, dict)  # the dictionary is its user's alone
    after["timings"].clear()
    after["redirects"].clear()
    assert filled(begun) == before


def test_a_dial_whose_thread_is_not_done_is_not_over() -> None:
    record, attempt = Record(), Attempt(5)
    record.redirects = []
    with attempt:
        record.take(attempt)
        record.settle()
    assert "total" in filled(record)["timings"]


def test_a_dial_that_never_began_has_nothing_to_settle() -> None:
    record = Record()
    record.settle()
    assert filled(record) == {}


def test_secrets_are_masked(begun: Record) -> None:
    given = (("Authorization", "hunter2"), ("X-A", "1"))
    begun.asked(UpgradeRequest("h", "/feed?token=hunter2&a=b", headers=given), KEY)
    headers = Headers([("Set-Cookie", "hunter2"), ("X-Server", "me")])
    begun.answer = HTTPResponse("1.1", 403, "", headers)
    info = filled(begun)
    assert info["request-uri"] == "GET /feed?token=***&a=b HTTP/1.1"
    assert info["request-headers"] == {
        "Host": "h",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Authorization": "***",
        "X-A": "1",
    }
    assert (info["response-uri"], info["response-code"]) == ("HTTP/1.1 403", 403)
    assert info["response-headers"] == {"set-cookie": "***", "x-server": "me"}
    assert "hunter2" not in str(info)


def test_a_servers_reason_can_be_printed(begun: Record) -> None:
    begun.answer = HTTPResponse("1.1", 403, "No\x1b[2J", Headers())
    assert filled(begun)["response-uri"] == "HTTP/1.1 403 No?[2J"


def test_what_was_filled_in_is_the_users_own(begun: Record) -> None:
    begun.asked(UpgradeRequest("h", "/"), KEY)
    filled(begun)["request-headers"]["Host"] = "changed"
    assert filled(begun)["request-headers"]["Host"] == "h"
