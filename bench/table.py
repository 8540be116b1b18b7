"""What was measured → tables of text, and the numbers in them."""

from __future__ import annotations

from bench.results import Measured, Taken

#: Who comes first.
_ORDER = ("limit", "floor", "ours", "added", "peer")


def render(measured: Measured) -> str:
    """One benchmark: limits first, then everybody else, the best first."""
    benchmark = measured.definition
    lines = [f"{benchmark.name}: {benchmark.title} ({benchmark.unit})"]
    best = measured.of_kind("peer")
    limit, floor = measured.of_kind("limit"), measured.of_kind("floor")
    rows = [["client", benchmark.unit, "min..max", "x floor", "x C limit", "x best peer"]]
    rows[0] += ["CPU us each", "server us", "quiet"]
    if any(one.wire for one in measured.done):
        rows[0].append("bytes each")
    for one in ranked(measured):
        low, high = one.spread
        row = [one.client + (" *" if one is best else ""), number(one.value)]
        row += [f"{number(low)}..{number(high)}"]
        row += [factor(measured.ratio(one, reference)) for reference in (floor, limit, best)]
        row += [number(one.cpu_each), number(median_of(one.server_cpu))]
        row.append(f"{sum(one.quiet)}/{len(one.quiet)}")
        if len(rows[0]) > len(row):
            row.append(number(one.wire) if one.wire else "-")
        rows.append(row)
    if len(rows) > 1:
        lines += aligned(rows)
    reasons: dict[str, list[str]] = {}
    for one in measured.taken:
        reason = one.unsupported or (one.failed and f"failed: {one.failed}")
        if reason:
            reasons.setdefault(reason, []).append(one.client)
    lines += [f"  without {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    return "\n".join(lines)


def ranked(measured: Measured) -> list[Taken]:
    sign = -1 if measured.definition.more_is_better else 1
    limits = ("limit", "floor")
    return sorted(
        measured.done,
        key=lambda one: (
            (_ORDER.index(one.kind), 0.0) if one.kind in limits else (len(limits), sign * one.value)
        ),
    )


def number(value: float | None) -> str:
    """Three digits and a unit of thousands."""
    if value is None:
        return "-"
    for least, divisor, unit in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= least:
            return f"{value / divisor:.3g}{unit}" if value < 1e3 * divisor else f"{value:.3g}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def factor(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def median_of(series: list[float | None]) -> float | None:
    present = sorted(value for value in series if value is not None)
    return present[len(present) // 2] if present else None


def aligned(rows: list[list[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
