"""Keepalive by hand: when a Ping is due, and when the peer is given up."""

from __future__ import annotations

import pytest

from tieline.protocol.heartbeat import LATE, Heartbeat, HeartbeatAction

PING, GIVE_UP, NOTHING = HeartbeatAction.PING, HeartbeatAction.GIVE_UP, HeartbeatAction.NOTHING


def started(interval: float | None = 20.0, timeout: float | None = 10.0) -> Heartbeat:
    heartbeat = Heartbeat(interval, timeout)
    heartbeat.start(100.0)
    return heartbeat


def test_off() -> None:
    heartbeat = started(interval=None)
    assert heartbeat.next_deadline() is None
    assert heartbeat.on_time(1e9) is NOTHING


def test_nothing_before_it_is_due() -> None:
    heartbeat = started()
    assert heartbeat.next_deadline() == 120.0
    assert heartbeat.on_time(119.999) is NOTHING
    assert heartbeat.next_deadline() == 120.0


def test_a_ping_every_interval_while_the_peer_answers() -> None:
    heartbeat = started()
    for now in (120.0, 140.0, 160.0, 180.0):
        assert heartbeat.next_deadline() == now
        assert heartbeat.on_time(now) is PING
        heartbeat.last_received = now + 0.1


def test_silence_after_a_ping() -> None:
    heartbeat = started()
    assert heartbeat.on_time(120.0) is PING
    assert heartbeat.next_deadline() == 130.0
    assert heartbeat.on_time(129.9) is NOTHING
    assert heartbeat.on_time(130.0) is GIVE_UP
    assert heartbeat.explain(130.0) == (
        "the peer sent nothing for 30.0 s and did not answer a Ping within ping_timeout=10 s"
    )


def test_any_byte_counts_as_alive() -> None:
    """Not only a Pong, which may wait behind a large message."""
    heartbeat = started()
    assert heartbeat.on_time(120.0) is PING
    heartbeat.last_received = 129.9
    assert heartbeat.next_deadline() == 140.0
    assert heartbeat.on_time(130.0) is NOTHING
    assert heartbeat.on_time(140.0) is PING


def test_bytes_before_the_ping_do_not_answer_it() -> None:
    heartbeat = started()
    heartbeat.last_received = 119.0
    assert heartbeat.on_time(120.0) is PING
    assert heartbeat.on_time(130.0) is GIVE_UP


def test_bytes_at_the_moment_of_the_ping_are_bytes_after_it() -> None:
    """A clock may be coarse: a peer that answers within one tick is alive."""
    heartbeat = started()
    assert heartbeat.on_time(120.0) is PING
    heartbeat.last_received = 120.0
    assert heartbeat.next_deadline() == 140.0


def test_without_a_timeout_the_peer_is_never_given_up() -> None:
    heartbeat = started(timeout=None)
    for now in (120.0, 140.0, 160.0, 1000.0):
        assert heartbeat.on_time(now) is PING


def test_a_timeout_as_long_as_the_interval() -> None:
    heartbeat = started(interval=20.0, timeout=20.0)
    assert heartbeat.on_time(120.0) is PING
    assert heartbeat.on_time(140.0) is GIVE_UP


def test_a_timeout_longer_than_the_interval() -> None:
    """Pings go on, and the silence counts from the first that nothing followed."""
    heartbeat = started(interval=5.0, timeout=12.0)
    assert heartbeat.on_time(105.0) is PING
    assert heartbeat.next_deadline() == 110.0
    assert heartbeat.on_time(110.0) is PING
    assert heartbeat.on_time(115.0) is PING
    assert heartbeat.next_deadline() == 117.0
    assert heartbeat.on_time(117.0) is GIVE_UP


@pytest.mark.parametrize(("interval", "timeout"), [(20.0, 10.0), (5.0, 12.0), (20.0, 20.0)])
def test_received_bytes_only_ever_move_the_deadline_later(interval: float, timeout: float) -> None:
    """A driver may leave its timer where it is."""
    heartbeat = started(interval, timeout)
    now = 100.0
    for step in range(200):
        before = heartbeat.next_deadline()
        assert before is not None
        now += 1.0
        if step % 7 == 3:
            heartbeat.last_received = now
            after = heartbeat.next_deadline()
            assert after is not None
            assert after >= before
        if heartbeat.on_time(now) is GIVE_UP:
            heartbeat = started(interval, timeout)
            heartbeat.start(now)


def test_a_late_timer_asks_once_more() -> None:
    """The machine slept: the answer may be waiting unread, so the silence proves nothing."""
    heartbeat = started()
    assert heartbeat.on_time(120.0) is PING
    assert heartbeat.on_time(130.0 + LATE + 0.1) is PING
    assert heartbeat.next_deadline() == 130.0 + LATE + 0.1 + 10.0
    assert heartbeat.on_time(145.0) is GIVE_UP
    assert heartbeat.explain(145.0).endswith(
        "ping_timeout=10 s; this program was held up for more than a second, "
        "and a second Ping went unanswered too"
    )


def test_there_is_one_grace_not_two() -> None:
    heartbeat = started()
    assert heartbeat.on_time(120.0) is PING
    assert heartbeat.on_time(1000.0) is PING
    assert heartbeat.on_time(2000.0) is GIVE_UP


def test_a_grace_that_was_answered_is_given_again() -> None:
    heartbeat = started()
    assert heartbeat.on_time(120.0) is PING
    assert heartbeat.on_time(1000.0) is PING
    heartbeat.last_received = 1000.5
    assert heartbeat.on_time(1020.0) is PING
    assert heartbeat.on_time(2000.0) is PING
    assert heartbeat.on_time(2010.0) is GIVE_UP


def test_a_little_late_is_not_held_up() -> None:
    heartbeat = started()
    assert heartbeat.on_time(120.0) is PING
    assert heartbeat.on_time(130.0 + LATE) is GIVE_UP


def test_a_ping_that_goes_out_late() -> None:
    heartbeat = started()
    assert heartbeat.on_time(500.0) is PING
    assert heartbeat.next_deadline() == 510.0
