"""A logger → one whose lines begin with the number of their connection. Loads `logging`."""

from __future__ import annotations

from collections.abc import MutableMapping
from logging import LoggerAdapter, getLogger
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logging import Logger

    Adapter = LoggerAdapter[Any]
else:
    Adapter = LoggerAdapter

#: What most lines go to. Asked for once: looking it up takes a lock.
TIELINE = getLogger("tieline")

#: Lines say nothing more: one dictionary for all of them.
_NOTHING_EXTRA: dict[str, object] = {}


class ConnectionLines(Adapter):
    """Puts ``[id]`` in front of each line."""

    def __init__(self, logger: Logger | Adapter | None, connection_id: int) -> None:
        super().__init__(logger or TIELINE, _NOTHING_EXTRA)
        self._connection_id = connection_id

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        return f"[{self._connection_id}] {msg!s}", kwargs
