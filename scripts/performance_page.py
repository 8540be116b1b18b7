"""The stored results of the benchmark → the tables of docs/performance.md, the short one of README.

    python -m scripts.performance_page

writes them anew; tests/test_performance_page.py proves that the pages, and their pictures, are of
these results. `python -m bench.plot bench/results/results.json` draws the pictures.
"""

from __future__ import annotations

from pathlib import Path

from bench.plot import PICTURES
from bench.results import Measured, Results, Taken, read
from bench.table import factor, number
from scripts.generated import END, begin, page_with

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"
RESULTS = ROOT / "bench" / "results" / "results.json"
BEGIN = begin("scripts.performance_page")

_FRONTS = ("tieline-callback", "tieline-plain", "tieline-asyncio", "tieline-uvloop")
#: README's lines and columns: what most programs do, and what most programs use.
_SHORT = (
    *("echo/256", "tls-echo/256", "receive/16", "receive/1024", "tls-receive/128"),
    *("deflate-receive/300", "send/128", "connect"),
)
_WELL_KNOWN = (
    *("tieline-callback", "tieline-plain", "tieline-asyncio"),
    *("websocket-client", "websockets-sync", "aiohttp-asyncio", "picows-asyncio"),
)
#: Columns of one table of everybody.
_MOST_COLUMNS = 6


def tables() -> str:
    """All that stands between the two marks of the page."""
    results = read(RESULTS)
    lines = [BEGIN, "", *_measured_on(results), ""]
    lines += ["### tieline beside its limits and the best of the others", "", *_fronts(results)]
    lines += ["", "### Where another library is ahead", "", *_behind(results)]
    for picture in PICTURES:
        if any(name in results.measured for name in picture.benchmarks):
            lines += ["", f"![{picture.title}]({picture.file})"]
    lines += ["", "### Everybody", "", *_everybody(results)]
    return "\n".join([*lines, "", END])


def short_table() -> str:
    """The same for README."""
    results = read(RESULTS)
    lines = [BEGIN, "", _row(["per second", *_WELL_KNOWN])]
    lines.append("| --- |" + " ---: |" * len(_WELL_KNOWN))
    for name in _SHORT:
        if (measured := results.measured.get(name)) is None:
            continue
        found = [_find(measured, client) for client in _WELL_KNOWN]
        best = max(one.value for one in found if one is not None)
        cells = [_bold(one, one is not None and one.value == best) for one in found]
        lines.append(_row([measured.definition.title, *cells]))
    return "\n".join([*lines, "", END])


def _measured_on(results: Results) -> list[str]:
    machine = results.machine
    libraries = sorted(set(results.versions().values()) - {"C"})
    most = max(
        (len(one.values) for measured in results.ordered() for one in measured.taken), default=0
    )
    return [
        f"{machine['python']} (GIL {machine['gil']}), {machine['processor']}, "
        f"{machine['system']}, TCP {machine['congestion_control']}; {machine['compiler']}. "
        f"{', '.join(libraries)}. "
        f"Medians of {most} repetitions."
    ]


def _fronts(results: Results) -> list[str]:
    """A line for each benchmark."""
    head = ["", "C limit", "CPython floor", *(name.partition("-")[2] for name in _FRONTS)]
    head += ["best other", "", "of the floor", "of the best other"]
    lines = [_row(head), "| --- |" + " ---: |" * (len(head) - 1)]
    for measured in results.ordered():
        best = measured.of_kind("peer")
        ours = [_find(measured, name) for name in _FRONTS]
        ahead = measured.of_kind("ours")
        floor = measured.of_kind("floor")
        cells = [_title(measured), _value(measured.of_kind("limit")), _value(floor)]
        cells += [_bold(one, one is not None and one is ahead) for one in ours]
        cells += [_value(best), best.client if best else "-"]
        cells += [factor(measured.ratio(ahead, one)) if ahead else "-" for one in (floor, best)]
        lines.append(_row(cells))
    return lines


def _behind(results: Results) -> list[str]:
    """What the best of tieline's fronts does not win."""
    lines = []
    for measured in results.ordered():
        ours, best = measured.of_kind("ours"), measured.of_kind("peer")
        if ours is None or best is None:
            continue
        ratio = measured.ratio(ours, best)
        if ratio is not None and ratio < 1:
            lines.append(
                f"- {measured.definition.title}: {best.client} has {number(best.value)}, "
                f"{ours.client} {number(ours.value)} ({factor(ratio)} of it)"
            )
    return lines or ["Nowhere in what was measured here."]


def _everybody(results: Results) -> list[str]:
    """Clients in rows; the best of the others is bold."""
    names: dict[str, None] = {}
    for measured in results.ordered():
        names |= dict.fromkeys(one.client for one in measured.taken)
    shown = results.ordered()
    lines: list[str] = []
    for start in range(0, len(shown), _MOST_COLUMNS):
        part = shown[start : start + _MOST_COLUMNS]
        lines += [""] if lines else []
        lines += [_row(["", *map(_title, part)]), "| --- |" + " ---: |" * len(part)]
        for name in names:
            cells = []
            for measured in part:
                one = _find(measured, name)
                cells.append(_bold(one, one is not None and one is measured.of_kind("peer")))
            if set(cells) != {"-"}:
                lines.append(_row([name, *cells]))
    return lines


def _find(measured: Measured, name: str) -> Taken | None:
    return next((one for one in measured.done if one.client == name), None)


def _title(measured: Measured) -> str:
    benchmark = measured.definition
    unit = "" if benchmark.more_is_better else f" ({benchmark.unit})"
    return benchmark.title + unit


def _value(one: Taken | None) -> str:
    return "-" if one is None else number(one.value)


def _bold(one: Taken | None, bold: bool) -> str:
    return f"**{_value(one)}**" if bold else _value(one)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    for path, part in ((PAGE, tables()), (README, short_table())):
        path.write_text(page_with(part, path.read_text(encoding="utf-8")), encoding="utf-8")
