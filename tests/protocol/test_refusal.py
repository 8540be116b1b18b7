"""Statuses → what an error says of them, short and without secrets."""

from __future__ import annotations

import pytest

from tieline.headers import Headers, HTTPResponse
from tieline.protocol.refusal import explain_status


def explained(status, headers=(), body=b"", reason="Reason"):
    return explain_status(HTTPResponse("1.1", status, reason, Headers(headers), body))


@pytest.mark.parametrize(
    ("status", "headers", "body", "hint"),
    [
        (200, [("Content-Type", "text/html; charset=utf-8")], b"", "captive portal"),
        (200, [], b" \r\n<!doctype html>", "captive portal"),
        (200, [("Content-Type", "application/json")], b"{}", "check the path"),
        (302, [("Location", "wss://u:hush@h/?token=hush")], b"", "'wss://u:***@h/?token=***'"),
        (302, [("Location", "/" + "x" * 9000)], b"", "'/" + "x" * 63 + "'..."),
        (400, [], b"<h1>400</h1>The plain HTTP request was sent to HTTPS port", "use wss://"),
        (400, [], b"You're speaking plain HTTP to an SSL-enabled server port.", "use wss://"),
        (400, [], b"Client sent an HTTP request to an HTTPS server.", "use wss://"),
        (403, [], b"", "origin="),
        (404, [], b"", "check the path"),
        (407, [], b"", "a proxy on the way"),
        (426, [("Sec-WebSocket-Version", "8"), ("Sec-WebSocket-Version", "7")], b"", "'8, 7'"),
        (426, [("Upgrade", "TLS/1.2")], b"", "an upgrade to 'TLS/1.2'"),
        (429, [("Retry-After", "7")], b"", "Retry-After: '7'"),
        (502, [], b"", "gateway"),
        (503, [("Retry-After", "x" * 900)], b"", "asks to wait"),
    ],
)
def test_what_it_usually_means(status, headers, body, hint):
    text = explained(status, headers, body)
    assert text.startswith(f"expected status 101, got {status} Reason; ")
    assert hint in text and "hush" not in text and len(text) < 300


@pytest.mark.parametrize(
    "status", [100, 204, 301, 304, 400, 401, 405, 418, 426, 429, 500, 503, 999]
)
def test_what_says_enough(status):
    assert explained(status) == f"expected status 101, got {status} Reason"


def test_the_location_of_a_304_leads_nowhere():
    assert explained(304, [("Location", "/x")]) == "expected status 101, got 304 Reason"


def test_a_reason_is_shown_as_far_as_it_can_be():
    assert explained(500, reason="") == "expected status 101, got 500"
    assert explained(500, reason="a\x9bb" + "x" * 100).endswith("got 500 a?b" + "x" * 61 + "...")
