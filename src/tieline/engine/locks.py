"""The lock of what is locked for every message: reentrant, and cheap where nobody else wants it."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    ReentrantLock = threading.RLock
    #: Does the interpreter's lock order what threads do?
    has_gil: bool
else:
    try:
        from tieline.engine._lock import ReentrantLock, SharedLock, has_gil

        if not has_gil:
            ReentrantLock = SharedLock
    except ModuleNotFoundError:  # pure
        ReentrantLock = threading.RLock
        has_gil = not hasattr(sys, "_is_gil_enabled") or sys._is_gil_enabled()

__all__ = ["ReentrantLock", "has_gil"]
