"""A line that is up → one that is lost, and what a user may do on any front meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import tieline
from tests.fronts import AsyncioTalk, Talk
from tests.outages import Waits
from tieline.testing import FaultProxy, faults

#: The fixture `proxied`.
Proxied = Callable[..., FaultProxy]

#: What handlers are told of a reset.
LOST = ("error ConnectionResetError", "close 1006", "end")


def lose(proxy: FaultProxy, waits: Waits) -> None:
    """The line breaks, and the wait for the next one has begun."""
    begun = len(waits.seconds)
    proxy.strike(faults.reset())
    waits.wait_for(begun + 1)


def send_anyhow(talk: Talk, message: str) -> None:
    """From any thread, as a user of that front does, and without caring whether it goes."""
    front = talk.front
    send = front.send_threadsafe if isinstance(talk, AsyncioTalk) else front.send
    try:
        send(message)
    except (tieline.ConnectionClosed, tieline.SendBufferFull):
        pass  # it is offline, or everybody sends
