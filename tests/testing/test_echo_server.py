"""The echo server echoes, keeps its bounds, and is gone quickly."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
import trustme
from websockets.sync.client import connect as peer_connect

from tests.unmeasured import unmeasured
from tieline import CloseCode, Deflate, OptionError, WebSocketClient
from tieline.testing import EchoServer, Recorder, frame_bytes

#: Seconds within which the server is gone, on a busy machine. It takes leave for 0.2 s; a client
#: that is waited for gets 10 s.
AT_ONCE = 8.0

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def client_of(server, recorder, **options):
    return WebSocketClient(server.url, **recorder.handlers("message", "close"), **options)


def wait_until(condition):
    """Poll what has no event to wait for, for 5 seconds at most."""
    deadline, pause = time.monotonic() + 5, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.002)


def raw_client(server, extra=b""):
    """A socket with an open connection, upgraded by hand."""
    raw = socket.create_connection(("127.0.0.1", server.port), 5)
    raw.sendall(REQUEST + extra + b"\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        piece = raw.recv(65536)
        assert piece, head
        head += piece
    return raw, head.partition(b"\r\n\r\n")


def masked(opcode, payload=b"", **parts):
    return frame_bytes(opcode, payload, mask_key=b"abcd", **parts)


def read_to_end(raw):
    received = b""
    while piece := raw.recv(65536):
        received += piece
    return received


def test_text_comes_back_as_text_and_binary_as_binary():
    with EchoServer() as server, Recorder() as recorder:
        with client_of(server, recorder) as client:
            for message in ("", "héllo", b"", b"\0\xff", "x" * 70_000, b"y" * 300_000):
                client.send(message)
                assert recorder.wait_for("message") == message
            assert client.ping(b"1").wait(5) < 5
        assert recorder.expect("close", timeout=5).code == 1000


def test_another_client_is_served_too():
    with EchoServer(subprotocols=["chat"]) as server:
        with peer_connect(
            server.url, subprotocols=["superchat", "chat"], compression=None, proxy=None
        ) as peer:
            assert peer.subprotocol == "chat"
            peer.send(["frag", "mented"])
            assert peer.recv(20) == "fragmented"
            assert peer.ping().wait(5)


@pytest.mark.parametrize(
    ("compression", "answered"),
    [
        ("deflate", "permessage-deflate; client_max_window_bits=12"),
        (
            Deflate(server_context_takeover=False, client_max_window_bits=15),
            "permessage-deflate; server_no_context_takeover",
        ),
        (None, None),
    ],
    ids=["deflate", "Deflate", "None"],
)
def test_compression_that_a_client_offers(compression, answered):
    with EchoServer(compression=compression) as server:
        with peer_connect(server.url, compression="deflate", proxy=None) as peer:
            assert peer.response.headers.get("Sec-WebSocket-Extensions") == answered
            for message in ("short", "x" * 1000, b"y" * 100_000, "x" * 1000):
                peer.send(message)
                assert peer.recv(20) == message


def test_compression_is_what_the_option_is():
    with pytest.raises(OptionError, match="'compression': expected 'deflate'"):
        EchoServer(compression=True)


def test_tls():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with EchoServer(ssl_context=context) as server, Recorder() as recorder:
        assert server.url.startswith("wss://")
        ca = authority.cert_pem.bytes().decode()
        with client_of(server, recorder, ssl_ca_data=ca) as client:
            for message in ("small", b"z" * 1_000_000):
                client.send(message)
                assert recorder.wait_for("message") == message
        assert recorder.expect("close", timeout=5).clean


def test_a_client_that_does_not_speak_tls_hurts_nobody():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with EchoServer(ssl_context=context) as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
            raw.sendall(REQUEST + b"\r\n")
            with suppress(ConnectionResetError):  # an alert, and then whatever
                read_to_end(raw)
        with Recorder() as recorder:
            ca = authority.cert_pem.bytes().decode()
            with client_of(server, recorder, ssl_ca_data=ca) as client:
                client.send("x")
                assert recorder.wait_for("message") == "x"
            recorder.wait_for("close")


def test_hooks_greet_answer_and_close():
    closed = []

    def on_message(connection, message):
        if message == "close":
            connection.close(1001, "as you wish")
            return None
        return None if message == "quiet" else f"you said {message}"

    with EchoServer(
        on_open=lambda connection: connection.send(f"hello {connection.request.target}"),
        on_message=on_message,
        on_close=lambda connection, info: closed.append(info.code),
    ) as server:
        with Recorder() as recorder:
            client = client_of(server, recorder)
            client.connect()
            assert recorder.wait_for("message") == "hello /"
            client.send("quiet")
            client.send("hi")
            assert recorder.wait_for("message") == "you said hi"
            client.send("close")
            info = client.wait(20)
            assert (info.code, info.reason, info.initiator) == (1001, "as you wish", "remote")
            recorder.take()
    assert closed == [1001]


def test_after_a_close_from_a_hook_nothing_more_is_answered():
    def on_message(connection, message):
        connection.close(4000)
        return "too late"

    with EchoServer(on_message=on_message) as server:
        raw, (_, _, early) = raw_client(server)
        with raw:
            raw.sendall(masked(1, b"a") + masked(1, b"b"))
            received = b""
            while len(received) < 4:
                received += raw.recv(100)
            assert received == frame_bytes(8, b"\x0f\xa0")
            raw.sendall(masked(8, b"\x0f\xa0"))
            assert read_to_end(raw) == b""


@pytest.mark.parametrize("hook", ["on_open", "on_message"])
def test_a_hook_that_raises_ends_its_connection_only(hook, caplog):
    def broken(*arguments):
        raise KeyError("oops")

    with EchoServer(**{hook: broken}) as server:
        with Recorder() as recorder:
            client = client_of(server, recorder)
            client.connect()
            if hook == "on_message":
                client.send("x")
            assert client.wait(20).code == CloseCode.INTERNAL_ERROR
            recorder.take()
        assert "oops" in caplog.text
        # The server goes on.
        with socket.create_connection(("127.0.0.1", server.port), 5):
            pass


def test_a_hook_that_returns_nonsense_ends_its_connection():
    with EchoServer(on_message=lambda connection, message: 5) as server:
        client = WebSocketClient(lambda message: None, server.url)
        client.connect()
        client.send("x")
        info = client.wait(20)
        assert info.code == 1011 and "int" in info.reason


def test_connections_and_close_connections():
    with EchoServer() as server, Recorder() as recorder:
        clients = [client_of(server, recorder) for _ in range(3)]
        assert server.connections == []
        for client in clients:
            client.connect()
        assert len(server.connections) == 3
        assert {connection.peer for connection in server.connections} == {
            tuple(client.connection_info()["local"]) for client in clients
        }
        server.close_connections(1012, "restart")
        assert [client.wait(20).code for client in clients] == [1012] * 3
        wait_until(lambda: not server.connections)
        clients[0].connect()
        clients[0].disconnect()
        recorder.take()


def test_close_says_1001_and_is_quick():
    with EchoServer() as server, Recorder() as recorder:
        client = client_of(server, recorder)
        client.connect()
        started = time.monotonic()
        server.close()
        server.close()
        assert time.monotonic() - started < AT_ONCE
        assert client.wait(20).code == 1001
        recorder.take()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), 5)
    assert "closed" in repr(server)


@pytest.mark.parametrize("upgraded", [False, True])
def test_close_does_not_wait_for_a_client_that_is_silent(upgraded):
    server = EchoServer()
    if upgraded:
        raw, _ = raw_client(server)
    else:
        raw = socket.create_connection(("127.0.0.1", server.port), 5)
    with raw:
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < AT_ONCE


def test_close_from_a_hook():
    server = EchoServer(on_message=lambda connection, message: server.close())
    client = WebSocketClient(lambda message: None, server.url)
    client.connect()
    client.send("x")
    assert client.wait(20).code == 1001
    assert server.wait(20)
    server.close()


def test_close_tells_of_a_hook_that_hangs(monkeypatch):
    monkeypatch.setattr("tieline.testing.echo_server._HOOK_LIMIT", 0.05)
    leave = threading.Event()
    server = EchoServer(on_message=lambda connection, message: leave.wait(5))
    client = WebSocketClient(lambda message: None, server.url)
    client.connect()
    client.send("x")
    wait_until(lambda: client.stats().messages_sent == 1)
    # Only once the hook is running: until then the server could still stop.
    try:
        wait_until(lambda: _is_in_hook(server))
        with pytest.raises(RuntimeError, match="has not returned"):
            server.close()
    finally:
        leave.set()
    assert server.wait(20)
    server.close()
    client.wait(20)


def _is_in_hook(server):
    done = threading.Event()
    connections = server.connections
    if not connections:
        return False
    server._reactor.call_soon(connections[0], done.set)
    return not done.wait(0.05)


def test_wait_is_bounded():
    with EchoServer() as server:
        assert not server.wait(0.001)
    assert server.wait(0.001)


def test_a_full_server_leaves_clients_in_the_queue():
    with EchoServer(max_connections=1) as server:
        first, _ = raw_client(server)
        with socket.create_connection(("127.0.0.1", server.port), 5) as second:
            second.sendall(REQUEST + b"\r\n")
            second.settimeout(0.05)
            with pytest.raises(TimeoutError):
                second.recv(1)
            first.close()
            second.settimeout(5)
            assert second.recv(12) == b"HTTP/1.1 101"


def test_who_never_asks_is_let_go():
    with EchoServer(handshake_timeout=0.02) as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
            assert read_to_end(raw) == b""


def test_a_dead_client_is_found_by_pings():
    with EchoServer(ping_interval=0.02, ping_timeout=0.02) as server:
        raw, _ = raw_client(server)
        with raw:
            received = read_to_end(raw)
        assert received[:2] == b"\x89\x04"
        assert b"keepalive" in received
        wait_until(lambda: not server.connections)


def test_a_client_that_does_not_read_is_not_read():
    limit = 64 * 1024
    with EchoServer(write_limit=limit) as server:
        raw, _ = raw_client(server)
        with raw:
            raw.setblocking(False)
            frame = masked(2, bytes(60_000))
            sent = blocked = 0
            pause = threading.Event()
            while blocked < 20 and sent < 400_000_000:
                try:
                    sent += raw.send(frame[sent % len(frame) :])
                    blocked = 0
                except BlockingIOError:
                    blocked += 1
                    pause.wait(0.005)
            assert blocked == 20
            (connection,) = server.connections
            assert connection._outbox.unwritten < limit + 512 * 1024
            # Once it reads, everything comes.
            raw.settimeout(5)
            answer = frame_bytes(2, bytes(60_000))
            wanted = sent // len(frame) * len(answer)
            received = 0
            while received < wanted:
                received += len(raw.recv(1 << 20))


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_bytes_may_come_in_any_pieces(step):
    data = REQUEST + b"\r\n" + masked(1, b"Hel", fin=False) + masked(9, b"p") + masked(0, b"lo")
    data += masked(8, b"\x03\xe8")
    with EchoServer() as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, len(data), step):
                raw.sendall(data[start : start + step])
            received = read_to_end(raw)
    expected = frame_bytes(10, b"p") + frame_bytes(1, b"Hello") + frame_bytes(8, b"\x03\xe8")
    assert received.partition(b"\r\n\r\n")[2] == expected


def test_what_is_no_upgrade_is_answered():
    with EchoServer() as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = read_to_end(raw)
        assert answer.startswith(b"HTTP/1.1 426 ")


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01 tls", b"SSH-2.0-x\r\n", b"\0" * 200_000])
def test_garbage_is_let_go(garbage):
    with EchoServer() as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
            try:
                raw.sendall(garbage + b"\r\n\r\n")
                read_to_end(raw)
            except ConnectionError:
                pass  # it need not read all of it
        wait_until(lambda: not server._reactor.registrants()[1:])


def test_a_broken_rule_is_answered_with_its_code():
    with EchoServer() as server:
        raw, _ = raw_client(server)
        with raw:
            raw.sendall(masked(1, b"before") + frame_bytes(1, b"unmasked"))
            raw.shutdown(socket.SHUT_WR)
            received = read_to_end(raw)
    assert received.startswith(frame_bytes(1, b"before") + b"\x88")
    assert b"\x03\xea" in received


def test_a_port_in_use_is_an_error_that_leaks_nothing():
    with EchoServer() as server:
        with pytest.raises(OSError):
            EchoServer(port=server.port)


def test_no_descriptor_left_is_survived(monkeypatch, caplog):
    from tieline.testing import echo_server

    monkeypatch.setattr(echo_server, "_ACCEPT_PAUSE", 0.01)
    with EchoServer() as server:
        listener = server._acceptor._listener

        class Refusing:
            left = 3

            def accept(self):
                self.left -= 1
                if self.left >= 0:
                    raise OSError(24, "Too many open files")
                return listener.accept()

            def __getattr__(self, name):
                return getattr(listener, name)

        server._acceptor._listener = Refusing()
        raw, _ = raw_client(server)
        raw.close()
    assert caplog.text.count("Too many open files") == 3


def test_forty_rounds_leave_nothing():
    before = threading.active_count()
    for _ in range(40):
        with EchoServer() as server:
            raw, _ = raw_client(server)
            raw.close()
    assert threading.active_count() == before


def test_tls_with_a_client_that_is_slow_to_read():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    client_context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    frame, answer = masked(2, bytes(50_000)), frame_bytes(2, bytes(50_000))
    rounds = 200
    with EchoServer(ssl_context=context, write_limit=10_000) as server:
        with (
            socket.create_connection(("127.0.0.1", server.port), 5) as plain,
            client_context.wrap_socket(plain, server_hostname="127.0.0.1") as raw,
        ):
            raw.sendall(REQUEST + b"\r\n")
            while not raw.recv(65536).endswith(b"\r\n\r\n"):
                pass
            unsent = memoryview(frame * rounds)
            received = 0
            raw.setblocking(False)
            # All that the server takes goes out first; only then is a little read.
            while received < rounds * len(answer):
                with suppress(ssl.SSLWantWriteError):
                    while unsent:
                        unsent = unsent[raw.send(unsent) :]
                raw.settimeout(5)
                received += len(raw.recv(100_000))
                raw.setblocking(False)


FORKING = """
import os, sys, time, tieline
from tieline.testing import EchoServer
received = []
with EchoServer() as server:
    client = tieline.WebSocketClient(received.append, server.url)
    client.connect()
    child = os.fork()
    if child == 0:
        started = time.monotonic()
        server.close()
        os._exit(0 if time.monotonic() - started < 8 and server.connections == [] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.wait_for(lambda message: message == "x", 15, send="x") == "x"
    client.disconnect()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() here")
def test_a_forked_child_leaves_the_parent_s_server_alone():
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING],
        env=unmeasured(),
        capture_output=True,
        timeout=20,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
