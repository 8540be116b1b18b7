"""RFC 6455 section 5.5.3: which Pings a Pong answers."""

from __future__ import annotations

from tieline.protocol.events import AnsweredPing
from tieline.protocol.pings import MAX_UNCLAIMED, PingLog


def test_a_pong_answers_its_ping() -> None:
    log = PingLog()
    log.sent(b"a", 100.0, "token")
    assert log.answered(b"a", 100.5) == (AnsweredPing("token", 0.5),)
    assert log.answered(b"a", 101.0) == ()


def test_a_pong_nobody_asked_for_answers_nothing() -> None:
    log = PingLog()
    assert log.answered(b"", 100.0) == ()
    log.sent(b"a", 100.0, "token")
    assert log.answered(b"b", 100.5) == ()
    assert log.answered(b"a", 101.0) == (AnsweredPing("token", 1.0),)


def test_a_pong_for_the_most_recent_answers_those_before_it() -> None:
    log = PingLog()
    for place, data in enumerate([b"a", b"b", b"c"]):
        log.sent(data, 100.0 + place, data)
    assert log.answered(b"b", 110.0) == (AnsweredPing(b"a", 10.0), AnsweredPing(b"b", 9.0))
    assert log.answered(b"c", 110.0) == (AnsweredPing(b"c", 8.0),)


def test_equal_pings_are_answered_oldest_first() -> None:
    log = PingLog()
    log.sent(b"", 100.0, 1)
    log.sent(b"", 101.0, 2)
    assert log.answered(b"", 102.0) == (AnsweredPing(1, 2.0),)
    assert log.answered(b"", 102.0) == (AnsweredPing(2, 1.0),)


def test_pings_without_a_token_do_not_pile_up() -> None:
    """The heartbeat's Pings to a peer that is alive but never sends a Pong."""
    log = PingLog()
    log.sent(b"user", 0.0, "token")
    for number in range(10 * MAX_UNCLAIMED):
        log.sent(b"%d" % number, float(number), None)
    assert log.count == 10 * MAX_UNCLAIMED + 1
    newest = b"%d" % (10 * MAX_UNCLAIMED - 1)
    answered = log.answered(newest, 1000.0)
    assert len(answered) == MAX_UNCLAIMED + 1
    # Those that somebody waits for are never dropped.
    assert answered[0] == AnsweredPing("token", 1000.0)
