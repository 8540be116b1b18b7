"""AtOnce: what goes the short way, and what is left to the long one."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import tieline
from tieline import aio
from tieline.testing import EchoServer

SOON = 20.0


def connect(server: Any, **options: Any) -> aio.Connecting:
    return aio.connect(server.url, **({"proxy": None} | options))


def test_what_goes_the_short_way(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo) as ws:
            await ws.send("the first one looks at the clock")
            at_once = ws._line.at_once.send
            for message in ("text", "ä", "", b"bytes", b"x" * 60_000):
                assert at_once(message)
            for message in (
                bytearray(b"may change"),
                memoryview(b"x"),
                ["pieces"],
                b"x" * 1_000_000,
                "\ud800",
                7,
            ):
                assert not at_once(message)
            assert not await asyncio.to_thread(at_once, "another thread")
            got = [await ws.recv(SOON) for _ in range(6)]
            assert got[1:] == ["text", "ä", "", b"bytes", b"x" * 60_000]
            for refused in ("\ud800", 7):
                with pytest.raises((tieline.OptionError, TypeError)):
                    await ws.send(refused)
        assert not at_once("closed")
        with pytest.raises(tieline.ConnectionClosed):
            await ws.send("closed")

    run(main())


def test_many_bytes_are_not_sent_without_a_look_at_the_clock(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo, compression=None) as ws:
            await ws.send("the first one looks at the clock")
            at_once = ws._line.at_once.send
            sent = [at_once(b"x" * 60_000) for _ in range(100)].index(False)
            assert 0 < sent <= 256 // 4
            for _ in range(1 + sent):
                await ws.recv(SOON)

    run(main())


def test_messages_that_may_be_queued_go_the_long_way(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo, offline="queue", reconnect=True) as ws:
            await ws.send("first")
            assert not ws._line.at_once.send("text")
            await ws.send("text")
            assert [await ws.recv(SOON) for _ in range(2)] == ["first", "text"]

    run(main())


def test_a_fragmented_message_is_waited_for(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo) as ws:
            await ws.send_frame("a", tieline.Opcode.TEXT, fin=False)
            other = asyncio.create_task(ws.send("other"))
            await asyncio.sleep(0.01)
            assert not other.done()
            await ws.send_frame("b", tieline.Opcode.CONTINUATION)
            await other
            assert [await ws.recv(SOON) for _ in range(2)] == ["ab", "other"]

    run(main())


def test_a_task_that_sends_and_sends_lets_others_run(run: Any, scripted: Any) -> None:
    enough = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        while not enough.is_set():
            peer.receive_frame()
        peer.hold()

    server = scripted(script)

    async def main() -> None:
        async with connect(server, close_timeout=0.05) as ws:
            ran = asyncio.Event()
            asyncio.get_running_loop().call_later(0.001, ran.set)
            async with asyncio.timeout(SOON):
                while not ran.is_set():
                    await ws.send("x")
            enough.set()
            await ws.send("x")

    run(main())


def test_the_next_connection(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo) as ws:
            for number in range(3):
                await ws.send(f"{number}")
                assert await ws.recv(SOON) == f"{number}"
                await ws.reconnect()
            assert ws.stats().connects == 4

    run(main())
