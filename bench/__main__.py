"""Names of benchmarks and clients → tables of what was measured in one run, and a file of it.

make bench                                            all of it
make bench ARGS="'echo/*' connect"                    some benchmarks (glob patterns)
make bench ARGS="--clients 'tieline-*,picows-*' ..."  some clients
make bench ARGS=--list                                what there is
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench.catalogue import BENCHMARKS, named
from bench.contestants import NAMES, added, chosen
from bench.machine import Machine, description
from bench.native_programs import CannotBuild
from bench.results import Results, read
from bench.runner import OutOfTime, Runner
from bench.server import running_server
from bench.table import aligned, render


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status is 1 when a client failed or the time was not enough."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        benchmarks = named(options.benchmarks)
        contestants, missing = chosen(_split(options.clients))
        contestants += [added(text, "added") for text in options.add]
        contestants += [added(text, "peer") for text in options.add_peer]
    except ValueError as error:
        parser.error(str(error))
    if options.list:
        print(_listing(missing))
        return 0
    complaints: list[str] = []
    try:
        results = Results(description())
        machine = Machine(look_for_quiet=options.retries > 0)
        with running_server() as server:
            print(_headline(options, machine, missing), flush=True)
            runner = Runner(
                server,
                machine,
                repetitions=options.repetitions,
                target=options.target,
                retries=options.retries,
                deadline=time.monotonic() + 60 * options.minutes,
            )
            for number, benchmark in enumerate(benchmarks):
                try:
                    measured = runner.measure(benchmark, contestants, complaints.append)
                except OutOfTime:
                    left = ", ".join(each.name for each in benchmarks[number:])
                    complaints.append(f"{options.minutes:g} minutes are over; without {left}")
                    break
                results.measured[benchmark.name] = measured
                print(f"\n{render(measured)}", flush=True)
                if options.json is not None:
                    _store(results, options.json)
        machine.release()
    except CannotBuild as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    for complaint in complaints:
        print(f"bench: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def _store(results: Results, path: Path) -> None:
    """Write what there is so far; what the file has of other benchmarks stays."""
    before = read(path).measured if path.exists() else {}
    Results(results.machine, before | results.measured).write(path)


def _headline(options: argparse.Namespace, machine: Machine, missing: dict[str, str]) -> str:
    told = description()
    lines = [
        f"{told['python']}, {told['processor']}, {told['system']}, "
        f"TCP {told['congestion_control']}",
        f"{options.repetitions} repetitions in turns, about {options.target:g} s each unless the "
        "benchmark needs more; medians. "
        "Ratios: medians of those within one repetition; above 1 is better than the reference.",
        f"Client and server share a core ({machine.cores}), unless it is about two threads.",
    ]
    lines += [f"without {name}: {reason}" for name, reason in missing.items()]
    return "\n".join(lines)


def _listing(missing: dict[str, str]) -> str:
    rows = [["benchmark", "unit", "what it is"]]
    for benchmark in BENCHMARKS:
        note = " (only when named)" if benchmark.extra else ""
        rows.append([benchmark.name, benchmark.unit, benchmark.title + note])
    lines = [line.rstrip() for line in aligned([[row[0], row[1], ""] for row in rows])]
    lines = [f"{line}  {row[2]}" for line, row in zip(lines, rows, strict=True)]
    lines += ["", "  client"]
    lines += [f"  {name}{f': {missing[name]}' if name in missing else ''}" for name in NAMES]
    return "\n".join(lines)


def _split(texts: list[str]) -> list[str]:
    return [word for text in texts for word in text.split(",") if word]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure tieline beside its limits and the clients that are installed.",
    )
    parser.add_argument(
        "benchmarks", nargs="*", metavar="PATTERN", help="names of benchmarks, such as 'echo/*'"
    )
    parser.add_argument("--list", action="store_true", help="print all names and end")
    parser.add_argument(
        "--clients",
        action="append",
        default=[],
        metavar="PATTERNS",
        help="comma-separated names of clients; those of tieline take settings: "
        "tieline-plain?backend=isal&level=6",
    )
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="one more client, such as 'before=/old/bin/python -m bench.client tieline_plain'",
    )
    parser.add_argument(
        "--add-peer", action="append", default=[], metavar="NAME=COMMAND", help="the same, ranked"
    )
    parser.add_argument("--repetitions", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument(
        "--target", type=float, default=0.15, metavar="SECONDS", help="of one run (default: 0.15)"
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=2,
        metavar="N",
        help="how often a run is repeated while the core is not at full speed (default: 2)",
    )
    parser.add_argument(
        "--minutes", type=float, default=25, help="begin nothing new after that (default: 25)"
    )
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the results there; benchmarks in it that were not measured now are kept",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
