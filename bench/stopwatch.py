"""Two moments → the seconds between them, on the clock and on the processor."""

from __future__ import annotations

import resource
from time import perf_counter


class Stopwatch:
    """Measures this process, all its threads included. `stop` counts only the first time."""

    def __init__(self) -> None:
        self._started = 0.0
        self._cpu_started = 0.0
        #: None until `stop`.
        self.seconds: float | None = None
        self.cpu_seconds = 0.0

    def start(self) -> None:
        self._cpu_started = _cpu_seconds()
        self._started = perf_counter()

    def stop(self) -> None:
        if self.seconds is None:
            self.seconds = perf_counter() - self._started
            self.cpu_seconds = _cpu_seconds() - self._cpu_started


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
