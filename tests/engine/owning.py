"""A line as its delivery sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tieline.engine.waiting import News


class Owner:
    """What a delivery asks for and tells; tests put functions of their own in place."""

    def __init__(
        self,
        on_room: Callable[[], object] = lambda: None,
        on_dropped: Callable[[int], object] = lambda count: None,
    ) -> None:
        self.on_room, self.on_dropped = on_room, on_dropped
        self.changed = News(threading.RLock())

    def is_driven_by_caller(self) -> bool:
        return False
