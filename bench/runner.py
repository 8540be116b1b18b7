"""Benchmarks and clients → repetitions of runs in turns, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from bench.catalogue import BATCH, PACE, Benchmark
from bench.contestants import ROOT, Contestant
from bench.machine import Machine, allow_many_descriptors
from bench.results import Measured, Taken
from bench.server import Server

#: Seconds for one process, its start included.
PATIENCE = 90
#: A count grows by this factor at most from one try to the next.
_MOST_AT_ONCE = 60
#: Sent and looked at byte by byte, before anything is measured.
_CHECKED = 200
#: The biggest message that the server takes to look at.
_CHECKED_SIZE = 1 << 16
_PATHS = {"receive": "receive", "stream": "receive", "load": "connect"}


class ClientFailed(Exception):
    """A client's process did not do its work; says why."""


class OutOfTime(Exception):
    """The time for all of it is used up."""


class Runner:
    """Measures against one server."""

    def __init__(
        self,
        server: Server,
        machine: Machine,
        *,
        repetitions: int,
        target: float,
        retries: int = 2,
        deadline: float | None = None,
    ) -> None:
        self._server = server
        self._machine = machine
        self._repetitions = repetitions
        #: Seconds that a run should take, unless the benchmark needs more.
        self._target = target
        #: How often a run beside which the core was not quiet is done again.
        self._retries = retries
        #: On the monotonic clock, or None.
        self._deadline = deadline
        self._numbers = count(1)

    def measure(
        self, benchmark: Benchmark, contestants: list[Contestant], tell: Callable[[str], None]
    ) -> Measured:
        """All repetitions. Who fails is told of and left out. Raises `OutOfTime`."""
        measured = Measured(benchmark.name)
        repetitions = min(self._repetitions, benchmark.repetitions or self._repetitions)
        ready: list[tuple[Contestant, Taken, int]] = []
        lacking = self._lacking(benchmark)
        for contestant in contestants:
            taken = Taken(contestant.name, contestant.kind)
            measured.taken.append(taken)
            if lacking:
                taken.unsupported = lacking
                continue
            try:
                messages = self._count_for(contestant, benchmark, taken)
            except ClientFailed as error:
                taken.failed = str(error)
                tell(f"{contestant.name}, {benchmark.name}: {error}")
                continue
            if messages is not None:
                ready.append((contestant, taken, messages))
        for repetition in range(repetitions):
            # Nobody is always the one who comes after the same neighbour.
            first = repetition * 5 % max(1, len(ready))
            for contestant, taken, messages in ready[first:] + ready[:first]:
                try:
                    self._take(contestant, benchmark, messages, taken)
                except ClientFailed as error:
                    for series in (taken.values, taken.cpu, taken.server_cpu):
                        series.append(None)
                    taken.quiet.append(False)
                    taken.failed = str(error)
                    tell(f"{contestant.name}, {benchmark.name}: {error}")
        return measured

    def _lacking(self, benchmark: Benchmark) -> str | None:
        if benchmark.tls and not self._server.tls_port:
            return "trustme is not installed, which makes the certificate"
        idle = benchmark.count if benchmark.work == "idle" else benchmark.crowd
        return allow_many_descriptors(idle) if idle else None

    def _count_for(self, contestant: Contestant, benchmark: Benchmark, taken: Taken) -> int | None:
        """How many messages keep this client busy for the target time; None: it cannot do it."""
        messages = benchmark.count
        target = max(self._target, benchmark.least_seconds)
        if benchmark.work.startswith("send") and benchmark.size <= _CHECKED_SIZE:
            batches = max(1, _CHECKED // BATCH) * BATCH
            checked = batches if benchmark.work == "send_corked" else _CHECKED
            if not self._supports(self._run(contestant, benchmark, checked, check=True), taken):
                return None
        if benchmark.fixed:
            if benchmark.repetitions == 1:
                return messages  # it costs too much to be done twice; `_take` finds out
            outcome = self._run(contestant, benchmark, messages)
            return messages if self._supports(outcome, taken) else None
        while True:
            outcome = self._run(contestant, benchmark, messages)
            if not self._supports(outcome, taken):
                return None
            factor = target / max(outcome["seconds"], 1e-5)
            messages = max(1, round(messages * min(factor, _MOST_AT_ONCE)))
            if benchmark.work == "send_corked":
                messages = max(1, messages // BATCH) * BATCH
            if factor <= 3:
                return messages

    @staticmethod
    def _supports(outcome: dict[str, Any], taken: Taken) -> bool:
        taken.unsupported = outcome.get("unsupported")
        taken.version = outcome.get("version", "")
        return taken.unsupported is None

    def _take(
        self, contestant: Contestant, benchmark: Benchmark, messages: int, taken: Taken
    ) -> None:
        """One repetition; again when it was disturbed."""
        outcome: dict[str, Any] = {}
        quiet = False
        for _ in range(1 + (0 if benchmark.repetitions == 1 else self._retries)):
            outcome = self._run(contestant, benchmark, messages)
            if not self._supports(outcome, taken):
                return
            quiet = self._machine.is_quiet()
            if quiet:
                break
        taken.values.append(_value(benchmark, messages, outcome))
        taken.cpu.append(outcome["cpu_seconds"] / messages * 1e6)
        taken.server_cpu.append(outcome["server_cpu_seconds"] / messages * 1e6)
        taken.quiet.append(quiet)
        if benchmark.deflate and benchmark.work in ("receive", "send"):
            taken.wire = outcome["in" if benchmark.work == "send" else "out"] / messages

    def _run(
        self, contestant: Contestant, benchmark: Benchmark, messages: int, check: bool = False
    ) -> dict[str, Any]:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise OutOfTime
        self._server.move(self._machine.settle(benchmark.one_core))
        number = next(self._numbers)
        command = [*contestant.command, *self._options(benchmark, messages, number, check)]
        before = self._server.cpu_seconds()
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT
            )
        except subprocess.TimeoutExpired:
            raise ClientFailed(f"no result after {PATIENCE} s") from None
        except OSError as error:
            raise ClientFailed(f"cannot be started: {error}") from None
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not lines:
            raise ClientFailed((done.stderr.strip().splitlines() or ["no message"])[-1][:300])
        outcome: dict[str, Any] = json.loads(lines[-1])
        if "unsupported" in outcome:
            return outcome
        if benchmark.deflate and benchmark.work in ("receive", "send", "stream"):
            outcome |= self._server.said_of(number)
            if not outcome.get("agreed") and "compression=none" not in contestant.command[-1]:
                return {"unsupported": "did not ask for compression"}
        outcome["server_cpu_seconds"] = self._server.cpu_seconds() - before
        return outcome

    def _options(self, benchmark: Benchmark, messages: int, number: int, check: bool) -> list[str]:
        """The options of the client's command line: what it is to do, and where."""
        work = benchmark.work
        batch = BATCH if work == "send_corked" else 0
        query = {
            "run": number if benchmark.deflate else 0,
            "size": benchmark.size,
            "count": 1 if work == "send_fragments" else messages,
            "text": int(benchmark.text),
            "deflate": int(benchmark.deflate),
            "fragments": int(benchmark.fragments),
            "batch": batch,
            "check": int(check),
            "rate": PACE,
        }
        words = "&".join(f"{name}={value}" for name, value in query.items() if value)
        path = "send" if work.startswith("send") else _PATHS.get(work, work)
        scheme, port = (
            ("wss", self._server.tls_port) if benchmark.tls else ("ws", self._server.port)
        )
        options = {
            "url": f"{scheme}://127.0.0.1:{port}/{path}?{words}",
            "work": work,
            "size": benchmark.size,
            "count": messages,
            "text": int(benchmark.text),
            "deflate": int(benchmark.deflate),
            "fragments": int(benchmark.fragments),
            "busy": int(benchmark.busy),
            "crowd": benchmark.crowd,
            "flooded": int(benchmark.flooded),
            "batch": max(1, batch),
            "exchanged": benchmark.exchanged,
        }
        if benchmark.tls:
            options["cafile"] = self._server.authority or ""
        return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def _value(benchmark: Benchmark, messages: int, outcome: dict[str, Any]) -> float:
    """The outcome in the benchmark's unit."""
    match benchmark.unit:
        case "per second":
            return messages / outcome["seconds"]
        case "KiB each":
            return outcome["kib_each"]
        case "MiB":
            return outcome["peak_bytes"] / (1 << 20)
        case "ms at p99":
            return outcome["p99_ms"]
        case "ms":
            return outcome["load_ms"]
