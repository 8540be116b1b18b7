# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Phases of a dial, one after the other → the seconds that each has taken."""

from __future__ import annotations

from math import nan


class Timings:
    """Seconds per phase: "dns", "tcp", "proxy", "tls", "upgrade", and "total" for all of it.

    Written by the thread that dials, read by any. Each open connection keeps one, so they are plain
    numbers: a dictionary of floats takes five times as much.
    """

    def __init__(self) -> None:
        # NaN: it did not come to that.
        self._dns = self._tcp = self._proxy = self._tls = self._upgrade = self._total = nan

    def add(self, phase: str, seconds: float) -> None:
        """So much more of this phase."""
        if phase == "tcp":
            self._tcp = _sum(self._tcp, seconds)
        elif phase == "upgrade":
            self._upgrade = _sum(self._upgrade, seconds)
        elif phase == "dns":
            self._dns = _sum(self._dns, seconds)
        elif phase == "tls":
            self._tls = _sum(self._tls, seconds)
        elif phase == "proxy":
            self._proxy = _sum(self._proxy, seconds)
        else:
            raise ValueError(f"there is no phase {phase!r}")

    def end(self, seconds: float) -> None:
        """The dial is over, and has taken so long."""
        self._total = seconds

    def known(self) -> dict[str, float]:
        """Those that it came to, in the order of a dial."""
        seconds = {
            "dns": self._dns,
            "tcp": self._tcp,
            "proxy": self._proxy,
            "tls": self._tls,
            "upgrade": self._upgrade,
            "total": self._total,
        }
        return {phase: value for phase, value in seconds.items() if value == value}  # NaN is not


def _sum(before: float, seconds: float) -> float:
    return before + seconds if before == before else seconds
