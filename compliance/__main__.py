"""A fuzzing server's URL → every case driven, and the server's report of them (Autobahn)."""

from __future__ import annotations

import argparse
import os
import sys
import time

import tieline
from compliance import fronts
from compliance.case_numbers import parse_case_numbers
from compliance.fuzzing_server import CaseNotDriven, FuzzingServer

#: A line of progress comes after this many cases.
_PROGRESS = 50


def main(arguments: list[str] | None = None) -> int:
    """Drive the cases; the exit status is 0 when all of them came to their end."""
    options = _parser().parse_args(arguments)
    agent = options.agent or _agent(options)
    try:
        talk = fronts.front(options.front, options.loop)
        server = FuzzingServer(options.url, agent, options.timeout, talk)
        numbers = parse_case_numbers(options.cases, server.case_count())
        print(f"{agent}: {len(numbers)} cases at {options.url}", flush=True)
        seconds, failures = _drive(server, numbers)
        server.update_reports()
    except (ValueError, ImportError, tieline.ConnectError, CaseNotDriven) as error:
        print(f"compliance: {error}", file=sys.stderr)
        return 2
    slowest = sorted(seconds, key=lambda number: -seconds[number])[:5]
    print(f"done in {sum(seconds.values()):.1f} s; the slowest:", end=" ")
    print(", ".join(f"case {number} {seconds[number]:.2f} s" for number in slowest))
    for number, failure in failures.items():
        print(f"case {number}: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _drive(
    server: FuzzingServer, numbers: list[int]
) -> tuple[dict[int, float], dict[int, Exception]]:
    """Each case's seconds, and what went wrong with those that did not come to their end."""
    seconds: dict[int, float] = {}
    failures: dict[int, Exception] = {}
    for done, number in enumerate(numbers, start=1):
        started = time.monotonic()
        try:
            server.run_case(number)
        except (tieline.ConnectError, CaseNotDriven) as error:
            failures[number] = error
        seconds[number] = time.monotonic() - started
        if done % _PROGRESS == 0:
            print(f"{done} of {len(numbers)}", flush=True)
    return seconds, failures


def _agent(options: argparse.Namespace) -> str:
    """ "tieline" for the callback front, "tieline-sync", "tieline-aio" or "tieline-aio-uvloop"."""
    words = ["tieline"]
    if options.front != "callback":
        words.append(options.front)
    if options.front == "aio" and options.loop != "asyncio":
        words.append(options.loop)
    return "-".join(words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m compliance",
        description="Play the client's part against an Autobahn fuzzing server.",
        epilog="Exit status: 0 all cases driven (the server's report judges them), "
        "1 some were not, 2 none could be.",
    )
    parser.add_argument(
        "--url",
        default=os.environ.get("AUTOBAHN_URL", "ws://127.0.0.1:9001"),
        help="the server (default: $AUTOBAHN_URL, or ws://127.0.0.1:9001)",
    )
    parser.add_argument(
        "--agent",
        default=os.environ.get("AGENT", ""),
        help="the name in the report (default: $AGENT, or one that says the front)",
    )
    parser.add_argument(
        "--front",
        choices=fronts.NAMES,
        default="callback",
        help="WebSocketClient, tieline.connect or tieline.aio.connect (default: callback)",
    )
    parser.add_argument(
        "--loop",
        choices=fronts.LOOPS,
        default="asyncio",
        help="the event loop of --front aio (default: asyncio)",
    )
    parser.add_argument(
        "--cases", default="", help="numbers and ranges, such as 1-16,40 (default: all)"
    )
    parser.add_argument(
        "--timeout", type=float, default=120, help="seconds for one case (default: 120)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
