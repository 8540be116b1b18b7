# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A logger whose lines name their connection; `logging` is loaded when a line may be read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from logging import Logger, LoggerAdapter

    from tieline.engine.log_lines import ConnectionLines

#: Levels of `logging`.
DEBUG = 10
INFO = 20
WARNING = 30

Say = Callable[..., None]


def _unread(*_line: object) -> None:
    """Nobody reads lines of this level."""


@cache
def _default_logger() -> Logger:
    from tieline.engine.log_lines import TIELINE

    return TIELINE


class ConnectionLog:
    """Puts ``[id]`` in front of each line: the connection's process-wide number.

    Each name is the method of an adapter itself, so that a line names the place that it is from.
    The adapter is made for the line: each open connection keeps a log, and says two things.
    """

    def __init__(self, logger: Logger | LoggerAdapter[Any] | None, connection_id: int) -> None:
        self._logger = logger
        #: The number.
        self.connection_id = connection_id

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - as `logging` has it
        logger = self._logger
        if logger is None:
            if "logging" not in sys.modules:
                return level >= WARNING  # where nobody has loaded it, only these are shown
            logger = _default_logger()
        return bool(logger.isEnabledFor(level))

    @property
    def debug(self) -> Say:
        return self._lines.debug if self.isEnabledFor(DEBUG) else _unread

    @property
    def info(self) -> Say:
        return self._lines.info if self.isEnabledFor(INFO) else _unread

    @property
    def warning(self) -> Say:
        return self._lines.warning

    @property
    def error(self) -> Say:
        return self._lines.error

    @property
    def exception(self) -> Say:
        return self._lines.exception

    @property
    def log(self) -> Say:
        return self._lines.log

    @property
    def _lines(self) -> ConnectionLines:
        from tieline.engine.log_lines import ConnectionLines

        return ConnectionLines(self._logger, self.connection_id)


#: For what is told before there is a connection.
UNNUMBERED = ConnectionLog(None, 0)

if TYPE_CHECKING:
    AnyLogger: TypeAlias = Logger | LoggerAdapter[Any] | ConnectionLog
else:
    AnyLogger = Any
