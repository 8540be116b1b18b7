"""The states of a connection, and of a line that has one after the other, as tables.

Every change of state of a `Connection` is one row of `TRANSITIONS`; what is not in the table cannot
happen. `LINE_TRANSITIONS` is what a user sees of a client, whose line is replaced when it is lost.
The diagrams in the documentation are drawn from both.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class State(Enum):
    """Where a connection, or a client, is in its life."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    #: Only a client that waits for its next attempt is here; a connection never is.
    RECONNECTING = "reconnecting"

    # Each is only one object, and the names, which `Enum` hashes, are looked at in Python code.
    __hash__ = object.__hash__


class Trigger(Enum):
    """What moves a connection from one state to the next."""

    UPGRADED = "the upgrade was accepted"
    CLOSE_SENT = "a Close frame was sent"
    CLOSE_RECEIVED = "a Close frame was received and answered"
    FAILED = "a rule was broken"
    ENDED = "the stream ended, or a deadline passed"

    __hash__ = object.__hash__  # as above


# Members by names of their own, for code that every connection runs: before Python 3.12 a member is
# found in its class by a call, which takes longer than most of what is done with it.
CLOSED, CONNECTING, OPEN, CLOSING = State.CLOSED, State.CONNECTING, State.OPEN, State.CLOSING
RECONNECTING = State.RECONNECTING
UPGRADED, FAILED, ENDED = Trigger.UPGRADED, Trigger.FAILED, Trigger.ENDED
CLOSE_SENT, CLOSE_RECEIVED = Trigger.CLOSE_SENT, Trigger.CLOSE_RECEIVED

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


class LineTrigger(Enum):
    """What moves a client from one state to the next."""

    CONNECT = "connect() or reconnect() was called"
    OPENED = "the handshake is done"
    REFUSED_FOR_NOW = "the dial failed, and another one follows"
    REFUSED = "the dial failed, and none follows, or it was cancelled"
    ENDING = "the closing handshake has begun, or the link is gone"
    LOST = "it has ended, and is to be replaced"
    ENDED = "it has ended for good"
    DUE = "the delay is over"
    CALLED_OFF = "disconnect() or close() was called"


LINE_TRANSITIONS: dict[tuple[State, LineTrigger], State] = {
    (State.CLOSED, LineTrigger.CONNECT): State.CONNECTING,
    (State.CONNECTING, LineTrigger.OPENED): State.OPEN,
    (State.CONNECTING, LineTrigger.REFUSED_FOR_NOW): State.RECONNECTING,
    (State.CONNECTING, LineTrigger.REFUSED): State.CLOSED,
    (State.OPEN, LineTrigger.ENDING): State.CLOSING,
    (State.CLOSING, LineTrigger.LOST): State.RECONNECTING,
    (State.CLOSING, LineTrigger.ENDED): State.CLOSED,
    (State.CLOSING, LineTrigger.CONNECT): State.CONNECTING,
    (State.RECONNECTING, LineTrigger.DUE): State.CONNECTING,
    (State.RECONNECTING, LineTrigger.CONNECT): State.CONNECTING,
    (State.RECONNECTING, LineTrigger.CALLED_OFF): State.CLOSED,
}


def diagram(
    table: Mapping[tuple[State, Trigger], State] | Mapping[tuple[State, LineTrigger], State],
    begin: State,
) -> str:
    """A table as a Mermaid state diagram. Both end where they can begin anew, or never do."""
    lines = ["stateDiagram-v2", f"    [*] --> {begin.name}"]
    lines += [
        f"    {before.name} --> {after.name}: {trigger.value}"
        for (before, trigger), after in table.items()
    ]
    return "\n".join([*lines, "    CLOSED --> [*]"])
