"""is_held_by_caller: whose is the lock?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tieline.engine.holding import is_held_by_caller
from tieline.engine.locks import ReentrantLock

SOON = 20.0


@pytest.mark.parametrize("kind", [ReentrantLock, threading.RLock])
def test_whose_is_it(kind: Callable[[], Any]) -> None:
    lock = kind()
    assert not is_held_by_caller(lock)
    told: list[bool] = []
    with lock:
        assert is_held_by_caller(lock)
        thread = threading.Thread(target=lambda: told.append(is_held_by_caller(lock)))
        thread.start()
        thread.join(SOON)
    assert told == [False]
    assert not is_held_by_caller(lock)
    assert lock.acquire(blocking=False)  # it was left as it was
    lock.release()
