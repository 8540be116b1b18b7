"""A wait for another thread → one that Ctrl-C always ends."""

from __future__ import annotations

import threading
import time

#: Seconds. A signal that comes just before the system call does not interrupt it; its handler runs
#: when the call returns, so no call may be long. (On Windows none is ever interrupted.)
SLICE = 1.0


def wait_for_event(event: threading.Event, timeout: float | None) -> bool:
    """`event.wait(timeout)` in slices. True when the event is set."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = SLICE if deadline is None else deadline - time.monotonic()
        if event.wait(max(0.0, min(SLICE, left))):
            return True
        if left <= 0:
            return False
