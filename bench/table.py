"""Measurements of one workload → a table of medians and of ratios to the first client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from bench.runner import Measurement

Runs = Sequence[Measurement]


class Column(NamedTuple):
    """One column: its heading, and the runs of a client and of the first one → a cell."""

    head: str
    cell: Callable[[Runs, Runs], str]


def render(measurements: Runs, columns: Sequence[Column] | None = None) -> str:
    """Fastest first. A ratio is the median of the ratios of runs of the same repetition."""
    columns = COLUMNS if columns is None else columns
    by_client: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        by_client.setdefault(measurement.client, []).append(measurement)
    if not by_client:
        return "  nothing was measured"
    reference = next(iter(by_client.values()))
    ranked = sorted(by_client.values(), key=lambda runs: -middle(runs, _speed))
    rows = [["client", *(column.head for column in columns)]]
    for runs in ranked:
        rows.append([runs[0].version, *(column.cell(runs, reference) for column in columns)])
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        f"  {row[0]:<{widths[0]}}"
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )


def ratio(runs: Runs, reference: Runs, of: Callable[[Measurement], float]) -> float:
    pairs = {run.repetition: of(run) for run in reference}
    return median(of(run) / pairs[run.repetition] for run in runs if run.repetition in pairs)


def middle(runs: Runs, of: Callable[[Measurement], float]) -> float:
    return median(map(of, runs))


def _speed(run: Measurement) -> float:
    return run.per_second


def _cost(run: Measurement) -> float:
    return run.cpu_per_million


SPEED = Column("messages/s", lambda runs, _: f"{middle(runs, _speed):,.0f}")
SPEED_RATIO = Column("ratio", lambda runs, reference: f"{ratio(runs, reference, _speed):.3g}")
COST = Column("CPU s per million", lambda runs, _: f"{middle(runs, _cost):,.3g}")
COST_RATIO = Column("ratio", lambda runs, reference: f"{ratio(runs, reference, _cost):.3g}")
COLUMNS = (SPEED, SPEED_RATIO, COST, COST_RATIO)
