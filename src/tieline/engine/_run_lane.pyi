from typing import Any

from tieline.engine.short_way import ShortWay

class RunLane(ShortWay):
    def __init__(self, sender: Any, may_send: bool, limit: int) -> None: ...
