"""What cannot be done → an error that says what was wrong and what to do, and a usable client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tieline import ConnectionClosed, OptionError, ProtocolError, WebSocketClient

SOON = 20.0
Do = Callable[[WebSocketClient], object]

CALLS: list[tuple[Do, type[Exception], list[str]]] = [
    (lambda c: c.send(None), OptionError, ["NoneType", "str, bytes", "send_json"]),
    (lambda c: c.send(5), OptionError, ["int", "str, bytes, or an iterable", "send_json"]),
    (lambda c: c.send({"a": 1}), OptionError, ["dict", "send_json"]),
    (lambda c: c.send(object()), OptionError, ["object", "expected str, bytes"]),
    (lambda c: c.send([]), OptionError, ["empty iterable", "at least one"]),
    (lambda c: c.send(["a", 1]), OptionError, ["fragment is int", "str or bytes"]),
    (lambda c: c.send("\ud800"), OptionError, ["\\ud800", "position 0", "surrogates"]),
    (lambda c: c.send(memoryview(b"abcd")[::2]), OptionError, ["contiguous", "bytes("]),
    # The client of this file offers none.
    (lambda c: c.send("a", compress=True), OptionError, ["compress=True", "no compression"]),
    (lambda c: c.send_json({1, 2}), OptionError, ["send_json", "set", "JSON"]),
    (lambda c: c.ping(b"x" * 126), OptionError, ["125 bytes", "126"]),
    (lambda c: c.ping(1), OptionError, ["int", "bytes or str"]),
    (lambda c: c.pong(None), OptionError, ["NoneType", "bytes or str"]),
    (lambda c: c.send_frame("a", 3), OptionError, ["opcode", "0x1 TEXT", "got int (3)"]),
    (lambda c: c.send_frame("a", "text"), OptionError, ["opcode", "'text'"]),
    (lambda c: c.send_frame("a", True), OptionError, ["opcode", "bool"]),
    (lambda c: c.send_frame("a", 1, "yes"), OptionError, ["fin", "'yes'"]),
    (lambda c: c.send("a", compress=1), OptionError, ["compress", "int (1)"]),
    (lambda c: c.send(["a"], compress=0), OptionError, ["compress", "int (0)"]),
    (lambda c: c.send_many([], compress="no"), OptionError, ["compress", "'no'"]),
    (lambda c: c.send_frame("a", 9, fin=False), OptionError, ["PING", "cannot be fragmented"]),
    (lambda c: c.send_frame(None, 1), OptionError, ["payload", "NoneType"]),
    (lambda c: c.send_frame("a", 0), ProtocolError, ["expected TEXT or BINARY", "CONTINUATION"]),
    (lambda c: c.send_frame(b"\x03\xe8", 8), OptionError, ["CLOSE", "disconnect"]),
    (lambda c: c.disconnect(0), OptionError, ["close code 0", "1000"]),
    (lambda c: c.disconnect(1005), OptionError, ["1005", "7.4"]),
    (lambda c: c.disconnect("1000"), OptionError, ["close code", "'1000'", "str"]),
    (lambda c: c.disconnect(1000, "x" * 124), OptionError, ["reason", "123", "124"]),
    (lambda c: c.disconnect(1000, b"x"), OptionError, ["reason", "bytes"]),
    (lambda c: c.disconnect(timeout=-1), OptionError, ["timeout", "-1", "0 to"]),
    (lambda c: c.disconnect(timeout=True), OptionError, ["timeout", "bool"]),
    (lambda c: c.wait("x"), OptionError, ["timeout", "seconds", "str"]),
    (lambda c: c.wait(float("inf")), OptionError, ["timeout", "inf", "24 days"]),
    (lambda c: c.wait(float("nan")), OptionError, ["timeout", "nan"]),
    (lambda c: c.wait(0.01), TimeoutError, ["open", "0.01 s"]),
    (lambda c: c.wait_for(bool, timeout=0.01), TimeoutError, ["predicate", "0.01 s"]),
    (lambda c: c.wait_for(bool, timeout="1"), OptionError, ["timeout", "str"]),
    (lambda c: c.wait_for(5), OptionError, ["predicate", "int"]),
    (lambda c: c.connect({"header": {}}), OptionError, ["'hdr'", "'header'"]),
    (lambda c: c.connect("x"), OptionError, ["mapping", "str"]),
    (lambda c: c.connect(headers={"a\r\nb": "c"}), OptionError, ["header"]),
    (lambda c: c.connect(headers={"a": "b\nc"}), OptionError, ["header"]),
    (lambda c: c.connect({"hdr": ["a: b"]}), OptionError, ["option 'hdr'", "('Name', 'value')"]),
    (lambda c: c.connect({"headers": {"a": 1}}), OptionError, ["option 'headers'", "int"]),
    (lambda c: c.connect(timeout=-1), OptionError, ["timeout", "-1"]),
    (lambda c: c.connect(info=[]), OptionError, ["info", "dict", "list"]),
]


@pytest.mark.parametrize(("call", "kind", "texts"), CALLS)
def test_the_connection_stays_up(
    echo: Any, clients: Any, call: Do, kind: type[Exception], texts: list[str]
) -> None:
    client = clients(lambda message: None, echo.url, compression=None)
    client.connect()
    with pytest.raises(kind) as caught:
        call(client)
    for text in texts:
        assert text in str(caught.value)
    assert client.wait_for(lambda message: True, SOON, send="still up") == "still up"


NOT_CONNECTED: list[Do] = [
    lambda c: c.send("a"),
    lambda c: c.send(["a"]),
    lambda c: c.send_frame("a", 1),
    lambda c: c.send_json(1),
    lambda c: c.ping(),
    lambda c: c.pong(),
    lambda c: c.wait(0),
    lambda c: c.wait_for(bool, 0),
]


@pytest.mark.parametrize("call", NOT_CONNECTED)
def test_before_the_first_connection(echo: Any, clients: Any, call: Do) -> None:
    client = clients(lambda message: None, echo.url)
    with pytest.raises(ConnectionClosed, match=r"call connect\(\)") as caught:
        call(client)
    assert caught.value.close_info is None
    client.connect()
    assert client.is_open()


@pytest.mark.parametrize("call", [call for call in NOT_CONNECTED if call is not NOT_CONNECTED[6]])
def test_after_the_last_one(echo: Any, clients: Any, call: Do) -> None:
    client = clients(lambda message: None, echo.url)
    client.connect()
    client.disconnect()
    with pytest.raises(ConnectionClosed) as caught:
        call(client)
    assert caught.value.close_info is client.close_info
    client.connect()
    assert client.is_open()


def test_a_failed_connect_tells_and_leaves_the_client_usable(scripted: Any, clients: Any) -> None:
    def refuse(peer: Any) -> None:
        peer.respond(401, "Unauthorized", body="who are you?")

    def accept(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close()
        peer.send_close(1001)

    url = scripted(refuse, accept).url + "?token=hunter2"
    client = clients(lambda message: None, url, headers={"Authorization": "Bearer hunter2"})
    info: dict[str, Any] = {}
    with pytest.raises(tieline.HandshakeError) as caught:
        client.connect(None, info)
    assert caught.value.response.status == 401
    assert caught.value.response.body == b"who are you?"
    assert info["response-code"] == 401
    assert "hunter2" not in str(caught.value) + str(info) + repr(client)
    assert client.state is tieline.State.CLOSED
    assert client.connect().status == 101


def test_a_refused_reconnection_keeps_how_the_last_connection_ended(
    scripted: Any, clients: Any
) -> None:
    def accept(peer: Any) -> None:
        peer.accept_upgrade()
        peer.finish(4000)

    def refuse(peer: Any) -> None:
        peer.respond(503)

    client = clients(lambda message: None, scripted(accept, refuse).url)
    client.connect()
    client.wait(SOON)
    with pytest.raises(tieline.HandshakeError):
        client.connect()
    assert client.wait(SOON).code == 4000
    assert client.close_info.code == 4000
