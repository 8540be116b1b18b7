"""The table of states: what can follow what."""

from __future__ import annotations

from tieline.protocol.state import TRANSITIONS, State, Trigger, diagram


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


def test_the_diagram_is_the_table() -> None:
    lines = diagram().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> CONNECTING"]
    assert lines[-1] == "    CLOSED --> [*]"
    assert len(lines) == len(TRANSITIONS) + 3
    assert "    OPEN --> CLOSING: a rule was broken" in lines
