"""``tieline demo``: the real client against a server of its own → what it does, line by line."""

from __future__ import annotations

import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from tieline.cli.output import Output, standard_output
from tieline.cli.shown import describe_bytes
from tieline.cli.status import ABNORMAL, CommandError
from tieline.cli.version import version_line
from tieline.client import WebSocketClient
from tieline.protocol.events import CloseInfo
from tieline.protocol.wire import CloseCode
from tieline.testing import EchoConnection, EchoServer

Message = str | bytes

#: Seconds that each step may take: on a loopback it takes milliseconds.
_PATIENCE = 5.0

#: What asks the demo's server to close, and the reason that it then gives.
_PLEASE_CLOSE = "please close"
_REASON = "as you asked"

_LARGE = 1024 * 1024


def run(arguments: Namespace) -> int:
    """Show everything. Raises `CommandError` at the first thing that is not as it should be."""
    started = time.perf_counter()
    with standard_output() as output, EchoServer(on_message=_answer) as server:
        demo = _Demo(output, server)
        demo.run()
        demo.tell("done", f"all as it should be, in {time.perf_counter() - started:.2f} s")
    return 0


def _answer(connection: EchoConnection, message: Message) -> Message | None:
    if message != _PLEASE_CLOSE:
        return message
    connection.close(CloseCode.NORMAL_CLOSURE, _REASON)
    return None


class _Demo:
    """One client, led through its life on the calling thread."""

    def __init__(self, output: Output, server: EchoServer) -> None:
        self._output = output
        self._server = server
        # What the client's background thread has called, in order.
        self._calls: SimpleQueue[Any] = SimpleQueue()
        self._client = WebSocketClient(
            self._calls.put,
            server.url,
            on_close=self._calls.put,
            # The environment's proxy has no way to this machine's loopback.
            proxy=None,
            connect_timeout=_PATIENCE,
            timeout=_PATIENCE,
            close_timeout=_PATIENCE,
        )

    def run(self) -> None:
        """Connect, talk, be closed, connect again, disconnect."""
        self.tell("version", version_line())
        self.tell("server", f"{self._server.url}, on this machine, for as long as this takes")
        threads = set(threading.enumerate())
        try:
            self._connect("connect")
            self._echo("text", "hello", "'hello'")
            self._echo("binary", b"\x00\xff\x10\x80", describe_bytes(b"\x00\xff\x10\x80"))
            parts = ["one ", "message, ", "three fragments"]
            self._echo("fragments", "".join(parts), " + ".join(map(repr, parts)), send=parts)
            greeting = "Grüße, 世界, 🌍"
            self._echo("Unicode", greeting, f"'{greeting}'")
            self._echo("large", bytes(_LARGE), f"(binary, {_LARGE // 1024} KiB)")
            self._ping()
            self._stats()
            self._server_closes()
            self._connect("reconnect")
            self._echo("text", "still there?", "'still there?'")
            self._disconnect()
        finally:
            self._client.disconnect()
        left = set(threading.enumerate()) - threads
        _expect("threads of the client after disconnect()", [thread.name for thread in left], [])

    def tell(self, step: str, text: str) -> None:
        """One line: what was done, what came of it."""
        self._output.line(f"{step:<11} {text}")

    def _connect(self, step: str) -> None:
        info: dict[str, Any] = {}
        with _timed() as seconds:
            response = self._client.connect(info=info)
        _expect("status of the handshake", response.status, 101)
        _expect("is_open()", self._client.is_open(), True)
        status_line = f"HTTP/{response.http_version} {response.status} {response.reason}"
        number = self._client.connection_id
        self.tell(step, f"{status_line}; connection {number} in {_milliseconds(seconds[0])}")
        for name in ("upgrade", "connection", "sec-websocket-accept"):
            if name in response.headers:
                self.tell("", f"{name}: {response.headers[name]}")

    def _echo(self, step: str, message: Message, shown: str, send: object = None) -> None:
        with _timed() as seconds:
            self._client.send(message if send is None else send)
            answer = self._next_call(f"the answer to {shown}")
        _expect(f"the answer to {shown}", answer, message)
        self.tell(step, f"{shown} came back in {_milliseconds(seconds[0])}")

    def _ping(self) -> None:
        round_trip = self._client.ping(b"demo").wait(_PATIENCE)
        _expect("latency", self._client.latency, round_trip)
        self.tell("ping", f"round trip {_milliseconds(round_trip)}")

    def _stats(self) -> None:
        stats = self._client.stats()
        _expect("messages received", stats.messages_received, stats.messages_sent)
        self.tell(
            "stats",
            f"{stats.messages_sent} messages in {stats.frames_sent} frames out "
            f"({stats.wire_bytes_sent} bytes on the wire), {stats.messages_received} messages back "
            f"({stats.wire_bytes_received} bytes on the wire; large ones compressed)",
        )

    def _server_closes(self) -> None:
        self._client.send(_PLEASE_CLOSE)
        info = self._next_call("the end of the connection")
        if not isinstance(info, CloseInfo):
            raise _unexpected("the end of the connection", info, "a CloseInfo")
        found = (info.code, info.reason, info.initiator, info.clean)
        _expect("how the server closed", found, (1000, _REASON, "remote", True))
        _expect("the callback's last message", self._next_call("callback(None)"), None)
        _expect("is_open() after the end", self._client.is_open(), False)
        self.tell("closed", f"{info}; callback(None) was called")

    def _disconnect(self) -> None:
        self._client.disconnect(CloseCode.NORMAL_CLOSURE, "goodbye")
        info = self._client.close_info
        assert info is not None
        _expect("how the client closed", (info.initiator, info.clean), ("local", True))
        self.tell("disconnect", f"{info}; no thread is left")

    def _next_call(self, what: str) -> Any:
        try:
            return self._calls.get(timeout=_PATIENCE)
        except Empty:
            raise CommandError(
                f"demo: {what} did not come within {_PATIENCE:g} s", ABNORMAL
            ) from None


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise _unexpected(what, found, expected)


def _unexpected(what: str, found: object, expected: object) -> CommandError:
    shown = [_short(value) for value in (expected, found)]
    return CommandError(f"demo: {what}: expected {shown[0]}, got {shown[1]}", ABNORMAL)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


@contextmanager
def _timed() -> Iterator[list[float]]:
    """How long the block took, in seconds, in the list after its end."""
    seconds: list[float] = []
    started = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - started)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
