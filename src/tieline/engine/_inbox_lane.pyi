from typing import Any, final

from tieline.engine._read_lane import ReadLane

@final
class RecvLane(ReadLane):
    def keep_in(self, inbox: Any, driver: Any, pump: Any) -> None: ...

@final
class LoopLane(ReadLane):
    def fill(self, inbox: Any, pump: Any) -> None: ...
