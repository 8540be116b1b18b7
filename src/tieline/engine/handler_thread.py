"""Functions → one thread of their own, which is there only while it is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue


class HandlerThread:
    """An executor that runs one function after the other, until it may rest. Any thread.

    Its thread is a daemon: a function that does not return keeps no program from ending.
    """

    def __init__(self, name: str = "tieline-handlers") -> None:
        self._name = name
        # Reentrant for signal handlers.
        self._lock = threading.RLock()
        self._functions: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, function: Callable[[], None]) -> None:
        """Run it after those that were submitted before. It must not raise."""
        with self._lock:
            self._functions.put(function)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(self._functions,), name=self._name, daemon=True
                )
                self._thread.start()

    def rest(self) -> threading.Thread | None:
        """End the thread when it has run what was submitted; another one runs what comes later."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._functions.put(None)
                self._functions = SimpleQueue()
            return thread

    def abandon_after_fork(self) -> None:
        """In a child process: the thread is the parent's."""
        self._lock = threading.RLock()
        self._functions = SimpleQueue()
        self._thread = None

    @staticmethod
    def _run(functions: SimpleQueue[Callable[[], None] | None]) -> None:
        while (function := functions.get()) is not None:
            function()
