"""Runs → medians, paired ratios, and the JSON file that holds them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import median
from typing import Any

from bench.catalogue import BENCHMARKS, Benchmark
from bench.contestants import Kind

#: One measurement of each repetition; None where the run failed.
Series = list[float | None]


@dataclass
class Taken:
    """All repetitions of one client at one benchmark."""

    client: str
    kind: Kind
    version: str = ""
    #: In the benchmark's unit.
    values: Series = field(default_factory=list)
    #: Microseconds of processor time for each message, the client's and the server's.
    cpu: Series = field(default_factory=list)
    server_cpu: Series = field(default_factory=list)
    #: Whether the core was at full speed before and after each run.
    quiet: list[bool] = field(default_factory=list)
    #: Bytes on the wire for each message, where there is something to tell of it.
    wire: float | None = None
    #: Why there is nothing.
    unsupported: str | None = None
    failed: str | None = None

    @property
    def value(self) -> float:
        return _middle(self, self.values)

    @property
    def cpu_each(self) -> float:
        return _middle(self, self.cpu)

    @property
    def spread(self) -> tuple[float, float]:
        values = [value for value in self.values if value is not None]
        return min(values), max(values)


@dataclass
class Measured:
    """One benchmark: who was measured, in the order of the contestants."""

    benchmark: str
    taken: list[Taken] = field(default_factory=list)

    @property
    def done(self) -> list[Taken]:
        """Those who have results."""
        return [one for one in self.taken if any(value is not None for value in one.values)]

    def of_kind(self, kind: Kind) -> Taken | None:
        """The best of them."""
        candidates = [one for one in self.done if one.kind == kind]
        if not candidates:
            return None
        best = max if self.definition.more_is_better else min
        return best(candidates, key=lambda one: one.value)

    def ratio(self, one: Taken, reference: Taken | None) -> float | None:
        """How many times as good as the reference: median of the ratios of the same repetition.

        Above 1 is better than it, also where less is better.
        """
        if reference is None:
            return None
        pairs = [
            (mine, theirs)
            for mine, theirs in zip(one.values, reference.values, strict=False)
            if mine is not None and theirs is not None and mine > 0 and theirs > 0
        ]
        if not pairs:
            return None
        ratios = [mine / theirs for mine, theirs in pairs]
        return median(ratios) if self.definition.more_is_better else 1 / median(ratios)

    @property
    def definition(self) -> Benchmark:
        return next(known for known in BENCHMARKS if known.name == self.benchmark)


def _middle(taken: Taken, series: Series) -> float:
    """Of the undisturbed runs, if there are two of them or more."""
    present = [
        (value, quiet)
        for value, quiet in zip(series, taken.quiet, strict=True)
        if value is not None
    ]
    undisturbed = [value for value, quiet in present if quiet]
    enough = len(undisturbed) >= min(2, len(present))
    return median(undisturbed if enough and undisturbed else [value for value, _ in present])


@dataclass
class Results:
    """What a file of results holds."""

    #: What the numbers depend on: processor, Python, compiler.
    machine: dict[str, str] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)

    def ordered(self) -> list[Measured]:
        """As in the catalogue, which names that are not known any more have left."""
        return [self.measured[known.name] for known in BENCHMARKS if known.name in self.measured]

    def versions(self) -> dict[str, str]:
        """Client → its version."""
        return {
            one.client: one.version
            for measured in self.ordered()
            for one in measured.taken
            if one.version
        }

    def write(self, path: Path) -> None:
        """One line for each client, so that changes can be read."""
        lines = ["{", f' "machine": {json.dumps(self.machine)},', ' "benchmarks": {']
        blocks = []
        for measured in self.ordered():
            rows = ",\n".join(f"   {json.dumps(_compact(one))}" for one in measured.taken)
            blocks.append(f'  "{measured.benchmark}": [\n{rows}\n  ]')
        lines += [",\n".join(blocks), " }", "}", ""]
        path.write_text("\n".join(lines))


def read(path: Path) -> Results:
    stored = json.loads(path.read_text())
    measured = {
        name: Measured(name, [_taken(row) for row in rows])
        for name, rows in stored["benchmarks"].items()
    }
    return Results(stored["machine"], measured)


def _compact(taken: Taken) -> dict[str, Any]:
    """Without what says nothing, and with the digits that a measurement has."""
    return {
        name: _rounded(value) for name, value in asdict(taken).items() if value not in (None, [])
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return [_rounded(each) for each in value] if isinstance(value, list) else value


def _taken(row: dict[str, Any]) -> Taken:
    known = {each.name for each in fields(Taken)}
    return Taken(**{name: value for name, value in row.items() if name in known})
