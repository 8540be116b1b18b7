"""Pings and heartbeats of an open connection, as its driver is told of them."""

from __future__ import annotations

from tests.protocol.frame_bytes import FIN, PING, PONG
from tests.protocol.pair import Side, opened
from tieline.protocol.events import HeartbeatDue, PingSent
from tieline.protocol.settings import Settings
from tieline.protocol.state import State


def with_heartbeat(role: str, ping_interval: float | None = None) -> Side:
    return opened(role, Settings(ping_interval=ping_interval, heartbeat_interval=30.0))


def test_a_heartbeat_when_it_is_due(role: str) -> None:
    side = with_heartbeat(role)
    assert side.connection.next_deadline() == 130.0
    side.on_time(129.9)
    assert side.told == []
    side.on_time(130.0)
    assert side.told == [HeartbeatDue()]
    assert side.sent() == b""  # what is sent is the driver's
    assert side.connection.next_deadline() == 160.0


def test_pings_and_heartbeats_keep_their_own_time(role: str) -> None:
    side = with_heartbeat(role, ping_interval=20.0)
    kinds: list[tuple[float, type]] = []
    while (deadline := side.connection.next_deadline()) is not None and deadline <= 180.0:
        side.told.clear()
        side.on_time(deadline)
        kinds += [(deadline, type(event)) for event in side.told]
        side.receive_frame(FIN | PONG)
    assert kinds == [
        (120.0, PingSent),
        (130.0, HeartbeatDue),
        (140.0, PingSent),
        (160.0, PingSent),
        (160.0, HeartbeatDue),
        (180.0, PingSent),
    ]


def test_no_heartbeat_of_a_connection_that_is_given_up(role: str) -> None:
    side = with_heartbeat(role, ping_interval=20.0)
    side.on_time(120.0)
    side.on_time(145.0)
    assert side.events(HeartbeatDue) == [HeartbeatDue()]
    side.on_time(165.0)
    assert side.connection.state is State.CLOSED
    assert len(side.events(HeartbeatDue)) == 1


def test_no_heartbeat_and_no_probe_while_closing(role: str) -> None:
    side = with_heartbeat(role, ping_interval=20.0)
    side.close()
    side.told.clear()
    side.sent()
    side.connection.slept(101.0, 3600.0)
    side.on_time(105.0)
    assert side.told == [] and side.sent() == b""


def test_a_sleep_sends_a_ping_at_once(side: Side) -> None:
    side.connection.slept(101.0, 3600.0)
    side.pull()
    (sent,) = side.events(PingSent)
    assert side.sent_frames() == [(FIN | PING, sent.data)]
    assert side.connection.next_deadline() == 121.0


def test_a_sleep_without_keepalive(role: str) -> None:
    side = with_heartbeat(role)
    side.connection.slept(101.0, 3600.0)
    side.pull()
    assert side.told == [] and side.sent() == b""


def test_a_peer_that_does_not_read_gets_no_more_pings(side: Side) -> None:
    """They would pile up behind what it does not take; that it takes nothing is told of."""
    side.connection.outgoing.set_congested(True)
    side.on_time(120.0)
    assert side.events(PingSent) == [] and side.sent() == b""
    side.connection.on_time(140.0, None, 65536)
    side.pull()
    assert "nor did it take any of 65536 bytes" in str(side.info.error)


def test_pings_go_on_when_it_reads_again(side: Side) -> None:
    side.connection.outgoing.set_congested(True)
    side.on_time(120.0)
    side.connection.outgoing.set_congested(False)
    side.connection.keepalive.peer_took_bytes(130.0)
    side.on_time(140.0)
    assert len(side.events(PingSent)) == 1
