"""A reentrant lock → whether the calling thread holds it already."""

from __future__ import annotations

import threading
from typing import Any


def is_held_by_caller(lock: Any) -> bool:
    """Is the caller on top of code that holds this RLock? A signal handler may be.

    It could take the lock once more, but whoever else waits for it waits until it has returned.
    """
    try:
        # What Condition asks as well; making one for the question takes twenty times as long.
        return bool(lock._is_owned())
    except AttributeError:
        pass  # no lock of CPython's
    try:
        threading.Condition(lock).notify(0)
    except RuntimeError:
        return False
    return True
