"""is_held_by_caller: whose is the lock?"""

from __future__ import annotations

import threading

from tieline.engine.holding import is_held_by_caller

SOON = 20.0


def test_whose_is_it() -> None:
    lock = threading.RLock()
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
