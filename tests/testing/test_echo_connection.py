"""One client of the echo server, used from the hooks and from other threads."""

from __future__ import annotations

import threading

import pytest

from tieline import ConnectionClosed, OptionError, SendBufferFull, WebSocketClient
from tieline.testing import EchoServer, Recorder


@pytest.fixture
def connected():
    with EchoServer(write_limit=100_000) as server:
        recorder = Recorder()
        client = WebSocketClient(server.url, **recorder.handlers("message", "close"))
        client.connect()
        (connection,) = server.connections
        yield connection, client, recorder
        client.disconnect()


def test_any_thread_may_send(connected):
    connection, _, recorder = connected
    threads = [
        threading.Thread(target=lambda n=n: [connection.send(f"{n}:{i}") for i in range(50)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    received = [recorder.wait_for("message") for _ in range(200)]
    for thread in threads:
        thread.join(5)
    for n in range(4):
        assert [m for m in received if m.startswith(f"{n}:")] == [f"{n}:{i}" for i in range(50)]


def test_any_thread_may_close(connected):
    connection, client, _ = connected
    connection.close(4001, "enough")
    info = client.wait(5)
    assert (info.code, info.reason, info.clean) == (4001, "enough", True)


def test_abort_is_without_a_close_frame(connected):
    connection, client, _ = connected
    connection.abort()
    info = client.wait(5)
    assert (info.code, info.clean) == (1006, False)


def test_what_cannot_be_sent_is_refused(connected):
    connection, _, _ = connected
    with pytest.raises(OptionError, match="expected str or bytes, got int"):
        connection.send(5)
    with pytest.raises(OptionError, match="1005"):
        connection.close(1005)
    assert connection.is_open


def test_nothing_can_be_sent_after_the_end(connected):
    connection, client, _ = connected
    connection.close()
    client.wait(5)
    with pytest.raises(ConnectionClosed):
        connection.send("x")
    assert connection.close_info.code == 1000
    connection.close()


def test_what_waits_for_a_client_is_bounded():
    blocked = threading.Event()
    with EchoServer(write_limit=100_000) as server:
        client = WebSocketClient(lambda message: blocked.wait(10), server.url)
        client.connect()
        (connection,) = server.connections
        try:
            with pytest.raises(SendBufferFull, match="write_limit=100000"):
                for _ in range(2_000):
                    connection.send(bytes(50_000))
        finally:
            blocked.set()
        client.disconnect()


def test_what_is_known_of_a_client(connected):
    connection, client, _ = connected
    assert connection.peer == tuple(client.connection_info()["local"])
    assert connection.request.headers["upgrade"] == "websocket"
    assert connection.subprotocol is None
    assert "open" in repr(connection)
