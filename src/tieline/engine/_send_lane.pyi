from typing import Any

from tieline.engine._run_lane import RunLane

class SendLane(RunLane):
    def __init__(self, descriptor: int, layer: Any, sender: Any, may_send: bool) -> None: ...
