"""Functions that block → threads that run them: one that has just run another, or a new one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from queue import Empty, SimpleQueue

from tieline.engine.process import forkables

#: Seconds for which a thread waits for the next function: to start one takes as long as all else
#: that a dial to a server nearby does.
LINGER = 1.0

_numbers = count(1)


class Diallers:
    """Runs each function at once, on a thread that is its own for that time. Any thread.

    There are as many threads as functions run at the same time, and for `linger` seconds
    afterwards. They are daemons: a function that does not return keeps no program from ending.
    """

    def __init__(self, linger: float = LINGER) -> None:
        self.linger = linger
        # Reentrant for signal handlers.
        self._lock = threading.RLock()
        #: Those that wait, the last one last: its memory is most likely in the caches.
        self._waiting: list[_Dialler] = []
        forkables.add(self)

    def run(self, function: Callable[[], object]) -> None:
        """Have it run. What it raises goes to `threading.excepthook`."""
        with self._lock:
            if self._waiting:
                # With the lock held until it is given: see `next_of`.
                self._waiting.pop().functions.put(function)
                return
        dialler = _Dialler(self, f"tieline-dial-{next(_numbers)}")
        dialler.functions.put(function)
        dialler.start()

    def next_of(self, dialler: _Dialler) -> Callable[[], object] | None:
        """What it is to run now; None: it is not needed any more. On its thread."""
        with self._lock:
            self._waiting.append(dialler)
        try:
            return dialler.functions.get(timeout=self.linger)
        except Empty:
            pass
        with self._lock:
            if dialler in self._waiting:
                self._waiting.remove(dialler)
            # One that was chosen, and for which there is nothing, was to be given something by
            # somebody whom Ctrl-C has interrupted.
            return None if dialler.functions.empty() else dialler.functions.get()

    def abandon_after_fork(self) -> None:
        """In a child process: the threads are the parent's."""
        self._lock = threading.RLock()
        self._waiting = []


class _Dialler(threading.Thread):
    def __init__(self, diallers: Diallers, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._diallers = diallers
        self.functions: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def run(self) -> None:
        function: Callable[[], object] | None = self.functions.get()
        while function is not None:
            function()
            function = None  # what it holds is not kept while this thread waits
            function = self._diallers.next_of(self)


#: Of the whole process.
DIALLERS = Diallers()
