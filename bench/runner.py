"""Workloads and clients → measurements, taken in turns: A B C, A B C, ..."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.workloads import Workload

#: Seconds for one process, its start and the closing handshake included.
PATIENCE = 120
#: The first, short run of a client overestimates what it costs; beyond this factor, ask again.
_MOST_AT_ONCE = 50


class ClientFailed(Exception):
    """A client's process ended without a result; the text is its last word."""


@dataclass(frozen=True)
class Measurement:
    """One run: `count` messages, one round trip or one way each."""

    client: str
    version: str
    workload: Workload
    repetition: int
    count: int
    seconds: float
    cpu_seconds: float
    #: Bytes between client and server, where the server counts them.
    wire_bytes: int = 0
    #: What the two agreed on, in the words of the handshake.
    agreed: str = ""

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @property
    def cpu_per_million(self) -> float:
        """Processor seconds that a million messages would take."""
        return self.cpu_seconds / self.count * 1e6

    @property
    def wire_bytes_per_message(self) -> float:
        return self.wire_bytes / self.count


class Runner:
    """Runs clients against the server on `port`; a timed run takes about `target` seconds.

    `module` is the program that does one run, in a process of its own.
    """

    def __init__(
        self,
        port: int,
        target: float,
        complain: Callable[[str], None],
        module: str = "bench.measure",
    ) -> None:
        self._port = port
        self._target = target
        self._complain = complain
        self._module = module

    def measure(
        self, workload: Workload, clients: list[str], repetitions: int
    ) -> list[Measurement]:
        """All repetitions of one workload. A client that fails is complained of and left out."""
        counts: dict[str, int] = {}
        for client in clients:
            try:
                counts[client] = self._count_for(client, workload)
            except ClientFailed as error:
                self._complain(f"{client}, {workload.title}: {error}")
        taken: list[Measurement] = []
        for repetition in range(repetitions):
            for client, count in list(counts.items()):
                try:
                    taken.append(self._run(client, workload, repetition, count))
                except ClientFailed as error:
                    self._complain(f"{client}, {workload.title}: {error}")
                    del counts[client]
        return taken

    def _count_for(self, client: str, workload: Workload) -> int:
        """How many messages keep this client busy for the target time."""
        count = workload.first_count
        while True:
            seconds = self._run(client, workload, 0, count).seconds
            factor = self._target / seconds
            count = max(1, round(count * min(factor, _MOST_AT_ONCE)))
            if factor <= _MOST_AT_ONCE:
                return count

    def _run(self, client: str, workload: Workload, repetition: int, count: int) -> Measurement:
        words = [client, workload.kind, self._port, workload.size, count]
        try:
            done = subprocess.run(
                [sys.executable, "-m", self._module, *map(str, words)],
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise ClientFailed(f"no result after {PATIENCE} s") from None
        if done.returncode:
            raise ClientFailed((done.stderr.strip().splitlines() or ["no message"])[-1])
        result = json.loads(done.stdout.splitlines()[-1])
        return Measurement(client, workload=workload, repetition=repetition, count=count, **result)


@contextmanager
def running_server(module: str = "bench.server") -> Iterator[int]:
    """The server in a process of its own; its port."""
    with subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()  # which is how it learns that it may end
            server.wait(10)


def share_one_core() -> str:
    """Pin this process, and so all that it starts, to one core where the system can.

    Server and client then take turns. On two cores a message would also pay for waking the other
    one, which in a virtual machine costs more than a round trip, and differs from run to run.
    """
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned to a core: this system cannot"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"client and server share core {core}"
