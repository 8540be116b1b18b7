"""A record holds what is known, fills in no more than that, and shows no secret."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tieline.auth import Challenge
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
    with Attempt(5) as attempt:
        record.begin(attempt)
        record.add(redirects=["ws://other/"])
        attempt.peer, attempt.local = ("192.0.2.1", 80), ("192.0.2.2", 5000)
        record.end(attempt)
    return record


def test_the_way_is_known_before_the_request(begun: Record) -> None:
    info = filled(begun)
    assert info["redirects"] == ["ws://other/"]
    assert (info["peer"], info["local"]) == (("192.0.2.1", 80), ("192.0.2.2", 5000))
    assert info["proxy"] is None and info["tls"] is None
    # The attempt was closed later.
    assert "total" in info["timings"]
    assert "request-uri" not in info and "response-code" not in info


@pytest.mark.parametrize(
    "local",
    [("192.0.2.2", 5000), ("2001:db8::1", 5000, 0, 2), "", "/run/x.sock", (3, 2**32 - 1), None],
)
def test_both_ends_are_told_as_the_system_has_them(local: Any) -> None:
    record = Record()
    with Attempt(5) as attempt:
        record.begin(attempt)
        attempt.peer = attempt.local = local
        record.end(attempt)
    info = filled(record)
    assert info["peer"] == info["local"] == record.local == local


def test_what_few_have_is_told_as_well() -> None:
    record = Record()
    with Attempt(5) as attempt:
        record.begin(attempt)
        record.logged_in("ws://h/", Challenge("basic", "here"))
        record.logged_in("ws://h/", Challenge("digest", None))
        attempt.proxy, attempt.tls = "http://proxy:80", {"version": "TLSv1.3"}
        record.end(attempt)
    info = filled(record)
    assert info["authentication"] == [
        {"url": "ws://h/", "scheme": "basic", "realm": "here"},
        {"url": "ws://h/", "scheme": "digest", "realm": None},
    ]
    assert (info["proxy"], info["tls"]) == ("http://proxy:80", {"version": "TLSv1.3"})
    assert info["redirects"] == []


def test_the_lists_and_dictionaries_are_their_users(begun: Record) -> None:
    before = filled(begun)
    changed = filled(begun)
    changed["timings"].clear()
    changed["redirects"].clear()
    assert filled(begun) == before


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_request_of_this_dial_alone_is_kept_masked(is_shared: bool) -> None:
    record, request = Record(), UpgradeRequest("h", "/", headers=(("Authorization", "hunter2"),))
    with Attempt(5) as attempt:
        record.begin(attempt)
        references = sys.getrefcount(request)
        record.asked(request, KEY, is_shared)
        before = filled(record)
        record.end(attempt)
    after = filled(record)
    for told in (before, after):
        assert told["request-headers"]["Authorization"] == "***"
        del told["timings"]
    assert before == after
    assert sys.getrefcount(request) - references == is_shared


def test_secrets_are_masked(begun: Record) -> None:
    given = (("Authorization", "hunter2"), ("X-A", "1"))
    begun.asked(UpgradeRequest("h", "/feed?token=hunter2&a=b", headers=given), KEY, False)
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


def test_the_values_of_one_name_are_joined_as_in_the_response(begun: Record) -> None:
    given = (("X-A", "1"), ("Cookie", "hunter2"), ("x-a", "2"), ("Cookie", "hunter3"))
    begun.asked(UpgradeRequest("h", "/", headers=given), KEY, False)
    headers = Headers([("X-M", "1"), ("Set-Cookie", "a=1"), ("x-m", "2"), ("Set-Cookie", "b=2")])
    begun.answer = HTTPResponse("1.1", 403, "", headers)
    info = filled(begun)
    sent = info["request-headers"]
    assert (sent["X-A"], sent["Cookie"]) == ("1, 2", "***") and "x-a" not in sent
    assert info["response-headers"] == {"x-m": "1, 2", "set-cookie": "***"}


def test_a_servers_reason_can_be_printed(begun: Record) -> None:
    begun.answer = HTTPResponse("1.1", 403, "No\x1b[2J", Headers())
    assert filled(begun)["response-uri"] == "HTTP/1.1 403 No?[2J"


def test_what_was_filled_in_is_the_users_own(begun: Record) -> None:
    begun.asked(UpgradeRequest("h", "/"), KEY, False)
    filled(begun)["request-headers"]["Host"] = "changed"
    assert filled(begun)["request-headers"]["Host"] == "h"
