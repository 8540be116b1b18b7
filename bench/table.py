"""Measurements of one workload → a table of medians and of ratios to the first client."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from bench.runner import Measurement

_HEAD = ("client", "messages/s", "ratio", "CPU s per million", "ratio")


def render(measurements: list[Measurement]) -> str:
    """Fastest first. A ratio is the median of the ratios of runs of the same repetition."""
    by_client: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        by_client.setdefault(measurement.client, []).append(measurement)
    if not by_client:
        return "  nothing was measured"
    reference = next(iter(by_client.values()))
    ranked = sorted(by_client.values(), key=lambda runs: -_median(runs, _speed))
    rows = [_HEAD] + [_row(runs, reference) for runs in ranked]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        f"  {row[0]:<{widths[0]}}"
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )


def _row(runs: list[Measurement], reference: list[Measurement]) -> tuple[str, ...]:
    return (
        runs[0].version,
        f"{_median(runs, _speed):,.0f}",
        f"{_ratio(runs, reference, _speed):.3g}",
        f"{_median(runs, _cost):,.3g}",
        f"{_ratio(runs, reference, _cost):.3g}",
    )


def _ratio(
    runs: list[Measurement], reference: list[Measurement], of: Callable[[Measurement], float]
) -> float:
    pairs = {run.repetition: of(run) for run in reference}
    return median(of(run) / pairs[run.repetition] for run in runs if run.repetition in pairs)


def _median(runs: list[Measurement], of: Callable[[Measurement], float]) -> float:
    return median(map(of, runs))


def _speed(run: Measurement) -> float:
    return run.per_second


def _cost(run: Measurement) -> float:
    return run.cpu_per_million
