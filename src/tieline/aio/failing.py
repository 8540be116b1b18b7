"""What a call for a connection raised on the loop → the end of that connection."""

from __future__ import annotations

from tieline.engine.reactor import Registrant


def give_up(registrant: Registrant, error: BaseException) -> None:
    """What it raised ends the connection; Ctrl-C goes on to whoever runs the loop."""
    if isinstance(error, Exception):
        registrant.fail(error)
        return
    # Nobody knows what was read and not yet delivered.
    registrant.fail(ConnectionAbortedError("a read was interrupted; the stream cannot go on"))
    raise error
