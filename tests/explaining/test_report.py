"""The report: aligned, one fact a line, and nothing in it breaks a line."""

from __future__ import annotations

import pytest

import tieline

pytestmark = pytest.mark.usefixtures("no_network")

REPORT = """\
url              ws://127.0.0.1:8080/feed
url 2            wss://b.example/ (if the one before fails)
connects to      127.0.0.1:8080 (the URL's host)
  address        127.0.0.1:8080
proxy            none: proxy=None
TLS              none: whoever is on the way can read and change it
request          GET /feed HTTP/1.1
                 Host: 127.0.0.1:8080
                 Upgrade: websocket
                 Connection: Upgrade
                 Sec-WebSocket-Key: (16 random bytes)
                 Sec-WebSocket-Version: 13
                 User-Agent: me/1
                 Authorization: ***
                 Cookie: ***
credentials      Basic, user 'me' (auth=)
cookies          a: sent, from cookies=
                 b: sent, from cookies=
subprotocols     none
compression      none
times            5 s to connect, 15 s for a send, 10 s to close, 20 s for a pong
reconnection     no
problems         none that can be seen from here"""


def test_the_whole_of_it() -> None:
    found = tieline.explain(
        ["ws://127.0.0.1:8080/feed", "wss://b.example/"],
        auth=("me", "hush"),
        cookies={"a": "hush", "b": "hush"},
        compression=None,
        connect_timeout=5,
        ping_interval=None,
        proxy=None,
        user_agent="me/1",
    )
    assert str(found) == REPORT


def test_what_comes_from_elsewhere_cannot_break_a_line() -> None:
    found = tieline.explain("ws+unix:///tmp/a%0Aproblems%20none:/", headers={"X": "caf\xe9\x9b2J"})
    lines = str(found).split("\n")
    assert all(line.isprintable() for line in lines)
    assert sum(line.startswith("problems") for line in lines) == 1
