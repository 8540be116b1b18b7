"""One client, one workload, in a process of its own → one line of JSON with what it took.

``python -m bench.measure CLIENT KIND PORT SIZE COUNT``; the runner calls it.
"""

from __future__ import annotations

import importlib
import json
import sys

from bench.stopwatch import Stopwatch
from bench.workloads import payload_of


def main(client: str, kind: str, port: str, size: int, count: int) -> int:
    module = importlib.import_module(f"bench.clients.{client}")
    url = f"ws://127.0.0.1:{port}/{kind}?size={size}&count={count}"
    stopwatch = Stopwatch()
    got: object
    expected: object
    if kind == "receive":
        got = module.receive(url, count, stopwatch)
        expected = (count, count * size)
    elif kind == "echo":
        expected = payload_of(size)
        got = module.echo(url, expected, count, stopwatch)
    else:
        got = module.send(url, payload_of(size), count, stopwatch)
        expected = str(count)
    if got != expected or stopwatch.seconds is None:
        print(f"expected {str(expected)[:60]}, got {str(got)[:60]}", file=sys.stderr)
        return 1
    result = {
        "version": module.VERSION,
        "seconds": stopwatch.seconds,
        "cpu_seconds": stopwatch.cpu_seconds,
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    _client, _kind, _port, _size, _count = sys.argv[1:]
    sys.exit(main(_client, _kind, _port, int(_size), int(_count)))
