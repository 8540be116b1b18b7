"""Medians, ratios of the same repetition, and the file of results."""

from __future__ import annotations

from pathlib import Path

from bench.results import Measured, Results, Taken, read
from bench.table import factor, number, render


def taken(client: str, kind: str, values: list[float | None], quiet: bool = True) -> Taken:
    return Taken(
        client,
        kind,  # type: ignore[arg-type]
        f"{client} 1.0",
        values,
        [1.0] * len(values),
        [0.5] * len(values),
        [quiet] * len(values),
    )


def test_a_ratio_is_of_runs_of_the_same_repetition() -> None:
    ours = taken("tieline-plain", "ours", [1000, 250, None])
    # A disturbed repetition slows both alike, and the ratio stays.
    peer = taken("picows-uvloop", "peer", [500, 125, 800])
    measured = Measured("echo/256", [ours, peer])
    assert measured.ratio(ours, peer) == 2
    assert measured.of_kind("peer") is peer
    assert measured.ratio(ours, measured.of_kind("floor")) is None


def test_where_less_is_better_a_ratio_above_one_still_is() -> None:
    ours = taken("tieline-plain", "ours", [4.0])
    peer, worse = taken("aiohttp", "peer", [8.0]), taken("websockets", "peer", [40.0])
    measured = Measured("idle/1000", [worse, peer, ours])
    assert measured.of_kind("peer") is peer
    assert measured.ratio(ours, peer) == 2


def test_disturbed_runs_count_only_where_there_are_no_others() -> None:
    one = taken("a", "peer", [100, 10, 102, 104])
    one.quiet[1] = False
    assert one.value == 102
    assert taken("a", "peer", [100, 10, 102], quiet=False).value == 100


def test_the_file_keeps_what_is_told(tmp_path: Path) -> None:
    failed = Taken("picows-uvloop", "peer", failed="it broke")
    measured = Measured("echo/256", [taken("tieline-plain", "ours", [1234.5678, None]), failed])
    path = tmp_path / "results.json"
    Results({"python": "CPython"}, {"echo/256": measured}).write(path)
    again = read(path)
    assert again.machine == {"python": "CPython"}
    assert again.measured["echo/256"].taken[0].values == [1234.6, None]
    assert again.measured["echo/256"].taken[1] == failed
    assert again.versions() == {"tieline-plain": "tieline-plain 1.0"}


def test_the_table_has_the_best_first_and_reasons_last() -> None:
    measured = Measured(
        "echo/256",
        [
            taken("websockets", "peer", [100.0]),
            taken("tieline-plain", "ours", [300.0]),
            taken("cpython-floor", "floor", [400.0]),
            Taken("picows-uvloop", "peer", unsupported="no such call"),
            Taken("aiohttp", "peer", failed="it broke"),
        ],
    )
    _, head, *rows = render(measured).splitlines()
    assert head.split()[:3] == ["client", "per", "second"]
    assert [row.split()[0] for row in rows[:3]] == ["cpython-floor", "tieline-plain", "websockets"]
    assert rows[1].split()[3:6] == ["0.75", "-", "3.00"]
    assert rows[2].split()[1] == "*"
    assert rows[3:] == [
        "  without picows-uvloop: no such call",
        "  without aiohttp: failed: it broke",
    ]


def test_numbers_have_three_digits() -> None:
    shown = [number(value) for value in (0.1234, 1.5, 123.4, 9876, 12_345, 1_234_567, None)]
    assert shown == ["0.123", "1.5", "123", "9876", "12.3k", "1.23M", "-"]
    assert [factor(value) for value in (0.987, 12.3, None)] == ["0.99", "12", "-"]
