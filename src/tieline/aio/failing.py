"""What a call for a connection raised on the loop → the end of that connection."""

from __future__ import annotations

from typing import Protocol

from tieline.engine.served import Registrant
from tieline.transport.stream import Stream


class LoopRegistrant(Registrant, Protocol):
    """What a `LoopReactor` serves: a session on a stream that the loop reads."""

    stream: Stream

    def close(self, code: int, reason: str) -> None: ...
    def drop(self) -> None: ...


def give_up(registrant: Registrant, error: BaseException) -> None:
    """What it raised ends the connection; Ctrl-C goes on to whoever runs the loop."""
    if isinstance(error, Exception):
        registrant.fail(error)
        return
    # Nobody knows what was read and not yet delivered.
    registrant.fail(ConnectionAbortedError("a read was interrupted; the stream cannot go on"))
    raise error
