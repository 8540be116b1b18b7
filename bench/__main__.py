"""The installed WebSocket clients → messages per second and CPU seconds, measured in one run."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from bench.clients import CLIENTS
from bench.runner import Measurement, Runner, running_server, share_one_core
from bench.table import render
from bench.workloads import KINDS, WORKLOADS

_SERVER = (
    "server: raw sockets in a process of its own; it sends prepared blocks of 256 KiB (receive), a "
    "prepared answer (echo), counts bytes (send)"
)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status is 1 when a client failed."""
    options = _parser().parse_args(arguments)
    workloads = [workload for workload in WORKLOADS if workload.kind in options.only]
    repetitions, target = (3, 0.1) if options.quick else (7, 0.3)
    clients = [name for name, package in CLIENTS.items() if find_spec(package)]
    missing = [package for package in CLIENTS.values() if not find_spec(package)]
    complaints: list[str] = []
    taken: list[Measurement] = []

    print(f"Python {platform.python_version()}, {platform.machine()}; {share_one_core()}")
    print(_SERVER)
    print(f"{repetitions} repetitions in turns, {target:g} s each; medians; ratios to callback's")
    if missing:
        print(f"not installed: {', '.join(missing)}")
    with running_server() as port:
        runner = Runner(port, target, complaints.append)
        for workload in workloads:
            measured = runner.measure(workload, clients, repetitions)
            taken += measured
            print(f"\n{workload.title}\n{render(measured)}", flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(run) for run in taken], indent=1) + "\n")
    for complaint in complaints:
        print(f"bench: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure tieline beside the WebSocket clients that are installed.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter runs (half a minute)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there")
    parser.add_argument(
        "--only",
        type=_kinds,
        default=list(KINDS),
        metavar="KINDS",
        help=f"a comma-separated choice of {', '.join(KINDS)}",
    )
    return parser


def _kinds(text: str) -> list[str]:
    kinds = [kind.strip() for kind in text.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"expected {', '.join(KINDS)}, got {kind!r}")
    return kinds


if __name__ == "__main__":
    sys.exit(main())
