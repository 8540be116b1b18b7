"""The states of a connection, as a table.

Every change of state of a `Connection` is one row of `TRANSITIONS`; what is not in the table cannot
happen. The diagram in the documentation is drawn from it.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Where a connection is in its life."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    #: Only a client that waits for its next attempt is here; a connection never is.
    RECONNECTING = "reconnecting"


class Trigger(Enum):
    """What moves a connection from one state to the next."""

    UPGRADED = "the upgrade was accepted"
    CLOSE_SENT = "a Close frame was sent"
    CLOSE_RECEIVED = "a Close frame was received and answered"
    FAILED = "a rule was broken"
    ENDED = "the stream ended, or a deadline passed"


TRANSITIONS: dict[tuple[State, Trigger], State] = {
    (State.CONNECTING, Trigger.UPGRADED): State.OPEN,
    (State.CONNECTING, Trigger.ENDED): State.CLOSED,
    (State.OPEN, Trigger.CLOSE_SENT): State.CLOSING,
    (State.OPEN, Trigger.CLOSE_RECEIVED): State.CLOSING,
    (State.OPEN, Trigger.FAILED): State.CLOSING,
    (State.OPEN, Trigger.ENDED): State.CLOSED,
    (State.CLOSING, Trigger.CLOSE_RECEIVED): State.CLOSING,
    (State.CLOSING, Trigger.FAILED): State.CLOSING,
    (State.CLOSING, Trigger.ENDED): State.CLOSED,
}


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> CONNECTING"]
    lines += [
        f"    {before.name} --> {after.name}: {trigger.value}"
        for (before, trigger), after in TRANSITIONS.items()
    ]
    return "\n".join([*lines, "    CLOSED --> [*]"])
