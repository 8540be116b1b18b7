"""Text that any thread writes → whole lines above the prompt while there is one, else as they come.

What prompt_toolkit has for it, `patch_stdout`, loses what is written while a prompt ends.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prompt_toolkit import Application


class Above:
    """In place of `sys.stdout` and `sys.stderr`. Any thread may write.

    The prompt runs within `prompting`, and calls `look` when it has begun.
    """

    def __init__(self, application: Application[Any]) -> None:
        self._application = application
        self._lock = threading.Lock()
        # Whole lines that wait to be printed.
        self._lines: deque[str] = deque()
        # What was written since the last line end.
        self._begun = ""
        # A prompt runs, begins or ends: only the main thread may use the terminal.
        self._prompting = False
        # Main thread: `_print` is on its way to the terminal.
        self._planned = False

    def write(self, text: str) -> int:
        with self._lock:
            whole, end, self._begun = (self._begun + text).rpartition("\n")
            if not end:
                return len(text)
            self._lines.append(whole + end)
            if not self._prompting:
                self._print()
                return len(text)
        loop = self._application.loop
        context = self._application.context
        # Without a loop the prompt begins or ends, and so it does when the loop is closed just
        # now. It looks for itself then.
        if loop is not None and context is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.look, context=context.copy())
        return len(text)

    def flush(self) -> None:
        """Whole lines do not wait for it."""

    @contextmanager
    def prompting(self) -> Iterator[None]:
        """For the main thread: in the block the prompt has the terminal."""
        with self._lock:
            self._prompting = True
        try:
            yield
        finally:
            with self._lock:
                self._prompting = self._planned = False
                self._print()

    def look(self) -> None:
        """On the prompt's loop: print what waits. Nothing is begun that the prompt would not await.

        What comes later than that is printed at the end of `prompting`.
        """
        from prompt_toolkit.application import run_in_terminal

        application = self._application
        if self._planned or not self._lines or not application.is_running or application.is_done:
            return
        self._planned = True
        run_in_terminal(self._print)

    def _print(self) -> None:
        self._planned = False
        output = self._application.output
        text = ""
        while self._lines:
            text += self._lines.popleft()
        if text:
            output.enable_autowrap()
            output.write(text)
            output.flush()
