"""One value of `compression`, one backend, in a process of its own → bytes for each connection.

``python -m bench.memory.measure PORT CHOICE BACKEND COUNT``; prints one line of JSON: bytes of
resident memory for each of `COUNT` connections of `tieline.connect`, at each moment. Not
`tracemalloc`: what the C libraries allocate is not seen by it.
"""

from __future__ import annotations

import gc
import json
import sys
from itertools import islice
from typing import TYPE_CHECKING

from bench.deflate.contestants import hide_backends
from bench.deflate.feed import feed
from bench.memory.workload import MANY, MOMENTS, SIZE
from bench.resident import resident_bytes

if TYPE_CHECKING:
    import tieline

#: Seconds for one answer.
_PATIENCE = 10.0
#: Connections before the first look, so that nothing is loaded later.
_WARM_UP = 10


def main(port: str, choice: str, backend: str, count: int) -> int:
    hide_backends(backend)  # before tieline looks for them
    import tieline
    from bench.memory.choices import CHOICES

    def opened() -> tieline.sync.Connection:
        url = f"ws://127.0.0.1:{port}/"
        return tieline.connect(url, compression=CHOICES[choice], ping_interval=None)

    messages = feed(SIZE)
    warm = [opened() for _ in range(_WARM_UP)]
    for connection in warm:
        _exchange(connection, messages, 0, MANY)
    before = _resident()
    connections = [opened() for _ in range(count)]
    moments = [_resident()]
    for first, last in ((0, 1), (1, MANY)):
        for connection in connections:
            _exchange(connection, messages, first, last)
        moments.append(_resident())
    for connection in warm + connections:
        connection.close()
    each = [(moment - before) / count for moment in moments]
    print(json.dumps(dict(zip(MOMENTS, each, strict=True))))
    return 0


def _exchange(
    connection: tieline.sync.Connection, messages: tuple[str, ...], first: int, last: int
) -> None:
    for message in islice(messages, first, last):
        connection.send(message)
        received = connection.recv(_PATIENCE)
        if received != message:
            raise SystemExit(f"expected {message[:40]!r}, got {str(received)[:40]!r}")


def _resident() -> int:
    gc.collect()
    return resident_bytes()


if __name__ == "__main__":
    _port, _choice, _backend, _count = sys.argv[1:]
    sys.exit(main(_port, _choice, _backend, int(_count)))
