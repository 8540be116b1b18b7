"""picows: callbacks of a listener on an asyncio loop."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.stopwatch import Stopwatch

VERSION = f"picows {version('picows')}"

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY
#: Messages between two looks at whether the kernel takes them.
_BURST = 100


class Listener(WSListener):
    """What all three have in common: the end. After it, frames are the closing handshake's."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self.stopwatch = stopwatch
        self.done = False
        self.messages = 0

    def finish(self, transport: WSTransport) -> None:
        self.stopwatch.stop()
        self.done = True
        transport.send_close()
        transport.disconnect()


def receive(url: str, count: int, stopwatch: Stopwatch) -> tuple[int, int]:
    class Receiver(Listener):
        characters = 0

        def on_ws_connected(self, transport: WSTransport) -> None:
            stopwatch.start()
            transport.send(TEXT, b"go")

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if self.done:
                return
            self.messages += 1
            self.characters += len(frame.get_payload_as_utf8_text())
            if self.messages == count:
                self.finish(transport)

    receiver = Receiver(stopwatch)
    asyncio.run(_until_disconnected(url, receiver))
    return receiver.messages, receiver.characters


def echo(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> bytes:
    class Echoer(Listener):
        last = b""

        def on_ws_connected(self, transport: WSTransport) -> None:
            stopwatch.start()
            transport.send(BINARY, payload)

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if self.done:
                return
            message = frame.get_payload_as_bytes()
            self.messages += 1
            if self.messages < count:
                transport.send(BINARY, payload)
            else:
                self.last = message
                self.finish(transport)

    echoer = Echoer(stopwatch)
    asyncio.run(_until_disconnected(url, echoer))
    return echoer.last


def send(url: str, payload: bytes, count: int, stopwatch: Stopwatch) -> str:
    class Sender(Listener):
        answer = ""

        def __init__(self) -> None:
            super().__init__(stopwatch)
            self.writable = asyncio.Event()
            self.writable.set()

        def pause_writing(self) -> None:
            self.writable.clear()

        def resume_writing(self) -> None:
            self.writable.set()

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if not self.done:
                self.answer = frame.get_payload_as_utf8_text()
                self.finish(transport)

    async def run() -> str:
        sender = Sender()
        transport, _ = await ws_connect(lambda: sender, url)
        stopwatch.start()
        for start in range(0, count, _BURST):
            for _ in range(min(_BURST, count - start)):
                transport.send(BINARY, payload)
            await sender.writable.wait()
        await transport.wait_disconnected()
        return sender.answer

    return asyncio.run(run())


async def _until_disconnected(url: str, listener: Listener) -> None:
    transport, _ = await ws_connect(lambda: listener, url)
    await transport.wait_disconnected()
