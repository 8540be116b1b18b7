"""Request headers cannot break the request, and those of the handshake stay its own."""

from __future__ import annotations

import pytest

from tests.refusals import SECRET, URL, refusal
from tieline.errors import OptionError
from tieline.options import normalise_headers


@pytest.mark.parametrize("spoilt", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "a\x7fb", "a€b"])
def test_header_values_cannot_write_more_headers(spoilt: str) -> None:
    assert "'X-Name'" in refusal(URL, headers={"X-Name": spoilt})
    assert "'X-Name'" in refusal(URL, proxy_headers={"X-Name": spoilt})
    assert "'Authorization'" in refusal(URL, headers=[("Authorization", SECRET + spoilt)])
    with pytest.raises(OptionError, match="X-Name"):
        normalise_headers({"X-Name": ["good", spoilt]})


@pytest.mark.parametrize("name", ["X-A\r\n", "X A", "X:A", "", "é", f"Authorization: {SECRET}"])
def test_header_names_must_be_tokens(name: str) -> None:
    assert "headers" in refusal(URL, headers={name: SECRET})


@pytest.mark.parametrize(
    "name, reason",
    [
        ("Sec-WebSocket-Key", "RFC 6455"),
        ("sec-websocket-version", "RFC 6455"),
        ("Sec-WebSocket-Accept", "server"),
        ("Sec-WebSocket-Extensions", "`compression`"),
        ("Sec-WebSocket-Protocol", "`subprotocols`"),
        ("UPGRADE", "RFC 6455"),
        ("Connection", "RFC 6455"),
        ("Content-Length", "no body"),
        ("Transfer-Encoding", "no body"),
        ("Proxy-Authorization", "`proxy_auth`"),
    ],
)
def test_the_handshakes_own_headers_cannot_be_set(name: str, reason: str) -> None:
    text = refusal(URL, headers={name: SECRET})
    assert repr(name) in text and reason in text


@pytest.mark.parametrize(
    "name", ["Authorization", "Host", "Connection", "Content-Length", "Transfer-Encoding"]
)
def test_the_tunnels_own_headers_cannot_be_set(name: str) -> None:
    text = refusal(URL, proxy_headers={name: "x"})
    assert "option 'proxy_headers'" in text and repr(name) in text


def test_host_may_be_given_once() -> None:
    assert normalise_headers({"Host": "a"}) == (("Host", "a"),)
    with pytest.raises(OptionError, match="twice"):
        normalise_headers([("Host", "a"), ("host", "b")])


@pytest.mark.parametrize("value", [["X-A: 1"], "X-A: 1", b"X-A: 1", [("X-A", "1"), "X-B: 2"]])
def test_headers_as_lines_are_told_how_they_are_written(value: object) -> None:
    text = refusal(URL, headers=value)
    assert "Write {'Name': 'value'} or [('Name', 'value')]." in text and "X-" not in text


def test_normalise_headers_names_the_option_of_its_caller() -> None:
    with pytest.raises(OptionError, match=r"option 'hdr'.*got int"):
        normalise_headers(7, option="hdr")
