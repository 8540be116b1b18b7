"""A pseudo-terminal of this process's own → a prompt on it, where something happens at a moment."""

from __future__ import annotations

import os
import pty
import sys
import termios
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import FrameType
from typing import Any

import pytest

from tests.cli.conftest import PATIENCE
from tieline.cli.typed import PromptedLines

#: Of about a hundred thousand, and never quite as many.
MOMENTS_TRIED = 40


class Prompt:
    """`PromptedLines` at a terminal of this process's own, where someone types."""

    def __init__(self, stack: ExitStack, patch: pytest.MonkeyPatch, keys: bytes) -> None:
        from prompt_toolkit.application import create_app_session

        self._master, self._slave = pty.openpty()
        stack.callback(self._close)
        modes = termios.tcgetattr(self._slave)
        modes[3] &= ~termios.ICANON  # Ctrl-D is a key from the start
        termios.tcsetattr(self._slave, termios.TCSANOW, modes)
        self._modes = termios.tcgetattr(self._slave)
        patch.setenv("TERM", "xterm")
        patch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
        for name, mode in (("stdin", "r"), ("stdout", "w")):
            stream = stack.enter_context(open(self._slave, mode, closefd=False))
            patch.setattr(sys, name, stream)
        self._shown: list[bytes] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        os.write(self._master, keys)
        stack.enter_context(create_app_session())
        self.lines = PromptedLines()

    def given_back(self) -> bool:
        """True when the terminal is set up as it was."""
        return termios.tcgetattr(self._slave) == self._modes

    def shown(self) -> bytes:
        """All that came to the terminal. It cannot be used any more."""
        self._close()
        return b"".join(self._shown)

    def _read(self) -> None:
        try:
            while chunk := os.read(self._master, 65536):
                self._shown.append(chunk)
        except OSError:
            pass  # EIO: the slave is closed

    def _close(self) -> None:
        if self._reader.is_alive():
            os.close(self._slave)
            self._reader.join(PATIENCE)
            os.close(self._master)


def read_with_a_moment(
    lines: Iterable[bytes], moment: int, handler: Callable[[], object]
) -> tuple[int, BaseException | None]:
    """Iterate, with the handler on top at that moment: how many there were, what was raised.

    A moment is where a function begins, anyone's, or where a C function has returned.
    """
    count = 0

    def on_event(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        if event in ("call", "c_return"):
            count += 1
            if count == moment:
                sys.setprofile(before)
                handler()

    before = sys.getprofile()
    error: BaseException | None = None
    sys.setprofile(on_event)
    try:
        for _ in lines:
            pass
    except BaseException as caught:
        error = caught
    finally:
        sys.setprofile(before)
    return count, error
