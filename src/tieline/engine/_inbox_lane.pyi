from collections.abc import Callable
from typing import Any, final

from tieline.engine._read_lane import ReadLane

@final
class RecvLane(ReadLane):
    def keep_in(self, inbox: Any, driver: Any, pump: Any) -> None: ...

@final
class LoopLane(ReadLane):
    def fill(self, inbox: Any, pump: Any) -> None: ...

@final
class Iteration:
    def __init__(self, inbox: Any, receive: Callable[[], str | bytes]) -> None: ...
    def __iter__(self) -> Iteration: ...
    def __next__(self) -> str | bytes: ...
