"""One front, one way of one big message, in a process of its own → how much memory it took.

``python -m bench.big.measure FRONT DIRECTION FORM PORT SIZE``; prints one line of JSON. The peak of
resident memory is read while the message is still held, and what the process had before (what it
sends, for one) does not count.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterable, Iterable, Iterator
from itertools import repeat
from typing import Any, Protocol

import tieline
from bench.big.workload import PIECE
from bench.marker import MARKER
from bench.resident import forget_peak, peak_bytes, resident_bytes

#: Seconds for a message.
_PATIENCE = 60.0


class Peak:
    """How much more memory than at `begin` the process had at the worst moment until `end`."""

    extra_bytes: int

    def begin(self) -> None:
        forget_peak()
        self._before = resident_bytes()

    def end(self) -> None:
        # The kernel's two counters may differ by a page or so.
        self.extra_bytes = max(0, peak_bytes() - self._before)


class Front(Protocol):
    """The work, done with one of the fronts; each ends `peak` with the message still held."""

    def receive(self, url: str, options: dict[str, Any], peak: Peak) -> str | bytes: ...

    def stream(self, url: str, options: dict[str, Any], peak: Peak) -> int:
        """The number of characters or bytes of all chunks that are as they should be."""

    def send(self, url: str, options: dict[str, Any], peak: Peak, message: Any) -> str: ...


class Callback:
    def receive(self, url: str, options: dict[str, Any], peak: Peak) -> str | bytes:
        finished = threading.Event()
        received: str | bytes = b""

        def on_message(message: str | bytes) -> None:
            nonlocal received
            peak.end()
            received = message
            finished.set()

        with tieline.WebSocketClient(on_message=on_message, url=url, **options) as client:
            peak.begin()
            client.send("go")
            finished.wait(_PATIENCE)
        return received

    def stream(self, url: str, options: dict[str, Any], peak: Peak) -> int:
        finished = threading.Event()
        checked = 0

        def on_message(message: Iterable[str | bytes]) -> None:
            nonlocal checked
            checked = sum(map(_Checker().size, message))
            peak.end()
            finished.set()

        options = {**options, "streaming": True}
        with tieline.WebSocketClient(on_message=on_message, url=url, **options) as client:
            peak.begin()
            client.send("go")
            finished.wait(_PATIENCE)
        return checked

    def send(self, url: str, options: dict[str, Any], peak: Peak, message: Any) -> str:
        finished = threading.Event()
        answer = ""

        def on_message(message: str) -> None:
            nonlocal answer
            answer = message
            finished.set()

        with tieline.WebSocketClient(on_message=on_message, url=url, **options) as client:
            peak.begin()
            client.send(message)
            client.ping(MARKER)
            finished.wait(_PATIENCE)
            peak.end()
        return answer


class Plain:
    def receive(self, url: str, options: dict[str, Any], peak: Peak) -> str | bytes:
        with tieline.connect(url, **options) as connection:
            peak.begin()
            connection.send("go")
            received = connection.recv(_PATIENCE)
            peak.end()
        return received

    def stream(self, url: str, options: dict[str, Any], peak: Peak) -> int:
        with tieline.connect(url, **options) as connection:
            peak.begin()
            connection.send("go")
            checked = sum(map(_Checker().size, connection.recv_stream(_PATIENCE)))
            peak.end()
        return checked

    def send(self, url: str, options: dict[str, Any], peak: Peak, message: Any) -> str:
        with tieline.connect(url, **options) as connection:
            peak.begin()
            connection.send(message)
            connection.ping(MARKER)
            answer = connection.recv(_PATIENCE)
            peak.end()
        return str(answer)


class Asyncio:
    def receive(self, url: str, options: dict[str, Any], peak: Peak) -> str | bytes:
        async def run() -> str | bytes:
            async with tieline.aio.connect(url, **options) as connection:
                peak.begin()
                await connection.send("go")
                received = await connection.recv(_PATIENCE)
                peak.end()
            return received

        return asyncio.run(run())

    def stream(self, url: str, options: dict[str, Any], peak: Peak) -> int:
        async def run() -> int:
            checker = _Checker()
            async with tieline.aio.connect(url, **options) as connection:
                peak.begin()
                await connection.send("go")
                chunks: AsyncIterable[str | bytes] = connection.recv_stream(_PATIENCE)
                checked = 0
                async for chunk in chunks:
                    checked += checker.size(chunk)
                peak.end()
            return checked

        return asyncio.run(run())

    def send(self, url: str, options: dict[str, Any], peak: Peak, message: Any) -> str:
        async def run() -> str:
            async with tieline.aio.connect(url, **options) as connection:
                peak.begin()
                await connection.send(message)
                await connection.ping(MARKER)
                answer = await connection.recv(_PATIENCE)
                peak.end()
            return str(answer)

        return asyncio.run(run())


FRONTS: dict[str, Front] = {"callback": Callback(), "plain": Plain(), "asyncio": Asyncio()}


class _Checker:
    """Chunks of the message, in order → their sizes; what is not of the message is 0 long."""

    def __init__(self) -> None:
        self._position = 0

    def size(self, chunk: str | bytes) -> int:
        data = chunk.encode() if isinstance(chunk, str) else chunk
        begin = self._position % len(PIECE)
        self._position += len(data)
        again = len(data) // len(PIECE) + 2
        return len(data) if (PIECE * again)[begin : begin + len(data)] == data else 0


def _is_right(message: str | bytes, size: int) -> bool:
    """Looked at piece by piece, so that looking takes no memory to speak of."""
    expected = PIECE.decode() if isinstance(message, str) else PIECE
    starts = range(0, size, len(PIECE))
    return len(message) == size and all(
        message[start : start + len(PIECE)] == expected for start in starts
    )


def _message(form: str, size: int) -> str | bytes | Iterator[bytes]:
    pieces = size // len(PIECE)
    if form == "iterable":
        return repeat(PIECE, pieces)
    return PIECE.decode() * pieces if form == "text" else PIECE * pieces


def main(front: str, direction: str, form: str, port: str, size: int) -> int:
    peak = Peak()
    options: dict[str, Any] = {
        "max_message_size": 2 * size,
        "compression": "deflate" if form == "deflate" else None,
        "timeout": _PATIENCE,
    }
    work = FRONTS[front]
    problem = ""
    if direction == "send":
        answer = work.send(f"ws://127.0.0.1:{port}/send", options, peak, _message(form, size))
        if not answer or (int(answer) < size) != (form == "deflate"):
            problem = f"the server got {answer or 'no'} bytes"
    else:
        url = f"ws://127.0.0.1:{port}/receive?form={form}&size={size}"
        if direction == "receive" and not _is_right(work.receive(url, options, peak), size):
            problem = "what came is not the message"
        if direction == "stream" and (checked := work.stream(url, options, peak)) != size:
            problem = f"{checked} of {size} are as they should be"
    if problem:
        print(problem, file=sys.stderr)
        return 1
    print(json.dumps({"extra_bytes": peak.extra_bytes}))
    return 0


if __name__ == "__main__":
    _front, _direction, _form, _port, _size = sys.argv[1:]
    sys.exit(main(_front, _direction, _form, _port, int(_size)))
