from typing import Any

from tieline.engine.short_way import ShortWay

class SendLane(ShortWay):
    def __init__(self, descriptor: int, layer: Any, sender: Any, may_send: bool) -> None: ...
