"""sync: `connect` and `Connection`, their arguments, errors and promises."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tieline
from tieline.engine.dial import Dial
from tieline.engine.receiving import Receiver
from tieline.testing import EchoServer, ScriptedServer

SOON = 20.0


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer(subprotocols=["chat"]) as server:
        yield server


@pytest.fixture
def connect(echo: EchoServer) -> Iterator[Callable[..., tieline.Connection]]:
    """connect(url=the echo server's, **options)."""
    made: list[tieline.Connection] = []

    def open_connection(url: Any = None, **options: Any) -> tieline.Connection:
        made.append(tieline.connect(url or echo.url, **({"proxy": None} | options)))
        return made[-1]

    yield open_connection
    for connection in made:
        connection.close(timeout=0.2)


Connect = Callable[..., tieline.Connection]


def test_what_it_is_called_with(echo: EchoServer, connect: Connect) -> None:
    """The URL or a mapping; keywords go before it."""
    assert connect().url == echo.url
    mapping = {"url": echo.url, "subprotocols": ["no"], "on_close": print}
    ws = connect(mapping, subprotocols=["chat"], on_close=None)
    assert ws.subprotocol == "chat"
    assert mapping["on_close"] is print


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"callback": print}, "callback: .* recv"),
        ({"on_message": print}, "on_message: .* recv"),
        ({"executor": lambda job: job()}, "executor"),
        ({"no_such_option": 1}, "no_such_option"),
        ({"max_queue": 0}, "max_queue"),
        ({"on_close": 3}, "on_close"),
        ({"info": []}, "info: expected a dict"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(tieline.OptionError, match=told):
        tieline.connect("ws://127.0.0.1:9/", **options)


@pytest.mark.parametrize(
    ("arguments", "options"), [((), {}), (("ws://a/",), {}), (("ws://a/", "b"), {"timeout": 5})]
)
def test_the_class_is_not_called(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"use tieline\.connect\(url, \.\.\.\)"):
        tieline.Connection(*arguments, **options)


def test_the_url_is_needed() -> None:
    for arguments in ((), ({},)):
        with pytest.raises(tieline.OptionError, match="url"):
            tieline.connect(*arguments)


def test_info_is_filled(echo: EchoServer, connect: Connect) -> None:
    info: dict[str, Any] = {"mine": 1}
    ws = connect(info=info, headers={"Authorization": "Bearer secret"})
    assert info["response-code"] == 101 and info["timings"]["total"] > 0
    assert "secret" not in str(info)
    assert ws.connection_info()["connection_id"] == ws.connection_id > 0


def test_info_is_filled_when_it_fails() -> None:
    info: dict[str, Any] = {}
    with ScriptedServer(lambda peer: peer.respond(404, "Not Found")) as server:
        with pytest.raises(tieline.HandshakeError) as caught:
            tieline.connect(server.url, proxy=None, info=info)
        assert caught.value.response is not None and caught.value.response.status == 404
        assert info["response-code"] == 404
    with pytest.raises(tieline.ConnectError):
        tieline.connect(server.url, proxy=None, connect_timeout=1, info=info)


def test_a_dial_that_takes_too_long() -> None:
    def script(peer: Any) -> None:
        peer.read_request()
        peer.hold()

    with ScriptedServer(script) as server, pytest.raises(tieline.ConnectTimeout):
        tieline.connect(server.url, proxy=None, connect_timeout=0.05)


def test_a_connected_socket(echo: EchoServer, connect: Connect) -> None:
    sock = socket.create_connection(("127.0.0.1", echo.port))
    ws = connect("ws://elsewhere.example/", sock=sock)
    ws.send("a")
    assert ws.recv(SOON) == "a"


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no unix sockets here")
def test_a_unix_socket(tmp_path: Path, connect: Connect) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_text("a")
        peer.send_text("b")
        peer.finish()

    path = str(tmp_path / "server.sock")
    with ScriptedServer(script, path=path) as server:
        ws = connect(server.url)
        ws.send("a")
        assert list(ws) == ["b"]


def test_attributes(echo: EchoServer, connect: Connect) -> None:
    ws = connect(f"{echo.url}?token=secret", subprotocols=["chat"])
    assert ws.is_open() and ws.isOpen() and ws.state is tieline.State.OPEN
    assert ws.response is not None and ws.response["status_code"] == 101
    assert "secret" not in ws.safe_url and "secret" not in repr(ws)
    assert ws.close_info is None and ws.latency is None
    assert ws.ping().wait(SOON) == ws.latency
    ws.close()
    assert not ws.is_open() and ws.state is tieline.State.CLOSED
    assert ws.connection_id == -1 and ws.close_info is not None
    assert "closed" in repr(ws)


def test_statistics(connect: Connect) -> None:
    ws = connect()
    for _ in range(3):
        ws.send("abc")
    assert ws.recv(SOON) == "abc"
    ws.ping().wait(SOON)
    stats = ws.stats()
    assert (stats.connects, stats.messages_sent, stats.messages_received) == (1, 3, 3)
    assert stats.queue_depth == 2
    ws.reset_stats()
    assert ws.stats().messages_sent == 0
    ws.close()
    assert ws.stats().dropped == 0


def test_every_way_to_send(connect: Connect) -> None:
    ws = connect(
        json_dumps=lambda value: json.dumps(value, indent=0), json_loads=lambda text: [text]
    )
    ws.send(["frag", "ments"])
    assert ws.recv(SOON) == "fragments"
    ws.send_frame("a", tieline.Opcode.TEXT, fin=False)
    ws.send_frame("b", tieline.Opcode.CONTINUATION)
    assert ws.recv(SOON) == "ab"
    ws.send(bytearray(b"x"))
    assert ws.recv(SOON) == b"x"
    ws.send_json({"a": 1})
    assert ws.recv_json(SOON) == ['{\n"a": 1\n}']
    ws.pong(b"unasked")
    with pytest.raises(tieline.OptionError, match=r"close\(code, reason\)"):
        ws.send_frame(b"", tieline.Opcode.CLOSE)
    with pytest.raises(tieline.OptionError):
        ws.send(3)


def test_text_may_be_left_undecoded(connect: Connect) -> None:
    ws = connect(decode_text=False)
    ws.send("ü")
    assert ws.recv(SOON) == "ü".encode()
    ws.send_json([1])
    assert ws.recv_json(SOON) == [1]


@pytest.mark.parametrize("timeout", [-1, "1", True, float("nan"), 1e12, [1]])
def test_timeouts_that_are_none(connect: Connect, timeout: Any) -> None:
    ws = connect()
    for call in (ws.recv, ws.recv_json):
        with pytest.raises(tieline.OptionError, match="timeout"):
            call(timeout)


def test_json_that_is_none_is_an_error_and_the_connection_goes_on(connect: Connect) -> None:
    ws = connect()
    ws.send("{")
    with pytest.raises(ValueError, match="Expecting"):
        ws.recv_json(SOON)
    ws.send("[]")
    assert ws.recv_json(SOON) == []


@pytest.mark.parametrize(
    ("code", "orderly"), [(1000, True), (1001, True), (1011, False), (4000, False), (None, False)]
)
def test_how_an_iteration_ends(connect: Connect, code: int | None, orderly: bool) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_text("a")
        if code is not None:
            peer.send_close(code)
            peer.expect_close()

    with ScriptedServer(script) as server:
        ws = connect(server.url)
        if orderly:
            assert list(ws) == ["a"]
        else:
            iterator = iter(ws)
            assert next(iterator) == "a"
            with pytest.raises(tieline.ConnectionClosed, match=str(code or 1006)):
                next(iterator)


def test_the_block_gives_the_connection(connect: Connect) -> None:
    ws = connect()
    with ws as inside:
        assert inside is ws
    assert ws.close_info is not None
    assert ws.close_info.sent == tieline.Close(1000, "") and ws.close_info.clean
    with ws:
        pass  # closed twice


def test_one_that_could_not_be_made_leaves_nothing(echo: EchoServer) -> None:
    opened, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(20):
        with pytest.raises(tieline.ConnectError):
            tieline.connect("ws://127.0.0.1:1/", proxy=None)
    assert len(os.listdir("/proc/self/fd")) == opened
    assert threading.active_count() == threads


def test_documented_names() -> None:
    """What users are promised, in any number of releases."""
    for name in (
        "send send_frame send_json recv recv_json ping pong close __iter__ __enter__ __exit__ "
        "is_open stats reset_stats connection_info url safe_url state response subprotocol "
        "close_info connection_id latency"
    ).split():
        assert hasattr(tieline.Connection, name), name


@pytest.mark.parametrize("moment", ["before it is made", "before connect() returns"])
def test_ctrl_c_in_connect_leaves_no_connection_that_nobody_holds(
    echo: EchoServer, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    ended = threading.Event()

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    class InterruptedReceiver(Receiver):
        def end(self, dial: Dial) -> None:
            raise KeyboardInterrupt

    if moment == "before it is made":
        monkeypatch.setattr(tieline.Connection, "__init__", interrupted)
    else:
        monkeypatch.setattr("tieline.sync.Receiver", InterruptedReceiver)
    with pytest.raises(KeyboardInterrupt):
        tieline.connect(echo.url, proxy=None, on_close=lambda info: ended.set())
    assert ended.wait(SOON)


def test_a_signal_handler_on_top_of_a_call_to_the_background_thread(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That thread needs the lock below, so a close would wait in vain."""
    session = connect(reactor=tieline.Reactor())._line.session
    assert session is not None
    told: list[bool] = []
    wake, me = session.reactor._wake, threading.get_ident()

    def with_signal() -> None:
        if threading.get_ident() == me:
            told.append(session.is_interrupted)
        wake()

    monkeypatch.setattr(session.reactor, "_wake", with_signal)
    session.serve_soon()
    assert told == [True] and not session.is_interrupted
