"""Header fields: case, several values, immutability, what may be sent, and no secret shown."""

from __future__ import annotations

import copy
import pickle

import pytest

from tieline.errors import OptionError
from tieline.headers import Headers, HTTPRequest, HTTPResponse, check_header, is_token


def test_open_connections_share_what_nearly_every_answer_holds() -> None:
    usual = [tuple(pair.split(": ")) for pair in ("Upgrade: websocket", "Connection: Upgrade")]
    again = [tuple(pair.split(": ")) for pair in ("Upgrade: websocket", "Connection: Upgrade")]
    one, two = Headers([*usual, ("X-A", "1")]), Headers([*again, ("X-A", "2")])
    assert one.raw == (*usual, ("X-A", "1")) and two.raw == (*again, ("X-A", "2"))
    assert [mine is other for mine, other in zip(one.raw, two.raw, strict=True)] == [
        True,
        True,
        False,
    ]


def test_headers_are_case_insensitive_and_keep_the_original():
    headers = Headers([("Via", "a"), ("X-One", "1"), ("via", "b")])
    assert headers["VIA"] == "a, b"
    assert headers.get_all("vIa") == ["a", "b"]
    assert headers.get_all("none") == []
    assert headers.raw == (("Via", "a"), ("X-One", "1"), ("via", "b"))
    assert list(headers) == ["via", "x-one"]
    assert len(headers) == 2
    assert "X-ONE" in headers and "none" not in headers and 1 not in headers
    assert headers.get("none") is None
    with pytest.raises(KeyError):
        headers["none"]


@pytest.mark.parametrize("key", [5, None, b"via", ("via",)])
def test_keys_that_are_no_names(key):
    headers = Headers([("Via", "a")])
    assert headers.get(key) is None and key not in headers
    with pytest.raises(KeyError):
        headers[key]


def test_fields_are_read_from_their_bytes_when_somebody_asks():
    section = b"Upgrade: websocket\r\nVia:\t a \r\nvia:\xe9:\r\nX-None:"
    pairs = (("Upgrade", "websocket"), ("Via", "a"), ("via", "\xe9:"), ("X-None", ""))
    asked = (
        lambda headers: headers.raw == pairs,
        lambda headers: headers["VIA"] == "a, \xe9:" and headers.get_all("via") == ["a", "\xe9:"],
        lambda headers: list(headers) == ["upgrade", "via", "x-none"] and len(headers) == 3,
        lambda headers: headers == Headers(pairs) and repr(headers) == repr(Headers(pairs)),
        lambda headers: pickle.loads(pickle.dumps(headers)).raw == pairs,
        lambda headers: copy.deepcopy(headers).raw == copy.copy(headers).raw == pairs,
    )
    for ask in asked:
        headers = Headers.unread(section)
        assert ask(headers) and ask(headers)
        assert headers.raw is headers.raw


def test_cookies_are_not_joined():
    headers = Headers([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    assert headers["set-cookie"] == "a=1"
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_headers_of_a_mapping():
    assert Headers({"A": "1"})["a"] == "1"


def test_headers_cannot_be_changed():
    headers = Headers([("A", "1")])
    headers.get_all("a").append("2")
    assert headers["a"] == "1"
    with pytest.raises(AttributeError):
        headers.raw = ()


def test_reprs_hold_no_secrets():
    headers = Headers([("Authorization", "Basic hush"), ("Set-Cookie", "hush"), ("Via", "x")])
    request = HTTPRequest("GET", "/?token=hush", "1.1", headers)
    response = HTTPResponse("1.1", 200, "OK", headers, b"hush")
    for shown in (repr(headers), repr(request), repr(response)):
        assert "hush" not in shown
        assert "Via" in shown


# check_header


def test_good_headers_pass():
    check_header("X-Any_thing!", "visible \t text, \xe9 too")
    check_header("Empty", "")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "caf\xe9", "a\n", None, b"a"])
def test_bad_names(name):
    with pytest.raises(OptionError, match="header name"):
        check_header(name, "value")


@pytest.mark.parametrize(
    "value", ["a\r\nEvil: 1", "a\n", "a\r", "a\0", "a\x1b", "a\x7f", "\u20ac", None, b"a"]
)
def test_bad_values(value):
    with pytest.raises(OptionError, match="'X-Name'"):
        check_header("X-Name", value)


def test_bad_values_of_secret_headers_are_not_shown():
    for name in ("Authorization", "Cookie", "X-Api-Key"):
        with pytest.raises(OptionError) as caught:
            check_header(name, "hush\r\n")
        assert "hush" not in str(caught.value)
        assert name in str(caught.value)


@pytest.mark.parametrize(
    "text, expected",
    [("chat", True), ("a!#$%&'*+-.^_`|~9", True), ("", False), ("a b", False), ("a\n", False)],
)
def test_is_token_is_rfc_9110(text: str, expected: bool) -> None:
    assert is_token(text) is expected
