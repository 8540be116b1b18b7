"""Slow, dead and broken servers → nothing waits longer than its option says."""

from __future__ import annotations

import ssl
import threading
from typing import Any

import pytest

import tieline
from tieline.protocol.wire import Opcode
from tieline.testing import Recorder

SOON = 20.0

#: Seconds within which something happens that is bounded by much less, on a busy machine; the
#: bound that it would have by default is 10 s or more.
AT_ONCE = 8.0


@pytest.mark.slow
def test_a_byte_at_a_time_during_the_handshake(scripted: Any, clients: Any, within: Any) -> None:
    """Each byte comes in time, all of them do not."""
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"

    def script(peer: Any) -> None:
        peer.read_request()
        peer.drip(answer * 100, 0.02)

    server = scripted(script)
    client = clients(print, server.url, connect_timeout=1.0)
    info: dict[str, Any] = {}
    with (
        within(AT_ONCE),
        pytest.raises(tieline.ConnectTimeout, match="connect_timeout of 1 s") as error,
    ):
        client.connect(None, info)
    assert error.value.phase == "upgrade"
    assert info["timings"]["total"] >= 1.0
    assert not client.is_open()
    server.close(check=False)  # the script's write fails when the client hangs up


@pytest.mark.slow
def test_silence_during_the_tls_handshake(scripted: Any, clients: Any, within: Any) -> None:
    def script(peer: Any) -> None:
        peer.hold()

    url = scripted(script).url.replace("ws:", "wss:")
    client = clients(print, url, connect_timeout=1.0)
    with within(AT_ONCE), pytest.raises(tieline.ConnectTimeout) as error:
        client.connect()
    assert error.value.phase == "tls"


@pytest.mark.slow
def test_a_host_that_does_not_answer(clients: Any, within: Any, unanswering_port: int) -> None:
    client = clients(print, f"ws://127.0.0.1:{unanswering_port}/")
    with within(AT_ONCE), pytest.raises(tieline.ConnectTimeout) as error:
        client.connect(timeout=1.0)
    assert error.value.phase == "tcp"


def test_a_close_that_is_not_answered(
    scripted: Any, clients: Any, within: Any, secure_or_not: Any, place_of: Any, recorder: Recorder
) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        peer.hold()

    server = scripted(script, **secure_or_not)
    client = place_of(server).client(
        recorder.callback, close_timeout=0.15, **recorder.handlers("close", "error")
    )
    client.connect()
    with within(AT_ONCE):
        client.disconnect()
    info = client.close_info
    assert (info.code, info.clean, info.initiator) == (1006, False, "local")
    assert info.sent.code == 1001 and info.received is None
    assert "close_timeout=0.15" in str(info.error)
    assert recorder.expect("error") is info.error
    recorder.expect("close", info)
    recorder.expect("end")
    recorder.assert_exhausted()


def test_the_timeout_of_disconnect(scripted: Any, clients: Any, within: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    client = clients(lambda message: None, scripted(script).url)
    client.connect()
    with within(AT_ONCE):
        client.disconnect(timeout=0.05)
    assert client.close_info.sent.code == 1001
    assert not client.close_info.clean
    # As when `close_timeout` runs out.
    assert isinstance(client.close_info.error, TimeoutError)
    assert "within 0.05 s" in str(client.close_info.error)


def test_a_close_that_is_answered_while_messages_go_on(
    scripted: Any, clients: Any, recorder: Recorder
) -> None:
    """What the peer sent before its Close is delivered, although ours went out before."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1000)
        for number in range(100):
            peer.send_text(str(number))
        peer.send_close(1000)

    client = clients(recorder.callback, scripted(script).url)
    client.connect()
    client.disconnect(1000)
    assert recorder.messages == [str(number) for number in range(100)]
    assert client.close_info.clean


def test_a_peer_that_only_ends_its_side(scripted: Any, clients: Any, recorder: Recorder) -> None:
    """Half-open: bytes could still go to the peer, but no answer would ever come."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_text("a")
        peer.half_close()
        peer.expect_end()

    client = clients(recorder.callback, scripted(script).url, **recorder.handlers("close", "error"))
    client.connect()
    info = client.wait(SOON)
    assert (info.code, info.clean, info.initiator) == (1006, False, "none")
    assert isinstance(info.error, EOFError)
    assert [record.kind for record in recorder.take()] == ["message", "error", "close", "end"]


def cut_frame(peer: Any) -> None:
    peer.send_raw(b"\x82\x7e\x10\x00" + b"x" * 100)


def cut_message(peer: Any) -> None:
    peer.send_frame(Opcode.TEXT, "a", fin=False)
    peer.send_frame(Opcode.CONTINUATION, "b", fin=False)


@pytest.mark.parametrize("begin", [cut_frame, cut_message])
@pytest.mark.parametrize("end", ["close", "reset"])
def test_the_line_breaks_in_the_middle(
    scripted: Any, clients: Any, recorder: Recorder, begin: Any, end: str
) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_text("whole")
        peer.expect_text("got it")
        begin(peer)
        getattr(peer, end)()

    client = clients(recorder.callback, scripted(script).url, **recorder.handlers("close", "error"))
    recorder.react("message", lambda message: client.send("got it"))
    client.connect()
    info = client.wait(SOON)
    assert info.code == 1006 and not info.clean
    assert isinstance(info.error, EOFError if end == "close" else ConnectionResetError)
    assert [record.kind for record in recorder.take()] == ["message", "error", "close", "end"]
    with pytest.raises(tieline.ConnectionClosed) as error:
        client.send("a")
    assert error.value.close_info is info


def test_frames_that_come_with_the_101(
    scripted: Any, clients: Any, recorder: Recorder, secure_or_not: Any, place_of: Any
) -> None:
    """More of them than the opening reads at once, and nothing behind them to wake anybody up."""
    from tieline.testing.frames import frame_bytes

    count = 300
    frames = b"".join(frame_bytes(Opcode.TEXT, f"{number:01000}") for number in range(count))
    all_came = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade(then=frames)
        peer.expect_close()
        peer.send_close(1001)

    client = place_of(scripted(script, **secure_or_not)).client(recorder.callback)
    recorder.react("message", lambda message: int(message) == count - 1 and all_came.set())
    client.connect()
    assert all_came.wait(SOON), f"only {len(recorder.messages)} of {count} came"
    assert [int(message) for message in recorder.messages] == list(range(count))
    client.disconnect()


def test_a_tls_peer_that_hangs_up_without_a_word(
    scripted: Any, server_context: ssl.SSLContext, place_of: Any, recorder: Recorder
) -> None:
    import socket

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_text("a")
        socket.socket.shutdown(peer.socket, socket.SHUT_RDWR)

    client = place_of(scripted(script, ssl_context=server_context)).client(recorder.callback)
    client.connect()
    assert client.wait(SOON).code == 1006
    assert recorder.messages == ["a"]
