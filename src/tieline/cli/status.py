"""How a command ended → the process's exit status, and one line that says why."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import NoReturn

from tieline.cli.escaping import escape
from tieline.protocol.events import CloseInfo
from tieline.protocol.wire import CloseCode

OK = 0
#: No connection came about, or something else outside failed: an address, a file, the output.
FAILED = 1
#: The words of the command cannot be used; nothing was sent.
USAGE = 2
#: The connection ended otherwise than it should, or an awaited answer did not come.
ABNORMAL = 3
#: 128 + the signal's number, as shells count: 130 for Ctrl-C.
SIGNALLED = 128

#: Codes of an orderly end. 1005: a Close frame without a code, which some servers send.
_ORDERLY = frozenset({CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD})


class CommandError(Exception):
    """Ends the command with this text as its one line on standard error, and this status."""

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(text)
        self.status = status


def usage_error(text: str) -> NoReturn:
    """End the command: its words cannot be used."""
    raise CommandError(text, USAGE)


def note(text: str) -> None:
    """One line on standard error, beside the messages on standard output. Any thread."""
    # Nobody reads it any more (2>&1 | head): what the command does matters more than the note.
    with suppress(OSError, ValueError):
        print(escape(text), file=sys.stderr, flush=True)


def end_status(info: CloseInfo) -> int:
    """`OK` after an orderly end, whoever began it, `ABNORMAL` after any other."""
    return OK if info.clean and info.error is None and info.code in _ORDERLY else ABNORMAL
