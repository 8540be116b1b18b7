"""The installed clients → compressed messages per second, processor time and size, in one run."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from bench.deflate.contestants import installed
from bench.deflate.feed import feed
from bench.deflate.workloads import WORKLOADS
from bench.runner import Measurement, Runner, running_server, share_one_core
from bench.table import COST, SPEED, SPEED_RATIO, Column, middle, render

_SERVER = (
    "server: raw sockets in a process of its own; it sends blocks compressed beforehand (zlib's "
    "level 6, the client's own wishes), and counts what it is sent"
)
COLUMNS = (
    SPEED,
    SPEED_RATIO,
    COST._replace(head="CPU us/message"),
    Column(
        "bytes/message",
        lambda runs, _: f"{middle(runs, lambda run: run.wire_bytes_per_message):,.1f}",
    ),
    Column("agreed", lambda runs, _: runs[0].agreed.removeprefix("permessage-deflate; ")),
)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status is 1 when a client failed."""
    options = _parser().parse_args(arguments)
    repetitions, target = (3, 0.1) if options.quick else (7, 0.3)
    contestants, missing = installed()
    contestants = [name for name in contestants if any(map(name.startswith, options.clients))]
    complaints: list[str] = []
    taken: list[Measurement] = []

    print(f"Python {platform.python_version()}, {platform.machine()}; {share_one_core()}")
    print(_SERVER)
    print(f"{repetitions} repetitions in turns, {target:g} s each; medians; ratios to the first's")
    print("bytes/message: on the wire, frame headers included")
    print(
        "tieline: its own choice of backend and level where none is named; with a level, window and"
    )
    print("tables are zlib's largest defaults, as the peers have them")
    if missing:
        print(f"not installed: {', '.join(missing)}")
    with running_server("bench.deflate.server") as port:
        runner = Runner(port, target, complaints.append, "bench.deflate.measure")
        for workload in WORKLOADS:
            if workload.kind not in options.only:
                continue
            measured = runner.measure(workload, contestants, repetitions)
            taken += measured
            texts = feed(workload.size)
            mean = sum(map(len, texts)) / len(texts)
            print(f"\n{workload.title} ({mean:.0f} on average)\n{render(measured, COLUMNS)}")
            sys.stdout.flush()
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(run) for run in taken], indent=1) + "\n")
    for complaint in complaints:
        print(f"bench: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.deflate",
        description="Measure compressed messages: tieline and the clients that are installed.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter runs (about a minute)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there")
    parser.add_argument(
        "--only", choices=("receive", "send"), nargs="+", default=("receive", "send")
    )
    parser.add_argument(
        "--clients",
        nargs="+",
        default=[""],
        metavar="NAME",
        help="those whose names begin so: tieline, tieline_callback, websockets, aiohttp, picows",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
