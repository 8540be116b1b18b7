"""Fronts and ways of one big message → memory above what the process had before, as a table."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys

from bench.big.workload import PIECE
from bench.clients.tieline_build import version
from bench.runner import PATIENCE, running_server

FRONTS = ("callback", "plain", "asyncio")
#: What is measured, in the words of the table.
WORK = {
    "receive binary": "binary message in one frame",
    "receive fragments": "binary message in 256 KiB fragments",
    "receive deflate": "compressed binary message",
    "receive text": "text message (ASCII)",
    "stream binary": "binary message, as a stream",
    "stream deflate": "compressed binary message, as a stream",
    "stream text": "text message (ASCII), as a stream",
    "send binary": "`send(bytes)`",
    "send text": "`send(str)` (ASCII)",
    "send deflate": "`send(bytes)`, compressed",
    "send iterable": "`send(iterable of 256 KiB)`",
}


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status is 1 when a process failed."""
    options = _parser().parse_args(arguments)
    size = options.size * 2**20 // len(PIECE) * len(PIECE)
    failed = False
    print(f"{version('')}, Python {platform.python_version()}")
    print(f"One message of {size / 2**20:.0f} MiB; MiB above what the process had before (peak of")
    print("resident memory), and how much that is of the message. What was sent is not counted.\n")
    print("| | " + " | ".join(FRONTS) + " |")
    print("| --- |" + " ---: |" * len(FRONTS))
    with running_server("bench.big.server") as port:
        for work, title in WORK.items():
            cells = []
            for front in FRONTS:
                extra = _run(front, work, port, size)
                failed |= extra is None
                cells.append("failed" if extra is None else _shown(extra, size))
            print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
    return int(failed)


def _run(front: str, work: str, port: int, size: int) -> int | None:
    """Bytes above what was there before."""
    direction, form = work.split()
    words = [front, direction, form, str(port), str(size)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.big.measure", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode:
        print(f"bench: {work}, {front}: {_last_line(done.stderr)}", file=sys.stderr)
        return None
    extra: int = json.loads(done.stdout)["extra_bytes"]
    return extra


def _shown(extra: int, size: int) -> str:
    return f"{extra / 2**20:,.1f} ({extra / size:.2f})"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.big", description="Measure how much memory one big message takes."
    )
    parser.add_argument("--size", type=int, default=256, help="MiB (default: 256)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
