"""Keepalive by hand: when a Ping is due, and when the peer is given up."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tieline.protocol.keepalive import (
    LATE,
    MAX_EXCUSES,
    TRANSITIONS,
    Condition,
    Keepalive,
    KeepaliveAction,
    Sign,
    diagram,
)

PING, GIVE_UP, NOTHING = KeepaliveAction.PING, KeepaliveAction.GIVE_UP, KeepaliveAction.NOTHING


class Started:
    """A keepalive that was started at 100.0, whose owner has read all that came."""

    def __init__(self, interval: float | None = 20.0, timeout: float | None = 10.0) -> None:
        self.keepalive = Keepalive(interval, timeout)
        self.keepalive.start(100.0)

    def on_time(self, now: float) -> KeepaliveAction:
        return self.keepalive.on_time(now, now)

    def hear(self, now: float) -> None:
        self.keepalive.heard(now)

    def slept(self, now: float, seconds: float) -> KeepaliveAction:
        return self.keepalive.slept(now, seconds)

    @property
    def deadline(self) -> float | None:
        return self.keepalive.next_deadline()

    @property
    def condition(self) -> Condition:
        return self.keepalive.condition


@pytest.fixture
def line() -> Started:
    return Started()


# --- the table -------------------------------------------------------------------------------


def test_nothing_follows_giving_up() -> None:
    assert not [before for before, _ in TRANSITIONS if before is Condition.GIVEN_UP]


def test_only_silence_gives_up_and_only_after_a_ping() -> None:
    ends = {row for row, after in TRANSITIONS.items() if after is Condition.GIVEN_UP}
    asked = (Condition.ASKED, Condition.ASKED_AGAIN)
    assert ends == {(condition, Sign.SILENT) for condition in asked}


def test_every_sign_of_life_is_enough() -> None:
    for condition in (Condition.ASKED, Condition.ASKED_AGAIN):
        assert TRANSITIONS[condition, Sign.ALIVE] is Condition.TRUSTED


def test_every_sign_and_condition_is_used() -> None:
    assert {sign for _, sign in TRANSITIONS} == set(Sign)
    assert {row[0] for row in TRANSITIONS} | set(TRANSITIONS.values()) == set(Condition)


def test_the_diagram_is_the_table() -> None:
    lines = diagram().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> OFF"]
    assert lines[-1] == "    GIVEN_UP --> [*]"
    assert len(lines) == len(TRANSITIONS) + 3
    assert "    ASKED --> TRUSTED: the peer sent or took a byte" in lines


# --- Pings, and silence ----------------------------------------------------------------------


def test_off() -> None:
    line = Started(interval=None)
    assert line.deadline is None and not line.keepalive.is_on
    assert line.on_time(1e9) is NOTHING
    assert line.slept(1e9, 1e9) is NOTHING
    assert line.condition is Condition.OFF


def test_nothing_before_it_is_due(line: Started) -> None:
    assert line.deadline == 120.0 and line.keepalive.is_on
    assert line.on_time(119.999) is NOTHING
    assert line.deadline == 120.0


def test_a_ping_every_interval_while_the_peer_answers(line: Started) -> None:
    for now in (120.0, 140.0, 160.0, 180.0):
        assert line.deadline == now
        assert line.on_time(now) is PING
        assert line.condition is Condition.ASKED
        line.hear(now + 0.1)
        assert line.on_time(now + 10.0) is NOTHING
        assert line.condition is Condition.TRUSTED


def test_silence_after_a_ping(line: Started) -> None:
    assert line.on_time(120.0) is PING
    assert line.deadline == 130.0
    assert line.on_time(129.9) is NOTHING
    assert not line.keepalive.may_give_up(129.9) and line.keepalive.may_give_up(130.0)
    assert line.on_time(130.0) is GIVE_UP
    assert line.keepalive.explain(130.0, 0) == (
        "the peer sent nothing for 30.0 s and did not answer a Ping within ping_timeout=10 s; "
        "this program was on time"
    )


def test_after_giving_up_there_is_nothing_to_do(line: Started) -> None:
    line.on_time(120.0)
    line.on_time(130.0)
    assert line.condition is Condition.GIVEN_UP
    assert line.deadline is None and not line.keepalive.is_on
    line.hear(131.0)
    line.keepalive.not_reading()
    assert line.on_time(1e9) is line.slept(1e9, 5.0) is NOTHING
    assert line.condition is Condition.GIVEN_UP


def test_any_byte_counts_as_alive(line: Started) -> None:
    """Not only a Pong, which may wait behind a large message."""
    assert line.on_time(120.0) is PING
    line.hear(129.9)
    assert line.deadline == 140.0
    assert not line.keepalive.may_give_up(130.0)
    assert line.on_time(130.0) is NOTHING
    assert line.on_time(140.0) is PING


def test_bytes_before_the_ping_do_not_answer_it(line: Started) -> None:
    line.hear(119.0)
    assert line.on_time(120.0) is PING
    assert line.on_time(130.0) is GIVE_UP


@pytest.mark.parametrize("when", [120.0, 119.9])
def test_bytes_that_were_read_after_the_ping_came_after_it(line: Started, when: float) -> None:
    """A clock may be coarse, and a thread may have looked at it before it waited for its turn."""
    assert line.on_time(120.0) is PING
    line.hear(when)
    assert line.deadline == 140.0
    assert line.on_time(130.0) is NOTHING


def test_without_a_timeout_the_peer_is_never_given_up() -> None:
    line = Started(timeout=None)
    for now in (120.0, 140.0, 160.0, 1000.0):
        assert line.on_time(now) is PING
        assert not line.keepalive.may_give_up(now + 1e9)


def test_a_timeout_as_long_as_the_interval() -> None:
    line = Started(interval=20.0, timeout=20.0)
    assert line.on_time(120.0) is PING
    assert line.on_time(140.0) is GIVE_UP


def test_a_timeout_longer_than_the_interval() -> None:
    """Pings go on, and the silence counts from the first that nothing followed."""
    line = Started(interval=5.0, timeout=12.0)
    assert line.on_time(105.0) is PING
    assert line.deadline == 110.0
    assert line.on_time(110.0) is PING
    assert line.on_time(115.0) is PING
    assert line.deadline == 117.0
    assert line.on_time(117.0) is GIVE_UP


@pytest.mark.parametrize(("interval", "timeout"), [(20.0, 10.0), (5.0, 12.0), (20.0, 20.0)])
def test_received_bytes_only_ever_move_the_deadline_later(interval: float, timeout: float) -> None:
    """A driver may leave its timer where it is."""
    line = Started(interval, timeout)
    now = 100.0
    for step in range(200):
        before = line.deadline
        assert before is not None
        now += 1.0
        if step % 7 == 3:
            line.hear(now)
            after = line.deadline
            assert after is not None
            assert after >= before
        if line.on_time(now) is GIVE_UP:
            line = Started(interval, timeout)
            line.keepalive = Keepalive(interval, timeout)
            line.keepalive.start(now)


# --- signs of life that are no bytes ---------------------------------------------------------


def test_a_peer_that_takes_bytes_is_alive(line: Started) -> None:
    """The Ping waits behind a big message, so its answer cannot come yet."""
    assert line.on_time(120.0) is PING
    line.keepalive.peer_took_bytes(129.0)
    assert line.on_time(130.0) is NOTHING
    assert line.on_time(140.0) is PING
    line.keepalive.peer_took_bytes(129.0)  # the same as before
    assert line.on_time(150.0) is GIVE_UP
    assert "sent nothing for 21.0 s" in line.keepalive.explain(150.0, 0)


def test_it_makes_no_difference_when_life_is_looked_for(line: Started) -> None:
    assert line.on_time(120.0) is PING
    line.keepalive.look_for_life()
    assert line.condition is Condition.ASKED and line.deadline == 130.0
    line.hear(125.0)
    assert line.condition is Condition.ASKED and line.deadline == 140.0
    line.keepalive.look_for_life()
    assert line.condition is Condition.TRUSTED and line.deadline == 140.0
    assert line.on_time(140.0) is PING and line.deadline == 150.0
    assert line.on_time(150.0) is GIVE_UP


def test_what_was_taken_before_the_ping_proves_nothing(line: Started) -> None:
    assert line.on_time(120.0) is PING
    line.keepalive.peer_took_bytes(119.5)
    assert line.on_time(130.0) is GIVE_UP


def test_a_peer_that_takes_nothing_is_told_of(line: Started) -> None:
    assert line.on_time(120.0) is PING
    assert line.on_time(130.0) is GIVE_UP
    assert "nor did it take any of 70000 bytes that wait" in line.keepalive.explain(130.0, 70000)


def test_an_owner_that_does_not_read(line: Started) -> None:
    assert line.on_time(120.0) is PING
    line.keepalive.not_reading()
    assert line.condition is Condition.TRUSTED
    assert line.on_time(130.0) is NOTHING
    assert line.on_time(140.0) is PING
    assert line.on_time(150.0) is GIVE_UP  # it has read since


def test_what_came_since_the_last_look_may_be_the_answer(line: Started) -> None:
    """An event loop tells of what it has read until a moment before now."""
    assert line.on_time(120.0) is PING
    assert line.keepalive.on_time(130.4, 129.9) is NOTHING
    assert line.deadline == 130.0
    assert line.keepalive.on_time(130.5, 130.4) is GIVE_UP


# --- this side was late ----------------------------------------------------------------------


def test_a_late_timer_asks_once_more(line: Started) -> None:
    """The machine slept: the answer may be waiting unread, so the silence proves nothing."""
    assert line.on_time(120.0) is PING
    assert line.on_time(135.0) is PING
    assert line.condition is Condition.ASKED_AGAIN
    assert line.deadline == 145.0
    assert line.on_time(145.0) is GIVE_UP
    assert line.keepalive.explain(145.0, 0) == (
        "the peer sent nothing for 45.0 s and did not answer a Ping within ping_timeout=10 s; "
        "this program was held up for 5.0 s meanwhile, and a Ping after that went unanswered too"
    )


def test_the_excuses_of_a_program_that_is_always_late_come_to_an_end(line: Started) -> None:
    now = 120.0
    assert line.on_time(now) is PING
    for _ in range(MAX_EXCUSES):
        now += 1000.0
        assert line.on_time(now) is PING
    assert line.on_time(now + 1000.0) is GIVE_UP
    assert f"held up for {MAX_EXCUSES * 990.0:.1f} s" in line.keepalive.explain(now, 0)


def test_excuses_are_forgotten_when_the_peer_answers(line: Started) -> None:
    now = 120.0
    for _ in range(MAX_EXCUSES + 2):
        assert line.on_time(now) is PING
        assert line.on_time(now + 1000.0) is PING
        line.hear(now + 1000.5)
        assert line.on_time(now + 1001.0) is NOTHING
        now += 1020.0
    assert line.on_time(now) is PING
    assert line.on_time(now + 10.0) is GIVE_UP
    assert "on time" in line.keepalive.explain(now + 10.0, 0)


def test_a_little_late_is_not_held_up(line: Started) -> None:
    assert line.on_time(120.0) is PING
    assert line.on_time(130.0 + LATE) is GIVE_UP


def test_what_is_little_depends_on_the_timeout() -> None:
    line = Started(interval=20.0, timeout=0.5)
    assert line.on_time(120.0) is PING
    assert line.on_time(120.8) is PING
    assert line.on_time(121.5) is GIVE_UP


def test_a_late_ping_between_two_looks_is_held_up_too() -> None:
    """The end of ping_timeout itself is on time, but nobody was there to hear before it."""
    line = Started(interval=5.0, timeout=12.0)
    assert line.on_time(105.0) is PING
    assert line.on_time(116.5) is PING
    assert line.deadline == 121.5
    assert line.on_time(121.5) is PING
    assert line.on_time(126.5) is PING
    assert line.on_time(128.5) is GIVE_UP


def test_a_ping_that_goes_out_late(line: Started) -> None:
    assert line.on_time(500.0) is PING
    assert line.deadline == 510.0
    assert line.on_time(510.0) is GIVE_UP
    assert "on time" in line.keepalive.explain(510.0, 0)


# --- the machine was asleep ------------------------------------------------------------------


def test_a_sleep_asks_at_once(line: Started) -> None:
    assert line.slept(105.0, 3600.0) is PING
    assert line.deadline == 115.0
    assert line.on_time(115.0) is GIVE_UP
    assert line.keepalive.explain(115.0, 0).endswith(
        "the machine was asleep for 3600.0 s (or its clock was set) meanwhile, "
        "and a Ping after that went unanswered too"
    )


def test_a_sleep_is_never_a_reason_to_give_up(line: Started) -> None:
    """Not even when it comes in the very moment in which the answer is overdue."""
    assert line.on_time(120.0) is PING
    assert line.slept(130.0, 3600.0) is PING
    assert line.deadline == 140.0
    line.hear(139.9)
    assert line.on_time(140.0) is NOTHING
    assert line.condition is Condition.TRUSTED


def test_a_sleep_of_which_the_peer_knows_nothing_is_forgotten(line: Started) -> None:
    line.slept(105.0, 3600.0)
    line.hear(105.1)
    assert line.on_time(125.0) is PING
    assert line.on_time(135.0) is GIVE_UP
    assert "asleep" not in line.keepalive.explain(135.0, 0)


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_a_clock_that_is_set_all_the_time_does_not_keep_a_dead_line(
    line: Started, seconds: float
) -> None:
    now, asked = 100.0, []
    while line.condition is not Condition.GIVEN_UP:
        now += 1.0
        if line.slept(now, seconds) is PING:
            asked.append(now)
        if line.on_time(now) is PING:
            asked.append(now)
    assert now <= 100.0 + 20.0 + (1 + MAX_EXCUSES) * 10.0
    assert len(asked) == 1 + MAX_EXCUSES


def test_a_wrong_clock_costs_a_ping(line: Started) -> None:
    for _ in range(100):
        assert line.slept(105.0, -1e9) is PING
        line.hear(105.1)
    assert line.on_time(125.0) is PING
    assert line.condition is Condition.ASKED


# --- whatever the schedule -------------------------------------------------------------------

spans = st.sampled_from([0.05, 1.0, 5.0, 10.0, 20.0, 60.0])
delays = st.one_of(
    st.just(0.0),
    st.floats(0.0, 0.1),
    st.sampled_from([LATE, LATE + 0.001, 5.0, 10.0, 20.0, 1e6]),
    st.floats(0.0, 100.0),
)
#: By how much a timer is late, how far before that the owner has read, and a jump of the clocks.
moments = st.lists(
    st.tuples(delays, st.floats(0.0, 1.0), st.sampled_from([None, None, None, 5.0, -1e6])),
    min_size=1,
    max_size=60,
)


class Schedule:
    """An owner whose timers are late, as told, and a peer behind a wire."""

    def __init__(self, interval: float, timeout: float) -> None:
        self.keepalive = Keepalive(interval, timeout)
        self.keepalive.start(0.0)
        self.now = 0.0
        self.late = 0.0
        #: When bytes arrive, whether or not anybody reads them then.
        self.arrivals: list[float] = []
        self.pings: list[float] = []

    def read(self, until: float) -> None:
        come = [when for when in self.arrivals if when <= until]
        if come:
            self.keepalive.heard(self.now)
            self.arrivals = [when for when in self.arrivals if when > until]

    def fire(self, delay: float, unread: float, jump: float | None) -> KeepaliveAction:
        """The timer fires `delay` late. Of that, the part `unread` has not been read."""
        deadline = self.keepalive.next_deadline()
        assert deadline is not None
        due = max(self.now, deadline)
        self.now, self.late = due + delay, self.late + delay
        heard_until = self.now - unread * delay
        self.read(heard_until)
        action = NOTHING
        if jump is not None:
            action = self.keepalive.slept(self.now, jump)
        if action is NOTHING:
            action = self.keepalive.on_time(self.now, heard_until)
        if action is PING:
            self.pings.append(self.now)
        return action


@given(spans, spans, moments, st.lists(st.floats(0.0, 1.0), min_size=60, max_size=60))
def test_a_live_peer_is_never_given_up(
    interval: float,
    timeout: float,
    moments: list[tuple[float, float, float | None]],
    round_trips: list[float],
) -> None:
    """It answers every Ping within ping_timeout; what the timers and clocks do is all the same."""
    schedule = Schedule(interval, timeout)
    for (delay, unread, jump), part in zip(moments, round_trips, strict=False):
        action = schedule.fire(delay, unread, jump)
        assert action is not GIVE_UP
        if action is PING:
            schedule.arrivals.append(schedule.now + part * timeout * 0.999)


@given(spans, spans, st.floats(0.0, 1000.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
@example(20.0, 20.0, 0.0, 1.0, 1.0)
def test_a_dead_peer_is_noticed_in_time(
    interval: float, timeout: float, died: float, late: float, unread: float
) -> None:
    """Within ping_interval + ping_timeout of its last byte, when the timers are on time."""
    schedule = Schedule(interval, timeout)
    tolerated = min(LATE, timeout / 2) * 0.999 * late
    last = 0.0
    for _ in range(100_000):
        action = schedule.fire(tolerated, unread, None)
        if action is GIVE_UP:
            break
        if action is PING and schedule.now <= died:
            schedule.arrivals.append(schedule.now)
            last = schedule.now
    assert action is GIVE_UP
    # One delay of the last Ping's timer, one of the last look, one more for what was not read.
    assert schedule.now - last <= interval + timeout + 3 * tolerated + 1e-6


@given(spans, spans, moments)
def test_a_dead_peer_is_noticed_although_this_side_is_late(
    interval: float, timeout: float, moments: list[tuple[float, float, float | None]]
) -> None:
    """The timers' delays later, and `ping_timeout` for each time that it was asked again."""
    schedule = Schedule(interval, timeout)
    endless = moments + [(0.0, 0.0, None)] * 10_000
    for moment in endless:
        if schedule.fire(*moment) is GIVE_UP:
            break
    else:
        raise AssertionError("it was never given up")
    bound = interval + (1 + MAX_EXCUSES) * timeout + schedule.late
    assert schedule.now <= bound + 1e-6
    assert schedule.now - schedule.pings[-1] >= 0.0


@given(st.lists(st.floats(10.0, 1e6), max_size=MAX_EXCUSES), st.floats(0.0, 0.999))
def test_a_peer_that_sleeps_in_between_cannot_reach_lives(sleeps: list[float], part: float) -> None:
    """Where timers go on during a sleep: a Ping is lost in each, and the last one is answered."""
    schedule = Schedule(20.0, 10.0)
    assert schedule.fire(0.0, 0.0, None) is PING
    for seconds in sleeps:
        assert schedule.fire(seconds, 0.0, None) is PING
    schedule.arrivals.append(schedule.now + 10.0 * part)
    assert schedule.fire(0.0, 0.0, None) is not GIVE_UP
    assert schedule.keepalive.condition is not Condition.GIVEN_UP


def test_a_ping_and_the_end_of_the_wait_that_are_both_overdue() -> None:
    """The next Ping was due just before the end: the wait is over all the same, after one look."""
    keepalive = Keepalive(0.02, 0.2)
    keepalive.start(0.0)
    for moment in (0.02, 0.1, 0.195):
        assert keepalive.on_time(moment, moment) is PING
    # Late by less than is excused, when both have passed: what came until then was not read yet.
    assert keepalive.next_deadline() == pytest.approx(0.215)
    assert keepalive.on_time(0.221, 0.215) is NOTHING
    # So the next look is for the end of the wait, and not for the Ping once more, for ever.
    deadline = keepalive.next_deadline()
    assert deadline == pytest.approx(0.22)
    assert keepalive.on_time(0.2211, deadline) is GIVE_UP
