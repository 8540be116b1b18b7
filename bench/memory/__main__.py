"""Values of `compression`, and backends → KiB for each idle connection, as a Markdown table."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from importlib.util import find_spec

import tieline
from bench.deflate.contestants import BACKENDS
from bench.memory.choices import CHOICES
from bench.memory.workload import MANY, MOMENTS, SIZE
from bench.runner import PATIENCE, running_server


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status is 1 when a process failed."""
    options = _parser().parse_args(arguments)
    backends = [name for name, package in BACKENDS.items() if find_spec(package)]
    print(f"tieline {tieline.__version__}, Python {platform.python_version()}")
    print(f"{options.count} connections for each cell; KiB of resident memory for each of them.")
    print(f"Left: after one message of {SIZE} B each way; right: after {MANY}.")
    print("What a connection takes in all is in the line of None; the others add to it.\n")
    print("| `compression=` | " + " | ".join(backends) + " |")
    print("| --- |" + " --- |" * len(backends))
    with running_server("bench.memory.server") as port:
        plain: dict[str, dict[str, float]] = {}
        before_any = 0.0
        for choice in CHOICES:
            cells = []
            for backend in backends:
                taken = _run(port, choice, backend, options.count)
                if taken is None:
                    return 1
                if choice == "None":
                    plain[backend] = taken
                else:
                    taken = {moment: taken[moment] - plain[backend][moment] for moment in taken}
                    before_any = max(before_any, taken[MOMENTS[0]] / 1024)
                _opened, *used = (f"{taken[moment] / 1024:.0f}" for moment in MOMENTS)
                cells.append(" / ".join(used))
            print(f"| `{choice}` | " + " | ".join(cells) + " |", flush=True)
    print(f"\nBefore any message: at most {before_any:.1f} KiB more than with None.")
    return 0


def _run(port: int, choice: str, backend: str, count: int) -> dict[str, float] | None:
    words = [str(port), choice, backend, str(count)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory.measure", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode:
        print(f"bench: {choice}, {backend}: {_last_line(done.stderr)}", file=sys.stderr)
        return None
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.memory",
        description="Measure what compression costs an idle connection in memory.",
    )
    parser.add_argument("--count", type=int, default=300, help="connections (default: 300)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
