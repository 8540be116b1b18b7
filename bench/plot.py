"""A file of results → pictures of it: how everybody does, beside the limits.

    python -m bench.plot bench/results/results.json     # docs/performance-*.png

matplotlib is in the dependency group ``bench``.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bench.contestants import ROOT
from bench.results import Measured, Results, Taken, read
from bench.table import number

FOLDER = ROOT / "docs"
#: The picture's entry that says which results it was drawn from.
SOURCE = "Source"
_COLOURS = {"floor": "#9e9e9e", "ours": "#3949ab", "peer": "#ffb300"}
#: Benchmarks beside each other.
_COLUMNS = 2


@dataclass(frozen=True)
class Picture:
    name: str
    title: str
    benchmarks: tuple[str, ...]

    @property
    def file(self) -> str:
        return f"performance-{self.name}.png"


PICTURES = (
    Picture("echo", "Round trips per second", ("echo/256", "echo/8192", "tls-echo/256")),
    Picture(
        "receive",
        "Messages received per second",
        ("receive/16", "receive/128", "receive/1024", "receive/65536", "receive/262144"),
    ),
    Picture(
        "send",
        "Messages sent per second",
        ("send/128", "send-many/128", "send-corked/128", "deflate-send/300"),
    ),
    Picture(
        "connections",
        "Connections",
        ("connect", "idle/1000", "deflate-receive/300", "tls-receive/128"),
    ),
)


def fingerprint(path: Path) -> str:
    """Of the file of results."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def source_of(picture: Path) -> str | None:
    """The fingerprint that a picture was drawn with: PNG's text chunk of this name."""
    data = picture.read_bytes()
    position = 8  # behind the signature
    while position < len(data):
        size = int.from_bytes(data[position : position + 4])
        kind, content = data[position + 4 : position + 8], data[position + 8 : position + 8 + size]
        name, _, text = content.partition(b"\0")
        if kind == b"tEXt" and name.decode() == SOURCE:
            return text.decode()
        position += size + 12
    return None


def draw(picture: Picture, results: Results, source: str, folder: Path) -> Path | None:
    """The picture as a file in the folder; None when nothing of it was measured."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [results.measured[name] for name in picture.benchmarks if name in results.measured]
    if not shown:
        return None
    rows = (len(shown) + _COLUMNS - 1) // _COLUMNS
    tallest = max(len(measured.done) for measured in shown)
    figure, axes = pyplot.subplots(
        rows,
        _COLUMNS,
        figsize=(5 * _COLUMNS, rows * (0.8 + 0.19 * tallest)),
        layout="constrained",
        squeeze=False,
    )
    for axis, measured in zip_longest(axes.flat, shown):
        if measured is None:
            axis.remove()
        else:
            _bars(axis, measured, tallest)
    figure.suptitle(picture.title)
    path = folder / picture.file
    figure.savefig(path, dpi=100, metadata={SOURCE: source, "Software": None})
    pyplot.close(figure)
    return path


def _bars(axis: Any, measured: Measured, places: int) -> None:
    """One benchmark, the best on top; without the C limit, beside which nobody could be seen."""
    benchmark = measured.definition
    shown = [one for one in measured.done if one.kind != "limit"]
    shown.sort(key=lambda one: one.value, reverse=not benchmark.more_is_better)
    bars = axis.barh(
        range(len(shown)),
        [one.value for one in shown],
        color=[_COLOURS.get(one.kind, "#8d6e63") for one in shown],
        xerr=_whiskers(shown),
        error_kw={"elinewidth": 0.8, "ecolor": "#616161"},
    )
    axis.bar_label(bars, [number(one.value) for one in shown], padding=4, fontsize=7)
    axis.set_yticks(range(len(shown)), [one.client for one in shown], fontsize=7)
    axis.set_title(f"{benchmark.title} ({benchmark.unit})", fontsize=9)
    axis.set_xticks([])
    axis.margins(x=0.12)
    axis.set_ylim(len(shown) - places - 0.6, len(shown) - 0.4)
    for side in ("top", "right", "bottom"):
        axis.spines[side].set_visible(False)


def _whiskers(shown: list[Taken]) -> list[list[float]]:
    """From each value down to the least and up to the most that was seen."""
    down = [max(0.0, one.value - one.spread[0]) for one in shown]
    up = [max(0.0, one.spread[1] - one.value) for one in shown]
    return [down, up]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.plot")
    parser.add_argument("results", type=Path)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="default: docs")
    options = parser.parse_args(arguments)
    results, source = read(options.results), fingerprint(options.results)
    for picture in PICTURES:
        drawn = draw(picture, results, source, options.folder)
        print(drawn or f"{picture.name}: nothing was measured for it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
