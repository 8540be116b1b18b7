"""picows: callbacks of a listener, on asyncio's event loop or uvloop's."""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version
from typing import Any

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.clients.coroutines import open_many, run_on_loop
from bench.task import Task, Unsupported

VERSION = f"picows {version('picows')}"
LOADING = "from picows import WSListener, ws_connect"

TEXT, BINARY, CLOSE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CLOSE


class Listener(WSListener):
    """What all works have in common: the end. After it, frames are the closing handshake's."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.done = False
        self.outcome: Any = None

    def finish(self, transport: WSTransport, outcome: Any = None) -> None:
        self.task.stop()
        self.done = True
        self.outcome = outcome
        transport.send_close(WSCloseCode.OK)
        transport.disconnect()


async def _open(task: Task, listener: Listener) -> WSTransport:
    if task.deflate:
        raise Unsupported("no permessage-deflate in this interface")
    options: dict[str, Any] = {"max_frame_size": 1 << 30}
    if task.ssl_context is not None:
        options["ssl_context"] = task.ssl_context
    transport, _ = await ws_connect(lambda: listener, task.url, **options)
    return transport


def _until_disconnected(task: Task, listener: Listener) -> Any:
    async def run() -> Any:
        crowd = await open_many(task.crowd, lambda: _open(task.idle, Idle(task)))
        if task.flooded:
            crowd.append(await _open(task.flood, Flooded(task)))
        transport = await _open(task, listener)
        await transport.wait_disconnected()
        for other in crowd:
            other.disconnect()
        return listener.outcome

    return run_on_loop(task, run())


def echo(task: Task) -> Any:
    payload, count = task.payload, task.count
    messages = 0

    class Echoer(Listener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            task.start()
            transport.send(BINARY, payload)

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            nonlocal messages
            if self.done:
                return
            message = frame.get_payload_as_bytes()
            messages += 1
            if messages < count:
                transport.send(BINARY, payload)
            else:
                self.finish(transport, message)

    return _until_disconnected(task, Echoer(task))


def receive(task: Task) -> Any:
    count = task.count
    messages = total = 0

    class TextReceiver(Listener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            task.start()
            transport.send(TEXT, b"go")

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            nonlocal messages, total
            # Whoever receives has to tell text from binary, and from a Close; it costs a tenth of a
            # microsecond here.
            if frame.msg_type is not TEXT or self.done:
                return
            message = frame.get_payload_as_utf8_text()
            messages += 1
            total += len(message)
            if messages == count:
                self.finish(transport, (messages, total, message))

    class BinaryReceiver(TextReceiver):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            nonlocal messages, total
            if frame.msg_type is not BINARY or self.done:
                return
            message = frame.get_payload_as_bytes()
            messages += 1
            total += len(message)
            if messages == count:
                self.finish(transport, (messages, total, message))

    if task.fragments:
        raise Unsupported("it delivers frames, not messages")
    return _until_disconnected(task, (TextReceiver if task.text else BinaryReceiver)(task))


def paced(task: Task) -> None:
    class Receiver(Listener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            task.start()
            transport.send(TEXT, b"go")

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if self.done:
                return
            message = frame.get_payload_as_utf8_text()
            task.delays.append(time.monotonic_ns() - int(message))
            if len(task.delays) == task.count:
                self.finish(transport)

    _until_disconnected(task, Receiver(task))


def send(task: Task) -> Any:
    messages = iter(task.messages)

    class Sender(Listener):
        writable = True

        def on_ws_connected(self, transport: WSTransport) -> None:
            self.transport = transport
            task.start()
            asyncio.get_running_loop().call_soon(self.go_on)

        def go_on(self) -> None:
            kind, say = TEXT if task.text else BINARY, self.transport.send
            while self.writable:
                message = next(messages, None)
                if message is None:
                    return
                say(kind, message)

        def pause_writing(self) -> None:
            self.writable = False

        def resume_writing(self) -> None:
            self.writable = True
            self.go_on()

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if not self.done:
                self.finish(transport, frame.get_payload_as_utf8_text())

    return _until_disconnected(task, Sender(task))


def send_corked(task: Task) -> Any:
    payload, batch = task.payload, task.batch

    class Sender(Listener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            task.start()

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if self.done:
                return
            text = frame.get_payload_as_utf8_text()
            if text != "go":
                return self.finish(transport, text)
            for _ in range(batch):
                transport.send(BINARY, payload)

    return _until_disconnected(task, Sender(task))


class Idle(Listener):
    """Answers the server's Close by going away."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == CLOSE:
            transport.disconnect()


class Flooded(Listener):
    """Takes what comes, as text."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(TEXT, b"go")

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is TEXT:
            frame.get_payload_as_utf8_text()


def connect(task: Task) -> None:
    async def one() -> None:
        transport = await _open(task, Idle(task))
        transport.send_close(WSCloseCode.OK)
        await transport.wait_disconnected()

    async def run() -> None:
        await one()  # what the first one loads is not what connecting costs
        task.start()
        for _ in range(task.count):
            await one()
        task.stop()

    run_on_loop(task, run())


def idle(task: Task) -> None:
    async def run() -> None:
        async def one() -> WSTransport:
            return await _open(task, Idle(task))

        warm = await open_many(2, one)
        task.start()
        connections = await open_many(task.count, one)
        task.stop()
        task.weigh()
        assert len(warm + connections) == task.count + 2
        task.leave()

    run_on_loop(task, run())
