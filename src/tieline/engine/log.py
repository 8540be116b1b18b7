"""A logger whose lines name their connection."""

from __future__ import annotations

from collections.abc import MutableMapping
from logging import Logger, LoggerAdapter, getLogger
from typing import Any

#: Asked for once: looking it up takes a lock.
_TIELINE = getLogger("tieline")

#: Lines say nothing more: one dictionary for all of them.
_NOTHING_EXTRA: dict[str, object] = {}

AnyLogger = Logger | LoggerAdapter[Any]


class ConnectionLog(LoggerAdapter[Any]):
    """Puts ``[id]`` in front of each line: the connection's process-wide number."""

    def __init__(self, logger: AnyLogger | None, connection_id: int) -> None:
        super().__init__(logger or _TIELINE, _NOTHING_EXTRA)
        self._connection_id = connection_id

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        return f"[{self._connection_id}] {msg!s}", kwargs


#: For what is told before there is a connection.
UNNUMBERED = ConnectionLog(None, 0)
