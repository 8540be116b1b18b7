"""Tests of a program of one's own, against a real server on loopback that follows a script.

    python examples/testing_with_scripted_server.py

A script says what the server does, also what no server should do. When something else happens
than the script expects, the error is raised where the server is closed. It needs no server
beside its own, which listen at free ports.
"""

from __future__ import annotations

import json

import tieline
from tieline.testing import ScriptedPeer, ScriptedServer


def price_of(symbol: str, url: str) -> float | None:
    """The program to be tested: one question, one answer; None when the server fails."""
    client = tieline.WebSocketClient(lambda message: None, url)
    question = json.dumps({"price of": symbol})
    try:
        client.connect(timeout=5)
        return float(client.wait_for(lambda message: True, timeout=5, send=question))
    except tieline.WebSocketError:
        return None
    finally:
        client.disconnect(tieline.CloseCode.NORMAL_CLOSURE)


def answers(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    peer.expect_text('{"price of": "ABC"}')
    peer.send_text("17.5")
    peer.expect_close(1000)
    peer.send_close(1000)


def refuses(peer: ScriptedPeer) -> None:
    peer.respond(503, "Service Unavailable", body="come back tomorrow")


def breaks_a_rule(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    peer.send_raw(b"\xff\xff")  # reserved bits and opcode, and a mask, which servers never use
    peer.expect_close(1002)


def test_price() -> None:
    with ScriptedServer(answers) as server:
        assert price_of("ABC", server.url) == 17.5


def test_no_price_from_a_server_that_refuses() -> None:
    with ScriptedServer(refuses) as server:
        assert price_of("ABC", server.url) is None


def test_no_price_from_a_server_that_breaks_the_protocol() -> None:
    with ScriptedServer(breaks_a_rule) as server:
        assert price_of("ABC", server.url) is None


if __name__ == "__main__":  # with pytest these lines are not needed
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("passed:", name)
