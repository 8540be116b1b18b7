"""One client, one workload, in a process of its own → one line of JSON with what it took.

``python -m bench.deflate.measure CONTESTANT KIND PORT SIZE COUNT``; the runner calls it. What the
client sends is checked first, in a connection of its own that nobody measures.
"""

from __future__ import annotations

import importlib
import json
import sys
import urllib.request
from itertools import cycle, islice

from bench.deflate.contestants import hide_backends, parse
from bench.deflate.feed import feed
from bench.stopwatch import Stopwatch

#: Messages that are looked at: enough for the largest window to be full.
_CHECKED = 200
#: Seconds to wait for the server's report.
_PATIENCE = 10.0


def main(contestant: str, kind: str, port: str, size: int, count: int) -> int:
    client, settings = parse(contestant)
    if settings.backend is not None:
        hide_backends(settings.backend)
    module = importlib.import_module(f"bench.deflate.clients.{client}")
    messages = feed(size)
    stopwatch = Stopwatch()
    got: object
    expected: object
    if kind == "receive":
        last = messages[(count - 1) % len(messages)]
        expected = (count, _characters(messages, count), last)
        got = module.receive(_url(port, kind, size, count), count, stopwatch, settings)
    else:
        expected = "done"
        checked = islice(cycle(messages), _CHECKED)
        got = module.send(_url(port, "check", size, _CHECKED), checked, Stopwatch(), settings)
        if got == expected:
            sent = islice(cycle(messages), count)
            got = module.send(_url(port, kind, size, count), sent, stopwatch, settings)
    if got != expected or stopwatch.seconds is None:
        print(f"expected {str(expected)[:60]}, got {str(got)[:60]}", file=sys.stderr)
        return 1
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/report", timeout=_PATIENCE) as answer:
        report = json.load(answer)
    result = {
        "version": f"{module.VERSION} {settings.words}".rstrip(),
        "seconds": stopwatch.seconds,
        "cpu_seconds": stopwatch.cpu_seconds,
    }
    print(json.dumps(result | report))
    return 0


def _url(port: str, kind: str, size: int, count: int) -> str:
    return f"ws://127.0.0.1:{port}/{kind}?size={size}&count={count}"


def _characters(messages: tuple[str, ...], count: int) -> int:
    """Of `count` messages, round and round."""
    rounds, rest = divmod(count, len(messages))
    return rounds * sum(map(len, messages)) + sum(map(len, messages[:rest]))


if __name__ == "__main__":
    _contestant, _kind, _port, _size, _count = sys.argv[1:]
    sys.exit(main(_contestant, _kind, _port, int(_size), int(_count)))
