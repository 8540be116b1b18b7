"""The names of the hot paths → what is run once, and run again, while instructions are counted.

The peer is the C server in a process of its own, which nobody counts. It is always faster than a
client that valgrind slows down by fifty, so the client finds what it waits for, in reads of the
same sizes, run after run.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import tieline

#: A path with its query → the URL of the server.
Url = Callable[[str], str]
#: Do the work as often as the number says.
Run = Callable[[int], object]
#: What makes the runs: the counts that will be asked for are known beforehand.
Prepare = Callable[[Url, tuple[int, ...], ExitStack], Run]

_OPTIONS: dict[str, Any] = {"proxy": None, "compression": None, "ping_interval": None}
#: Seconds; valgrind is slow, and the machine may be busy.
_PATIENCE = 120.0
#: Messages of one call of a handler.
_BATCH = 256
#: Messages that are waited for, before those that count.
_LATE = 50


@dataclass(frozen=True)
class Case:
    name: str
    prepare: Prepare
    #: How often the work is done, less and more: the difference is what counts.
    fewer: int
    more: int


def _callback_client(url: str, on_message: Callable[[Any], object], stack: ExitStack) -> Any:
    deflate = "deflate" if "deflate=1" in url else None
    options = {**_OPTIONS, "compression": deflate}
    client = tieline.WebSocketClient(on_message=on_message, url=url, **options)
    return stack.enter_context(client)


def _plain(url: str, stack: ExitStack) -> Any:
    deflate = "deflate" if "deflate=1" in url else None
    return stack.enter_context(tieline.connect(url, **{**_OPTIONS, "compression": deflate}))


# --- sending ----------------------------------------------------------------------------------


def _send_callback(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
    return _sending(_callback_client(url("send"), id, stack).send)


def _send_plain(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
    return _sending(_plain(url("send"), stack).send)


def _sending(send: Callable[[bytes], object]) -> Run:
    payload = bytes(128)

    def run(count: int) -> None:
        for _ in range(count):
            send(payload)

    return run


def _send_many_plain(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
    connection = _plain(url("send"), stack)
    payload = bytes(128)
    # A list: how long the runs of an iterator are is a matter of time, and valgrind takes a lot.
    return lambda count: connection.send_many([payload] * count)


def _send_corked(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
    """From a handler, `_BATCH` messages in each call."""
    payload = bytes(128)
    done = threading.Event()

    def on_message(message: str) -> None:
        if message == "go":
            send = client.send
            for _ in range(_BATCH):
                send(payload)
        else:
            done.set()

    client: Any = None

    def run(count: int) -> None:
        nonlocal client
        done.clear()
        there = url(f"send?batch={_BATCH}&count={count}")
        client = tieline.WebSocketClient(on_message=on_message, url=there, **_OPTIONS)
        with client:
            if not done.wait(_PATIENCE):
                raise TimeoutError(f"{count} messages were not counted")

    return run


# --- receiving --------------------------------------------------------------------------------


def _receive_callback(query: str) -> Prepare:
    def prepare(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
        done = threading.Event()
        missing = 0

        def on_message(message: str) -> None:
            nonlocal missing
            missing -= 1
            if not missing:
                done.set()

        clients = [
            _callback_client(url(f"receive?{query}&count={count}&close=0"), on_message, stack)
            for count in counts
        ]
        remaining = iter(clients)

        def run(count: int) -> None:
            nonlocal missing
            missing = count
            done.clear()
            next(remaining).send("go")
            if not done.wait(_PATIENCE):
                raise TimeoutError(f"{missing} of {count} messages did not come")

        return run

    return prepare


def _receive_plain(query: str) -> Prepare:
    def prepare(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
        connections = [
            _plain(url(f"receive?{query}&count={count}&close=0"), stack) for count in counts
        ]
        remaining = iter(connections)

        def run(count: int) -> None:
            connection = next(remaining)
            connection.send("go")
            missing = count
            for _ in connection:
                missing -= 1
                if not missing:
                    break

        return run

    return prepare


def _receive_asyncio(query: str) -> Prepare:
    def prepare(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
        runner = stack.enter_context(asyncio.Runner())
        opened = [
            runner.run(_aio(url(f"receive?{query}&count={count}&close=0"))) for count in counts
        ]
        for connection in opened:
            stack.callback(lambda each=connection: runner.run(each.close()))
        remaining = iter(opened)

        async def take(count: int) -> None:
            connection = next(remaining)
            await connection.send("go")
            missing = count
            async for _ in connection:
                missing -= 1
                if not missing:
                    break

        return lambda count: runner.run(take(count))

    return prepare


async def _aio(url: str) -> Any:
    return await tieline.aio.connect(url, **_OPTIONS)


# --- round trips --------------------------------------------------------------------------------


def _echo_callback(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
    payload = bytes(256)
    done = threading.Event()
    missing = 0

    def on_message(message: bytes) -> None:
        nonlocal missing
        missing -= 1
        if missing:
            client.send(payload)
        else:
            done.set()

    client = _callback_client(url("echo"), on_message, stack)

    def run(count: int) -> None:
        nonlocal missing
        missing = count
        done.clear()
        client.send(payload)
        if not done.wait(_PATIENCE):
            raise TimeoutError(f"{missing} of {count} echoes did not come")

    return run


def _echo_plain(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
    payload = bytes(256)
    connection = _plain(url("echo"), stack)

    def send_late() -> None:
        for _ in range(_LATE):
            time.sleep(0.001)
            connection.send(payload)

    # From now on a message is expected to come alone, and late: as it is with a server that is not
    # on the same machine. Otherwise it would depend on how busy the machine is.
    with ThreadPoolExecutor(1) as another:
        sent = another.submit(send_late)
        for _ in range(_LATE):
            connection.recv()
        sent.result()

    def run(count: int) -> None:
        for _ in range(count):
            connection.send(payload)
            connection.recv()

    return run


def _echo_asyncio(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
    payload = bytes(256)
    runner = stack.enter_context(asyncio.Runner())
    connection = runner.run(_aio(url("echo")))
    stack.callback(lambda: runner.run(connection.close()))

    async def exchange(count: int) -> None:
        for _ in range(count):
            await connection.send(payload)
            await connection.recv()

    return lambda count: runner.run(exchange(count))


# --- opening and closing ------------------------------------------------------------------------


def _connect_callback(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
    def run(count: int) -> None:
        for _ in range(count):
            client = tieline.WebSocketClient(id, url("connect"), **_OPTIONS)
            client.connect()
            client.disconnect(1000)

    return run


def _connect_plain(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
    def run(count: int) -> None:
        for _ in range(count):
            tieline.connect(url("connect"), **_OPTIONS).close()

    return run


# --- what everything is measured by -------------------------------------------------------------


def _interpreter(url: Url, counts: tuple[int, ...], stack: ExitStack) -> Run:
    """What Python itself costs here: calls, attributes, bytes, a dict, an exception."""

    class Thing:
        def __init__(self) -> None:
            self.value = 0

        def add(self, data: bytes) -> int:
            self.value += len(data)
            return self.value

    data = bytes(range(256))

    def run(count: int) -> None:
        thing, table = Thing(), {}
        for i in range(count):
            part = data[i & 127 : 200]
            table[i & 63] = part.hex(), thing.add(part)
            try:
                int(str(i), 8)
            except ValueError:
                thing.value = 0

    return run


#: The case that says how much of a difference is the interpreter's.
REFERENCE = "interpreter"

CASES = (
    Case(REFERENCE, _interpreter, 300, 2_700),
    Case("send 128 B, callback", _send_callback, 100, 900),
    Case("send 128 B, plain", _send_plain, 100, 900),
    Case("send many 128 B, plain", _send_many_plain, 256, 1280),
    Case("send 128 B from a handler", _send_corked, 1_024, 9_216),
    Case("receive 16 B, callback", _receive_callback("size=16&text=1"), 2_000, 18_000),
    Case("receive 16 B, plain", _receive_plain("size=16&text=1"), 2_000, 18_000),
    Case("receive 128 B, callback", _receive_callback("size=128&text=1"), 2_000, 18_000),
    Case("receive 128 B, plain", _receive_plain("size=128&text=1"), 2_000, 18_000),
    Case("receive 128 B, asyncio", _receive_asyncio("size=128&text=1"), 1_000, 7_000),
    Case("echo 256 B, callback", _echo_callback, 50, 350),
    Case("echo 256 B, plain", _echo_plain, 50, 350),
    Case("echo 256 B, asyncio", _echo_asyncio, 50, 350),
    Case(
        "receive deflated 300 B, callback",
        _receive_callback("size=300&text=1&deflate=1"),
        1_000,
        7_000,
    ),
    Case("connect and close, callback", _connect_callback, 2, 12),
    Case("connect and close, plain", _connect_plain, 2, 12),
)


@contextmanager
def prepared(case: Case, port: int, counts: tuple[int, ...]) -> Iterator[Run]:
    """The case's work, ready to be run with each of the counts, in this order."""
    with ExitStack() as stack:
        yield case.prepare(lambda path: f"ws://127.0.0.1:{port}/{path}", counts, stack)
