"""The table of states: what can follow what."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.protocol.state import (
    LINE_TRANSITIONS,
    TRANSITIONS,
    LineTrigger,
    State,
    Trigger,
    diagram,
)


def test_a_closed_connection_stays_closed() -> None:
    assert not [before for before, _ in TRANSITIONS if before is State.CLOSED]


def test_every_state_of_a_connection_leads_to_the_end() -> None:
    for state in (State.CONNECTING, State.OPEN, State.CLOSING):
        assert TRANSITIONS[state, Trigger.ENDED] is State.CLOSED


def test_nothing_is_open_twice() -> None:
    """Messages can't be sent any more once a Close frame was, or a rule was broken."""
    after = {TRANSITIONS[row] for row in TRANSITIONS if row[0] is not State.CONNECTING}
    assert after == {State.CLOSING, State.CLOSED}
    assert TRANSITIONS[State.CONNECTING, Trigger.UPGRADED] is State.OPEN


def test_only_a_client_between_attempts_reconnects() -> None:
    assert State.RECONNECTING not in TRANSITIONS.values()
    assert not [before for before, _ in TRANSITIONS if before is State.RECONNECTING]


def test_every_trigger_is_used() -> None:
    assert {trigger for _, trigger in TRANSITIONS} == set(Trigger)
    assert {trigger for _, trigger in LINE_TRANSITIONS} == set(LineTrigger)


@pytest.mark.parametrize(
    ("table", "begin"), [(TRANSITIONS, State.CONNECTING), (LINE_TRANSITIONS, State.CLOSED)]
)
def test_the_diagram_is_the_table(table: Any, begin: State) -> None:
    lines = diagram(table, begin).splitlines()
    assert lines[:2] == ["stateDiagram-v2", f"    [*] --> {begin.name}"]
    assert lines[-1] == "    CLOSED --> [*]"
    assert len(lines) == len(table) + 3
    for (before, trigger), after in table.items():
        assert f"    {before.name} --> {after.name}: {trigger.value}" in lines


def test_a_line_can_always_be_closed_and_opened_again() -> None:
    """From every state there is a way to every other one."""
    for begin in State:
        reached = {begin}
        while more := {
            after
            for (before, _), after in LINE_TRANSITIONS.items()
            if before in reached and after not in reached
        }:
            reached |= more
        assert reached == set(State)


def test_a_line_opens_by_a_dial_only() -> None:
    rows = [row for row, after in LINE_TRANSITIONS.items() if after is State.OPEN]
    assert rows == [(State.CONNECTING, LineTrigger.OPENED)]
