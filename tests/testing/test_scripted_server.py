"""Scripts are played in order, bounded in time, and what goes wrong in them is told."""

from __future__ import annotations

import socket
import ssl
import threading
import time

import pytest
import trustme

from tieline import HandshakeError, WebSocketClient
from tieline.testing import Recorder, ScriptedServer

#: Seconds within which a server is gone that waits for nothing, on a busy machine.
AT_ONCE = 8.0


def dial(server):
    return socket.create_connection(("127.0.0.1", server.port), 5)


def client_of(server, recorder, **options):
    return WebSocketClient(server.url, **recorder.handlers("message", "close"), **options)


def test_one_script_for_each_connection():
    def first(peer):
        peer.accept_upgrade()
        peer.send_text("first")
        peer.finish()

    def second(peer):
        peer.respond(503, "Busy", body="later")

    with ScriptedServer(first, second) as server, Recorder() as recorder:
        client = client_of(server, recorder)
        client.connect()
        recorder.expect("message", "first", timeout=5)
        assert recorder.expect("close", timeout=5).code == 1000
        with pytest.raises(HandshakeError) as refused:
            client.connect()
        assert refused.value.response.status == 503
        assert refused.value.response.body == b"later"
        server.wait()
        assert len(server.peers) == 2


def test_the_last_script_may_be_repeated():
    with ScriptedServer(lambda peer: peer.send_raw(b"hi"), repeat=True) as server:
        for _ in range(3):
            with dial(server) as raw:
                assert raw.recv(2) == b"hi"
        assert len(server.peers) == 3


def test_a_connection_without_a_script_is_an_error():
    with pytest.raises(AssertionError, match="expected 1 connections"):
        with ScriptedServer(lambda peer: peer.expect_end()) as server:
            dial(server).close()
            with dial(server) as second:
                assert second.recv(1) == b""


def test_no_script_at_all_is_refused():
    with pytest.raises(ValueError, match="at least one script"):
        ScriptedServer()


def fail(peer):
    raise KeyError("in the script")


def test_a_script_s_error_is_raised_at_the_end():
    with pytest.raises(KeyError, match="in the script"):
        with ScriptedServer(fail) as server:
            dial(server).close()
            server.wait()


def test_several_errors_are_raised_together():
    server = ScriptedServer(fail, fail)
    for _ in range(2):
        dial(server).close()
    server.wait()
    with pytest.raises(ExceptionGroup) as caught:
        server.close()
    assert len(caught.value.exceptions) == 2
    server.close()


def test_errors_can_be_looked_at_instead():
    server = ScriptedServer(fail)
    dial(server).close()
    server.wait()
    server.close(check=False)
    assert [type(error) for error in server.errors] == [KeyError]


def test_the_test_s_own_error_comes_first():
    with pytest.raises(ZeroDivisionError) as caught:
        with ScriptedServer(fail) as server:
            dial(server).close()
            server.wait()
            _ = 1 / 0
    assert "in the script" in caught.value.__notes__[0]


def test_scripts_run_side_by_side():
    both = threading.Barrier(2, timeout=5)
    with ScriptedServer(lambda peer: both.wait(), repeat=True) as server:
        with dial(server), dial(server):
            server.wait()


def test_close_ends_a_script_that_holds_or_drips():
    started = time.monotonic()
    with ScriptedServer(
        lambda peer: peer.hold(),
        lambda peer: peer.drip(b"x" * 1000, 60),
        lambda peer: peer.pause(60),
    ) as server:
        clients = [dial(server) for _ in range(3)]
        assert clients[1].recv(1) == b"x"
    assert time.monotonic() - started < AT_ONCE
    for raw in clients:
        raw.close()


def test_close_waits_for_a_script_that_is_about_to_end():
    with ScriptedServer(lambda peer: peer.expect_text("late")) as server:
        raw = dial(server)
        closing = threading.Timer(0.05, lambda: raw.sendall(b"\x81\x84\0\0\0\0late"))
        closing.start()
        server.close()
        closing.join()
        raw.close()


def test_close_tells_of_a_script_that_waits_in_vain(monkeypatch):
    monkeypatch.setattr("tieline.testing.scripted_server._GRACE", 0.02)
    with dial(server := ScriptedServer(lambda peer: peer.receive_frame())):
        # Until the script waits, close() would find none.
        while not server.peers:
            pass
        with pytest.raises(AssertionError, match="server was closed before it came"):
            server.close()


def test_wait_is_bounded():
    with ScriptedServer(lambda peer: None) as server:
        with pytest.raises(TimeoutError, match="0 of 1 scripts have ended"):
            server.wait(0.001)


def test_tls():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def script(peer):
        peer.accept_upgrade()
        peer.send_text("secret")
        peer.expect_close(1001)

    with ScriptedServer(script, ssl_context=context) as server, Recorder() as recorder:
        client = client_of(server, recorder, ssl_ca_data=authority.cert_pem.bytes().decode())
        client.connect()
        assert recorder.wait_for("message") == "secret"
        client.disconnect(timeout=0.2)
        recorder.wait_for("close")


def test_unix_socket(tmp_path):
    def script(peer):
        peer.accept_upgrade()
        peer.expect_close(1000)

    with ScriptedServer(script, path=str(tmp_path / "s")) as server, Recorder() as recorder:
        assert server.port == 0
        client = client_of(server, recorder, close_timeout=0.2)
        client.connect()
        client.disconnect(1000)
        recorder.wait_for("close")


def test_a_small_receive_buffer_fills_quickly():
    with ScriptedServer(lambda peer: peer.hold(), receive_buffer=4096) as server:
        with dial(server) as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            raw.settimeout(0.05)
            with pytest.raises(TimeoutError):
                for _ in range(100):
                    raw.sendall(bytes(10_000))


def test_forty_rounds_leave_nothing():
    before = threading.active_count()
    for _ in range(40):
        with ScriptedServer(lambda peer: peer.expect_end()) as server:
            dial(server).close()
            server.wait()
    assert threading.active_count() == before


def test_close_does_not_wait_for_a_client_that_stays():
    with ScriptedServer(lambda peer: peer.send_raw(b"done")) as server:
        raw = dial(server)
        assert raw.recv(4) == b"done"
        started = time.monotonic()
    assert time.monotonic() - started < AT_ONCE
    raw.close()
