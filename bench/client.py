"""One client, one work, in a process of its own → one line of JSON with what it took.

    python -m bench.client NAME --url URL --work WORK --size S --count N [...]

NAME is that of a module in `bench.clients`, and settings in the form of a URL's query:
``tieline_asyncio?loop=uvloop``. A program that takes the same options and prints the same line can
be measured beside it (``--add``): ``{"version": ..., "seconds": ..., "cpu_seconds": ...}``, for
idle connections also ``"kib_each"``, or ``{"unsupported": "why"}``. Another exit status than 0 is a
failure.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

from bench.backends import hide_all_but
from bench.task import Task, Unsupported

#: Seconds for a work that runs beside a busy main thread.
_PATIENCE = 60.0
#: The busy main thread looks at the clock, or whatever it is, so often.
_BUSY_STEP = 1000


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    name, _, query = options.name.partition("?")
    settings = dict(parse_qsl(query, strict_parsing=bool(query)))
    if "backend" in settings:
        hide_all_but(settings["backend"])  # before anybody looks for them
    task = Task(
        **{key: value for key, value in vars(options).items() if key not in ("name", "busy")},
        settings=settings,
    )
    try:
        module = importlib.import_module(f"bench.clients.{name}")
        task.version = module.VERSION
        got = _load(module, task) if task.work == "load" else _do(module, task, options.busy)
    except Unsupported as reason:
        print(json.dumps({"unsupported": str(reason)}))
        return 0
    problem = task.check(got)
    if problem:
        print(problem, file=sys.stderr)
        return 1
    if task.delays:
        task.result["p99_ms"] = statistics.quantiles(task.delays, n=100)[-1] / 1e6
    print(json.dumps({"version": module.VERSION, **task.result}))
    return 0


def _do(module: ModuleType, task: Task, busy: bool) -> Any:
    work = getattr(module, task.work, None)
    if work is None:
        raise Unsupported("it has no such call")
    return _beside_a_busy_main_thread(work, task) if busy else work(task)


def _beside_a_busy_main_thread(work: Any, task: Task) -> Any:
    """The work in another thread, while this one does nothing but Python."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work(task))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    patience = time.monotonic() + _PATIENCE
    while thread.is_alive() and time.monotonic() < patience:
        total = 0
        for i in range(_BUSY_STEP):
            total += i * i
    if not outcome:
        raise SystemExit(f"not done after {_PATIENCE:g} s")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _load(module: ModuleType, task: Task) -> None:
    """Milliseconds of importing the client in a fresh interpreter, less a bare start.

    The least of all tries: what disturbs can only add to it.
    """
    if not hasattr(module, "LOADING"):
        raise Unsupported("nothing to import")
    taken: dict[str, list[float]] = {"pass": [], module.LOADING: []}
    task.start()
    for _ in range(task.count):
        for program, seconds in taken.items():
            begin = time.perf_counter()
            # The site's own start-up files are not the package's.
            subprocess.run([sys.executable, "-c", program], check=True, env=_without_path())
            seconds.append(time.perf_counter() - begin)
    task.stop()
    bare, loaded = (min(seconds) for seconds in taken.values())
    task.result["load_ms"] = (loaded - bare) * 1e3


def _without_path() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.client")
    parser.add_argument("name")
    parser.add_argument("--url", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--exchanged", type=int, default=0)
    parser.add_argument("--crowd", type=int, default=0)
    parser.add_argument("--cafile")
    for flag in ("text", "deflate", "fragments", "busy", "flooded"):
        parser.add_argument(f"--{flag}", type=lambda value: value == "1", default=False)
    return parser


if __name__ == "__main__":
    sys.exit(main())
