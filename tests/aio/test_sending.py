"""What tasks send, whole or in fragments, with room or without: none of it half, lost, doubled."""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import tieline
from tieline import aio
from tieline.testing import EchoServer

SOON = 20.0


def connect(server: Any, **options: Any) -> aio.Connecting:
    return aio.connect(server.url, **({"proxy": None} | options))


def test_arguments_that_are_no_opcode_and_no_truth_value(run: Any, echo: EchoServer) -> None:
    calls: list[tuple[Callable[[Any], Awaitable[object]], str]] = [
        (lambda ws: ws.send_frame("a", True), "opcode: expected"),
        (lambda ws: ws.send_frame("a", 1.0), "opcode: expected"),
        (lambda ws: ws.send_frame("a", 1, fin="yes"), "fin: expected True or False"),
        (lambda ws: ws.send("a", compress=1), "compress: expected True, False or None"),
        (lambda ws: ws.send_many(["a"], compress=0), "compress: expected"),
        (lambda ws: asyncio.to_thread(ws.send_threadsafe, "a", compress="x"), "compress: expected"),
    ]

    async def main() -> None:
        async with connect(echo) as ws:
            for call, text in calls:
                with pytest.raises(tieline.OptionError, match=text):
                    await call(ws)
            await ws.send_frame(b"a", tieline.Opcode.BINARY, fin=True)
            assert await ws.recv(SOON) == b"a"

    run(main())


# --- fragments ------------------------------------------------------------------------------------


def test_a_fragmented_message_that_is_cancelled(run: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_frame(tieline.Opcode.TEXT, b"a", fin=False)
        peer.expect_frame(tieline.Opcode.CONTINUATION, b"b", fin=False)
        peer.expect_close(1011)
        peer.send_close(1011)

    server = scripted(script)

    async def main() -> None:
        stuck = asyncio.Event()

        async def pieces() -> AsyncIterator[str]:
            yield "a"
            yield "b"
            stuck.set()
            await asyncio.Event().wait()

        async with connect(server) as ws:
            sending = asyncio.ensure_future(ws.send(pieces()))
            await stuck.wait()
            other = asyncio.ensure_future(ws.send("whole"))
            await asyncio.sleep(0)
            assert not other.done(), "it waits for the end of the fragmented one"
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            with pytest.raises(tieline.ConnectionClosed):
                await other

    run(main())
    server.wait()


def test_a_task_that_waits_for_itself_through_wait_for(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo, timeout=0.05) as ws:
            await ws.send_frame("a", tieline.Opcode.TEXT, fin=False)
            if sys.version_info >= (3, 12):
                with pytest.raises(tieline.ProtocolError, match="finish it"):
                    await asyncio.wait_for(ws.send("b"), SOON)
            else:
                with pytest.raises(tieline.SendTimeout) as caught:
                    await asyncio.wait_for(ws.send("b"), SOON)
                assert "use asyncio.timeout()" in caught.value.__notes__[0]
            await ws.send_frame("c", tieline.Opcode.CONTINUATION)
            assert await ws.recv(SOON) == "ac"

    run(main())


def test_fragments_of_one_task_keep_out_those_of_others(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo) as ws:

            async def pieces(letter: str) -> AsyncIterator[str]:
                for _ in range(20):
                    yield letter
                    await asyncio.sleep(0)

            async with asyncio.TaskGroup() as group:
                for letter in "abcd":
                    group.create_task(ws.send(pieces(letter)))
            received = {await ws.recv(SOON) for _ in range(4)}
            assert received == {letter * 20 for letter in "abcd"}

    run(main())


def test_each_piece_goes_out_before_the_next_is_asked_for(run: Any, scripted: Any) -> None:
    seen: list[threading.Event] = [threading.Event() for _ in range(3)]

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for number, event in enumerate(seen):
            opcode = tieline.Opcode.CONTINUATION if number else tieline.Opcode.BINARY
            peer.expect_frame(opcode, bytes([number]), fin=False)
            event.set()
        peer.expect_frame(tieline.Opcode.CONTINUATION, b"", fin=True)
        peer.expect_close()
        peer.send_close()

    server = scripted(script)

    async def pieces() -> AsyncIterator[bytes]:
        for number, event in enumerate(seen):
            yield bytes([number])
            assert await asyncio.to_thread(event.wait, SOON)

    async def main() -> None:
        async with connect(server) as ws:
            await ws.send(pieces())

    run(main())
    server.wait()


# --- compression and big messages -----------------------------------------------------------------


BIG = bytes(range(256)) * (3 * (1 << 20) // 256) + b"rest"


@pytest.mark.parametrize("compress", [None, True, False])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_big_messages(run: Any, echo: EchoServer, kind: type, compress: bool | None) -> None:
    """Whole, in their place among the others, and from memory that is the caller's afterwards."""

    async def main() -> None:
        async with connect(echo) as ws:
            payload = kind(BIG)
            await ws.send("before")
            await ws.send(payload, compress=compress)
            if kind is bytearray:
                payload.clear()
            await ws.send("behind")
            assert [await ws.recv(SOON) for _ in range(3)] == ["before", BIG, "behind"]
            assert ws.stats().payload_bytes_sent == len(BIG) + 12
            assert (ws.stats().wire_bytes_sent < len(BIG) // 10) == (compress is not False)

    run(main())


def test_compression_that_was_not_negotiated(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo, compression=None) as ws:
            for message in ("a", ["a"], BIG):
                with pytest.raises(tieline.OptionError, match="no compression was negotiated"):
                    await ws.send(message, compress=True)
                with pytest.raises(tieline.OptionError, match="no compression was negotiated"):
                    ws.send_threadsafe(message, compress=True)
            assert ws.stats().messages_sent == 0
            await ws.send("a", compress=False)
            assert await ws.recv(SOON) == "a"

    run(main())


def test_the_threshold_of_json(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo) as ws:
            await ws.send_json("x" * 5000)
            assert await ws.recv_json(SOON) == "x" * 5000
            assert ws.stats().wire_bytes_sent < 500
            before = ws.stats().wire_bytes_sent
            await ws.send_json(["x"] * 5)
            assert await ws.recv_json(SOON) == ["x"] * 5
            assert ws.stats().wire_bytes_sent == before + len('["x", "x", "x", "x", "x"]') + 6

    run(main())


def test_others_run_while_a_big_message_is_compressed(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo) as ws:
            turns = 0

            async def count() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            counting = asyncio.ensure_future(count())
            await asyncio.sleep(0)
            before = turns
            await ws.send(random.Random(4).randbytes(4 << 20))
            assert turns > before + 3
            counting.cancel()
            assert len(await ws.recv(SOON)) == 4 << 20

    run(main())


@pytest.mark.parametrize("cancel", [False, True])
def test_a_big_compressed_message_that_a_peer_stops_to_read(
    run: Any, scripted: Any, cancel: bool
) -> None:
    """It is accepted as a whole; cancelled, it cannot be completed, and the peer is told so."""
    go_on = threading.Event()
    payload = random.Random(4).randbytes(8 << 20)

    def script(peer: Any) -> None:
        peer.accept_upgrade(extensions="permessage-deflate")
        assert go_on.wait(SOON)
        frames = [peer.receive_frame()]
        while not frames[-1].fin:
            frames.append(peer.receive_frame())
        assert frames[0].rsv1
        if cancel:
            assert frames[-1].opcode is tieline.Opcode.CLOSE
            assert frames[-1].payload[:2] == (1011).to_bytes(2, "big")
        else:
            assert b"".join(frame.payload for frame in frames) == payload
            peer.expect_close()
        peer.send_close()

    server = scripted(script, receive_buffer=64 * 1024)

    async def main() -> None:
        async with connect(server, write_limit=1000, timeout=0.05) as ws:
            sending = asyncio.ensure_future(ws.send(payload))
            if cancel:
                while ws.stats().buffered_bytes < 1000:
                    await asyncio.sleep(0)
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
                assert not ws.is_open()
            else:
                with pytest.raises(tieline.SendTimeout) as caught:
                    await sending
                assert caught.value.accepted and ws.is_open()
            go_on.set()

    run(main())
    server.wait()


# --- back-pressure --------------------------------------------------------------------------------


def test_a_peer_that_does_not_read(run: Any, scripted: Any) -> None:
    go_on = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        go_on.wait(SOON)
        peer.receive_frame()
        peer.hold()

    server = scripted(script)

    async def main() -> None:
        async with connect(server, write_limit=1000, timeout=0.05, close_timeout=0.05) as ws:
            accepted = 0
            with pytest.raises(tieline.SendTimeout, match="Nothing of this message was sent"):
                while True:
                    await ws.send(b"x" * 1_000_000)
                    accepted += 1
            assert accepted >= 1 and ws.is_open()
            with pytest.raises(tieline.SendBufferFull):
                ws.send_threadsafe("on the loop's thread it cannot wait")
            with pytest.raises(tieline.SendTimeout):
                await asyncio.to_thread(ws.send_threadsafe, "x")
            with pytest.raises(tieline.SendTimeout):
                await ws.ping()
            go_on.set()
            assert ws.stats().messages_sent == accepted

    run(main())


def test_a_slow_peer_is_waited_for_as_long_as_it_takes_bytes(run: Any, scripted: Any) -> None:
    """Which lasts longer than `timeout`."""
    read = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for _ in range(20):
            peer.pause(0.1)
            peer.receive_raw(40_000)
        read.set()
        peer.hold()

    server = scripted(script, receive_buffer=16 * 1024)
    small = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)]

    async def main() -> None:
        async with connect(
            server,
            timeout=1.0,
            close_timeout=0.01,
            compression=None,
            socket_options=small,
        ) as ws:
            await ws.send(bytes(900_000))
            began = time.monotonic()
            await ws.send("behind it")
            assert time.monotonic() - began > 1.0
            assert await asyncio.to_thread(read.wait, SOON)

    run(main())


def test_a_sender_that_waits_learns_of_the_close(run: Any, scripted: Any) -> None:
    """The buffer stays full, so waiting for room would last for ever."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    server = scripted(script)

    async def main() -> None:
        ws = await connect(server, write_limit=1000, close_timeout=0.1)

        async def send() -> None:
            while True:
                await ws.send(b"x" * 1_000_000)

        sending = asyncio.ensure_future(send())
        while ws.stats().buffered_bytes < 1000:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await ws.close()
        with pytest.raises(tieline.ConnectionClosed):
            await sending

    run(main())


def test_sending_lets_others_run(run: Any, echo: EchoServer) -> None:
    """The kernel takes all, so no `send()` has to wait: timers and cancels work all the same."""

    async def main() -> None:
        async with connect(echo) as ws:

            async def send() -> None:
                while True:
                    await ws.send("x")

            async def receive() -> None:
                async for _ in ws:
                    pass

            receiving = asyncio.ensure_future(receive())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await send()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await ws.send("x" for _ in iter(int, 1))
            receiving.cancel()

    run(main())


def test_senders_in_threads(run: Any, echo: EchoServer) -> None:
    async def main() -> None:
        async with connect(echo, write_limit=1000) as ws:

            def work(sender: int) -> None:
                for number in range(100):
                    ws.send_threadsafe(f"{sender} {number} " + "x" * 500)
                ws.send_threadsafe([f"{sender} ", "100 ", "x"])

            threads = [asyncio.to_thread(work, sender) for sender in range(4)]
            working = asyncio.gather(*threads)
            received: dict[str, list[int]] = {}
            for _ in range(404):
                sender, number, _ = str(await ws.recv(SOON)).split()
                received.setdefault(sender, []).append(int(number))
            await working
            assert received == {str(sender): list(range(101)) for sender in range(4)}

    run(main())
