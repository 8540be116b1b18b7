"""The lock of what is locked for every message: reentrant, and cheap where nobody else wants it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    ReentrantLock = threading.RLock
else:
    try:
        from tieline.engine._lock import ReentrantLock, SharedLock, has_gil

        if not has_gil:
            ReentrantLock = SharedLock
    except ModuleNotFoundError:  # pure
        ReentrantLock = threading.RLock

__all__ = ["ReentrantLock"]
