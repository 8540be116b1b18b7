from typing import Any

from tieline.engine._send_lane import SendLane

class ReadLane(SendLane):
    def __init__(
        self, descriptor: int, layer: Any, sender: Any, may_send: bool, connection: Any
    ) -> None: ...
