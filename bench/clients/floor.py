"""The floor of CPython (bench/native/floor.c): what no Python client can be faster than."""

from __future__ import annotations

import platform
import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from bench.native_programs import loaded
from bench.task import Task, Unsupported

VERSION = f"CPython {platform.python_version()}"

_CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"  # 1000, masked with zeros


_floor = loaded("cpython_floor")


def _open(task: Task) -> tuple[socket.socket, bytes]:
    """The socket, and what came behind the opening handshake."""
    if task.ssl_context is not None:
        raise Unsupported("plain TCP only")
    url = urlsplit(task.url)
    extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if task.deflate else ""
    request = (
        f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Version: 13\r\n{extension}\r\n"
    )
    connected = socket.create_connection((url.hostname, url.port))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.sendall(request.encode())
    data = b""
    while b"\r\n\r\n" not in data:
        part = connected.recv(65536)
        if not part:
            raise ConnectionError("the server left during the opening handshake")
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(f"refused: {head[:40]!r}")
    return connected, rest


def _close(connected: socket.socket) -> None:
    connected.sendall(_CLOSE)
    _read_to_the_end(connected)
    connected.close()


def _close_beside_a_thread(connected: socket.socket) -> None:
    thread = threading.Thread(target=_read_to_the_end, args=(connected,), daemon=True)
    thread.start()
    connected.sendall(_CLOSE)
    thread.join()
    connected.close()


def _read_to_the_end(connected: socket.socket) -> None:
    while connected.recv(65536):
        pass


def _run(task: Task, on_message: Callable[[Any], object], begin: Callable[[], object]) -> None:
    """Until the server's Close, which is the answer to ours where the work needs one."""
    crowd = [_open(task.idle)[0] for _ in range(task.crowd)]
    connected, rest = _open(task)
    _floor.attach(connected.fileno())
    task.start()
    begin()
    _floor.run(rest, on_message)
    connected.close()
    for idle_socket in crowd:
        idle_socket.close()


def echo(task: Task) -> Any:
    payload, count, send = task.payload, task.count, _floor.send
    answers = 0
    last = b""

    def on_message(message: bytes) -> None:
        nonlocal answers, last
        answers += 1
        if answers < count:
            send(payload)
        else:
            task.stop()
            last = message
            _floor.close()

    _run(task, on_message, lambda: send(payload))
    return last


def receive(task: Task) -> Any:
    if task.fragments or (task.deflate and task.size >= 1 << 20):
        raise Unsupported("it does not join fragments")
    count = task.count
    messages = total = 0
    last: Any = None

    def on_message(message: str | bytes) -> None:
        nonlocal messages, total, last
        messages += 1
        total += len(message)
        if messages == count:
            task.stop()
            last = message

    _run(task, on_message, lambda: _floor.send("go"))
    return messages, total, last


def paced(task: Task) -> None:
    task.refuse_flood()

    def on_message(message: str) -> None:
        task.delays.append(time.monotonic_ns() - int(message))
        if len(task.delays) == task.count:
            task.stop()

    _run(task, on_message, lambda: _floor.send("go"))


def send(task: Task) -> Any:
    return _send(task, _floor.send)


def send_many(task: Task) -> Any:
    return _send(task, _floor.queue)


def _send(task: Task, say: Callable[[Any], None]) -> Any:
    if task.deflate:
        raise Unsupported("it does not compress")
    answer = ""

    def on_message(message: str) -> None:
        nonlocal answer
        task.stop()
        answer = message
        _floor.close()

    def begin() -> None:
        for message in task.messages:
            say(message)
        _floor.flush()

    _run(task, on_message, begin)
    return answer


def send_corked(task: Task) -> Any:
    payload, batch, queue = task.payload, task.batch, _floor.queue
    answer = ""

    def on_message(message: str) -> None:
        nonlocal answer
        if message != "go":
            task.stop()
            answer = message
            _floor.close()
            return
        for _ in range(batch):
            queue(payload)
        _floor.flush()

    _run(task, on_message, lambda: None)
    return answer


def connect(task: Task) -> None:
    """With ``?thread=1`` as a client of callbacks has to: a thread reads, which ends before all."""
    close = _close_beside_a_thread if task.settings.get("thread") == "1" else _close
    task.start()
    for _ in range(task.count):
        close(_open(task)[0])
    task.stop()


def idle(task: Task) -> None:
    if task.exchanged:
        raise Unsupported("it does not compress")
    warm = [_open(task) for _ in range(2)]
    task.start()
    connections = [_open(task) for _ in range(task.count)]
    task.stop()
    task.weigh()
    assert len(warm + connections) == task.count + 2
    task.leave()
