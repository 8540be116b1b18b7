from typing import Any, final

from tieline.engine._read_lane import ReadLane

@final
class HandlerLane(ReadLane):
    def deliver_to(self, callbacks: Any) -> None: ...
