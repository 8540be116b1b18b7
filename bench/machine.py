"""The cores of this machine → where server and client run, and whether it is quiet there."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

from bench.native_programs import CannotBuild, built

#: A core is quiet when it is at least this fast, of the fastest it was.
_FULL_SPEED = 0.9
#: Probes of each core that find out how fast it can be.
_FIRST_LOOKS = 8
#: Seconds to wait for a quiet core.
_PATIENCE = 0.5


class Machine:
    """Pins this process, and so all that it starts.

    On one core server and client take turns. On two, a message would also pay for waking the other
    one, which in a virtual machine costs more than a round trip, and differs from run to run.
    """

    def __init__(self, *, look_for_quiet: bool = True) -> None:
        self._all = os.sched_getaffinity(0)
        self.cores = sorted(self._all)[:2]
        #: Where the client runs.
        self.client_core = self.cores[-1]
        self._full_speed = 0.0
        if look_for_quiet:
            looks = [self._speed(core) for _ in range(_FIRST_LOOKS) for core in self.cores]
            self._full_speed = max(looks)

    def settle(self, one_core: bool) -> set[int]:
        """Pin this process where the next client is to run; the server's cores.

        Waits a moment for a quiet core, and takes the last one if there is none.
        """
        if one_core:
            self._find_quiet_core()
        os.sched_setaffinity(0, {self.client_core})
        others = {core for core in self.cores if core != self.client_core}
        return {self.client_core} if one_core or not others else others

    def is_quiet(self) -> bool:
        """Whether the client's core is at full speed now."""
        if not self._full_speed:
            return True
        return self._speed(self.client_core) >= _FULL_SPEED * self._full_speed

    def release(self) -> None:
        """This process may run anywhere again."""
        os.sched_setaffinity(0, self._all)

    def _find_quiet_core(self) -> None:
        if not self._full_speed:
            return
        patience = time.monotonic() + _PATIENCE
        while time.monotonic() < patience:
            for core in (self.client_core, *self.cores):
                if self._speed(core) >= _FULL_SPEED * self._full_speed:
                    self.client_core = core
                    return

    def _speed(self, core: int) -> float:
        os.sched_setaffinity(0, {core})
        try:
            done = subprocess.run([str(built("probe"))], capture_output=True, check=True)
        finally:
            os.sched_setaffinity(0, self._all)
        return float(done.stdout.split()[1])


def allow_many_descriptors(needed: int) -> str | None:
    """Raise the limit of this process and its children as far as it goes; what is missing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed + 200
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            return f"needs {wanted} open files, the limit is {hard} (ulimit -Hn)"
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return None


def description() -> dict[str, str]:
    """What the numbers depend on."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": _compiler(),
        "congestion_control": _congestion_control(),
        "gil": "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _congestion_control() -> str:
    """TCP's, of what clients send: the server has its own."""
    return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


def _compiler() -> str:
    words = os.environ.get("CC", "cc").split()
    try:
        done = subprocess.run([*words, "--version"], capture_output=True, text=True)
    except OSError as error:
        raise CannotBuild(f"no C compiler {' '.join(words)!r} found") from error
    return done.stdout.partition("\n")[0]
