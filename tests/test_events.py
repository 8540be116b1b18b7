"""on_event: every step of a connection's life, in order, with its moment and its number."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

import tieline
from tieline import events
from tieline.protocol.wire import Opcode
from tieline.testing import EchoServer, Recorder, ScriptedServer

SOON = 20.0

#: What every dial tells.
DIALLING = (
    events.ResolveEvent,
    events.ConnectingEvent,
    events.ConnectedEvent,
    events.RequestEvent,
    events.ResponseEvent,
)


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer() as server:
        yield server


def names(told: list[Any]) -> list[str]:
    return [type(event).__name__.removesuffix("Event") for event in told]


def test_a_whole_life(echo: EchoServer) -> None:
    told: list[Any] = []
    client = tieline.WebSocketClient(echo.url, proxy=None, on_event=told.append)
    before = time.monotonic()
    client.connect()
    number = client.connection_id
    client.ping(b"!").wait(SOON)
    client.disconnect(1000, "bye")
    after = time.monotonic()
    assert names(told) == [
        "Resolve",
        "Connecting",
        "Connected",
        "Request",
        "Response",
        "Open",
        "Pong",
        "Closing",
        "Closing",
        "Closed",
    ]
    assert {event.connection_id for event in told} == {number}
    times = [event.time for event in told]
    assert times == sorted(times) and before <= times[0] and times[-1] <= after
    by_name = dict(zip(names(told), told, strict=True))
    sent, received = [event for event in told if isinstance(event, events.ClosingEvent)]
    assert by_name["Open"].url == echo.url
    assert by_name["Response"].status == 101
    assert by_name["Pong"].round_trip > 0 and by_name["Pong"].data == b"!"
    assert sent.sent == received.sent == (1000, "bye")
    assert sent.received is None and received.received == (1000, "")
    assert by_name["Closed"].info is client.close_info


def test_open_comes_before_on_open_and_closed_before_on_close(echo: EchoServer) -> None:
    order: list[str] = []
    client = tieline.WebSocketClient(
        echo.url,
        proxy=None,
        on_event=lambda event: order.append(type(event).__name__),
        on_open=lambda response: order.append("on_open"),
        on_close=lambda info: order.append("on_close"),
    )
    client.connect()
    client.disconnect()
    assert order.index("OpenEvent") < order.index("on_open")
    assert order.index("ClosedEvent") < order.index("on_close")


def test_tls_and_redirects_and_refusals() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", common_name="server").configure_cert(context)

    def refuse(peer: Any) -> None:
        peer.respond(403)

    told: list[Any] = []
    with (
        ScriptedServer(refuse, ssl_context=context) as last,
        ScriptedServer(lambda peer: peer.redirect(last.url)) as first,
    ):
        client = tieline.WebSocketClient(
            first.url + "?token=hunter2",
            proxy=None,
            on_event=told.append,
            headers={"Cookie": "a=hunter2"},
            ssl_ca_data=authority.cert_pem.bytes(),
        )
        with pytest.raises(tieline.HandshakeError):
            client.connect()
    step = ["Resolve", "Connecting", "Connected", "Request", "Response"]
    with_tls = ["Resolve", "Connecting", "Connected", "TLS", "Request", "Response"]
    assert names(told) == [*step, "Redirect", *with_tls]
    assert len({event.connection_id for event in told}) == 1
    assert "hunter2" not in str(told)


def test_each_connection_has_its_number(echo: EchoServer) -> None:
    told: list[Any] = []
    client = tieline.WebSocketClient(echo.url, proxy=None, on_event=told.append)
    for _ in range(3):
        client.connect()
        client.disconnect()
    numbers = [event.connection_id for event in told if isinstance(event, events.OpenEvent)]
    assert numbers == sorted(set(numbers)) and len(numbers) == 3


def test_frame_events() -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_frame(Opcode.TEXT, "a", fin=False)
        peer.send_frame(Opcode.PING, b"?")
        peer.send_frame(Opcode.CONTINUATION, "b")
        peer.expect_frame(Opcode.PONG, b"?")
        peer.expect_text("answer")
        peer.finish(1000, "bye")

    recorder = Recorder()
    with ScriptedServer(script) as server:
        client = tieline.WebSocketClient(
            recorder.on_message,
            server.url,
            proxy=None,
            frame_events=True,
            on_event=recorder.on_event,
        )
        recorder.react("message", lambda message: message and client.send("answer"))
        client.connect()
        client.wait(SOON)
    told = [one.value for one in recorder.take() if one.kind == "event"]
    frames = [
        (names([event])[0], event.frame.opcode, event.frame.payload, event.frame.fin)
        for event in told
        if hasattr(event, "frame")
    ]
    assert [one for one in frames if one[0] == "FrameReceived"] == [
        ("FrameReceived", Opcode.TEXT, b"a", False),
        ("FrameReceived", Opcode.PING, b"?", True),
        ("FrameReceived", Opcode.CONTINUATION, b"b", True),
        ("FrameReceived", Opcode.CLOSE, b"\x03\xe8bye", True),
    ]
    assert [one for one in frames if one[0] == "FrameSent"] == [
        ("FrameSent", Opcode.PONG, b"?", True),
        ("FrameSent", Opcode.TEXT, b"answer", True),
        ("FrameSent", Opcode.CLOSE, b"\x03\xe8", True),
    ]
    assert recorder.messages[0] == "ab"


@pytest.mark.slow
def test_pings_of_the_heartbeat_and_of_the_peer() -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_frame(Opcode.PING, b"peer's")
        peer.expect_frame(Opcode.PONG, b"peer's")
        ping = peer.expect_frame(Opcode.PING)
        peer.send_frame(Opcode.PONG, ping.payload)
        peer.finish(1000)

    told: list[Any] = []
    with ScriptedServer(script) as server:
        client = tieline.WebSocketClient(
            server.url, proxy=None, on_event=told.append, ping_interval=1.0
        )
        client.connect()
        client.wait(SOON)
    pings = [event for event in told if isinstance(event, events.PingEvent)]
    assert [ping.received for ping in pings][:2] == [True, False]
    assert pings[0].data == b"peer's"
    assert any(isinstance(event, events.PongEvent) and event.round_trip for event in told)


def test_slow_sends_and_low_throughput() -> None:
    """A peer that does not read for a while, and then does."""

    import threading

    reading = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        assert reading.wait(SOON)
        peer.expect_close()
        peer.send_close(1001)

    told: list[Any] = []
    with ScriptedServer(script, receive_buffer=64 * 1024) as server:
        client = tieline.WebSocketClient(
            server.url,
            proxy=None,
            on_event=told.append,
            slow_send=0.02,
            low_throughput=1e12,
            timeout=0.05,
        )
        client.connect()
        client.send("quick")
        with pytest.raises(tieline.SendTimeout):
            for _ in range(1000):
                client.send(bytes(1 << 20))
        reading.set()
        client.disconnect()
    slow = [event for event in told if isinstance(event, events.SlowSendEvent)]
    low = [event for event in told if isinstance(event, events.LowThroughputEvent)]
    assert slow and slow[-1].size == 1 << 20 and slow[-1].seconds >= 0.05
    assert low and low[-1].size == 1 << 20 and low[-1].bytes_per_second < 1e12
    assert all(event.connection_id == told[0].connection_id for event in told)


def test_events_on_an_executor_keep_their_order(echo: EchoServer) -> None:
    from concurrent.futures import ThreadPoolExecutor

    recorder = Recorder()
    with ThreadPoolExecutor(4) as pool:
        client = tieline.WebSocketClient(
            recorder.callback, echo.url, proxy=None, executor=pool, on_event=recorder.on_event
        )
        client.connect()
        client.wait_for(lambda message: True, SOON, send="a")
        client.disconnect()
    told = [one for one in recorder.take()]
    assert [one.kind for one in told if one.kind != "event"] == ["message", "end"]
    times = [one.value.time for one in told if one.kind == "event"]
    assert times == sorted(times)
    assert recorder.overlaps == []


def hang_up(peer: Any) -> None:
    peer.accept_upgrade()
    peer.send_close(1012, "restarting")
    peer.expect_close()


def turn_away(peer: Any) -> None:
    peer.respond(401)


def test_an_outage_and_its_end() -> None:
    """ClosedEvent, then one event before each wait, then the open connection or the reason."""
    told: list[Any] = []
    with ScriptedServer(hang_up, hang_up, turn_away) as server:
        client = tieline.WebSocketClient(
            server.url + "?token=hunter2",
            proxy=None,
            on_event=told.append,
            reconnect=tieline.Reconnect(initial=0.01),
        )
        client.connect()
        client.wait(SOON)
    later = [event for event in told if type(event) not in (events.ClosingEvent, *DIALLING)]
    assert names(later) == [
        "Open",
        "Closed",
        "Reconnecting",
        "Open",
        "Closed",
        "Reconnecting",
        "GaveUp",
    ]
    first, second = [event for event in told if isinstance(event, events.ReconnectingEvent)]
    assert (first.number, second.number) == (1, 2)
    assert 0 <= first.delay <= 0.01 and "1012 (service restart)" in first.cause
    assert first.url == server.url + "?token=***"
    assert first.connection_id == later[0].connection_id != second.connection_id
    gave_up = told[-1]
    assert "401" in gave_up.reason and gave_up.attempts == 2 and gave_up.downtime > 0
    assert "hunter2" not in str(told)


def test_dropped_messages_are_told_of() -> None:
    told: list[Any] = []

    def say(attempt: tieline.ReconnectAttempt) -> None:
        client.send("too late", when_offline="drop")
        client.send("first", when_offline="queue")
        client.send("second!", when_offline="queue")

    with ScriptedServer(hang_up, turn_away) as server:
        client = tieline.WebSocketClient(
            server.url,
            proxy=None,
            on_event=told.append,
            on_reconnecting=say,
            reconnect=tieline.Reconnect(initial=0.01),
            offline_limit=(1000, 1),
            offline_overflow="drop_oldest",
        )
        client.connect()
        client.wait(SOON)
    dropped = [event for event in told if isinstance(event, events.MessageDroppedEvent)]
    assert [(event.reason, event.size) for event in dropped] == [
        ("drop", 8),
        ("overflow", 5),
        ("closed", 7),
    ]
    assert client.stats().offline_dropped == 3
