"""Big messages out: never copied whole, in their order, from memory that stays the caller's."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import tieline
from tieline.protocol.wire import Opcode
from tieline.testing import EchoServer

SOON = 20.0
MIB = 1 << 20

BIG = random.Random(5).randbytes(MIB) * 3 + b"rest"

#: Sends 64 MiB, and prints what this took at most: memory that was allocated meanwhile, in MiB.
SENDING = """
import sys, threading, tracemalloc, tieline
kind, compression = sys.argv[2:]
payload = memoryview(bytes(range(256)) * (1 << 18))
if kind == "bytearray":
    payload = bytearray(payload)
elif kind == "pieces":
    payload = [payload[start : start + (16 << 20)] for start in range(0, 64 << 20, 16 << 20)]
else:
    payload = bytes(payload)
client = tieline.connect(
    sys.argv[1], proxy=None, compression="deflate" if compression == "deflate" else None
)
tracemalloc.start()
client.send(payload)
peak = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()
client.send("behind it")
client.close()
print(client.close_info.code, peak >> 20)
"""


@pytest.mark.parametrize(
    ("kind", "compression"),
    [("bytes", "none"), ("bytearray", "none"), ("pieces", "none"), ("bytes", "deflate")],
)
def test_the_memory_that_it_takes(program: Any, scripted: Any, kind: str, compression: str) -> None:
    """64 MiB go out, and far less than a copy of them is ever there."""

    def script(peer: Any) -> None:
        peer.accept_upgrade(extensions="permessage-deflate" if compression == "deflate" else None)
        received = 0
        while (frame := peer.receive_frame()).payload != b"behind it":
            received += len(frame.payload)
        assert received == 64 * MIB
        peer.expect_close(1000)
        peer.send_close(1000)

    server = scripted(script)
    running = program(SENDING, server.url, kind, compression)
    _, status, output = running.finish()
    server.wait()
    assert status == 0, running.errors
    code, peak = output.split()
    assert code == "1000"
    assert int(peak) < 8


@pytest.mark.parametrize("compress", [None, True, False])
@pytest.mark.parametrize("compression", ["deflate", None])
def test_all_kinds_in_their_order(clients: Any, compression: Any, compress: bool | None) -> None:
    received: list[Any] = []
    done = threading.Event()

    def keep(connection: Any, message: Any) -> None:
        received.append(message)
        if isinstance(message, str) and message == "the last":
            done.set()

    messages: list[Any] = [
        b"small",
        BIG,
        bytearray(BIG),
        "text " * MIB,
        [BIG, BIG],
        memoryview(BIG),
    ]
    with EchoServer(on_message=keep) as server:
        client = clients(lambda message: None, server.url, compression=compression)
        client.connect()
        for message in messages:
            if compress and compression is None:
                with pytest.raises(tieline.OptionError, match="no compression was negotiated"):
                    client.send(message, compress=True)
            else:
                client.send(message, compress=compress)
            client.ping(b"between")
        client.send("the last")
        assert done.wait(SOON)
        sent = client.stats().payload_bytes_sent
    if compress and compression is None:
        assert received == ["the last"]
        return
    expected = [b"small", BIG, BIG, "text " * MIB, BIG + BIG, BIG, "the last"]
    assert received == expected
    assert sent == sum(len(message) for message in expected)


def test_control_frames_go_out_between_the_pieces_of_a_compressed_message(
    scripted: Any, clients: Any
) -> None:
    """The lock is free between two pieces, so a peer that pings meanwhile has its Pong soon."""
    begun = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade(extensions="permessage-deflate")
        first = peer.receive_frame()
        assert first.opcode is Opcode.BINARY and not first.fin and first.rsv1
        peer.send_frame(Opcode.PING, b"still there?")
        begun.set()
        opcodes = []
        while (frame := peer.receive_frame()).opcode is not Opcode.CONTINUATION or not frame.fin:
            assert not frame.rsv1
            opcodes.append(frame.opcode)
        assert Opcode.PONG in opcodes
        peer.expect_close()
        peer.send_close()

    server = scripted(script)
    client = clients(lambda message: None, server.url, write_limit=1)
    client.connect()
    client.send(random.Random(6).randbytes(32 * MIB))
    assert begun.is_set()
    client.disconnect()
    server.wait()


def test_each_piece_of_an_iterable_is_seen_before_the_next_is_asked_for(
    scripted: Any, clients: Any
) -> None:
    """Also when it is compressed: each piece is flushed."""
    seen = [threading.Event() for _ in range(3)]

    def script(peer: Any) -> None:
        peer.accept_upgrade(extensions="permessage-deflate")
        for number, event in enumerate(seen):
            frame = peer.receive_frame()
            assert frame.payload == b"piece %d" % number
            assert frame.rsv1 == (number == 0)
            event.set()
        last = peer.receive_frame()
        assert last.fin and last.payload == b""
        peer.expect_close()
        peer.send_close()

    def pieces() -> Iterator[bytes]:
        for number, event in enumerate(seen):
            yield b"piece %d" % number
            assert event.wait(SOON)

    server = scripted(script)
    client = clients(lambda message: None, server.url)
    client.connect()
    client.send(pieces())
    client.disconnect()
    server.wait()


def test_a_handler_sends_memory_that_it_uses_again(scripted: Any, clients: Any) -> None:
    """It cannot wait until all of it is written; so what is left is copied."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        assert go_on.wait(SOON)
        peer.expect_frame(Opcode.BINARY, BIG)
        peer.expect_close()
        peer.send_close()

    go_on = threading.Event()

    def send(response: Any) -> None:
        payload = bytearray(BIG)
        client.send(payload)
        payload[:] = bytes(len(payload))
        payload.clear()
        go_on.set()

    server = scripted(script, receive_buffer=64 * 1024)
    client = clients(lambda message: None, server.url, on_open=send, compression=None)
    client.connect()
    assert go_on.wait(SOON)
    client.disconnect()
    server.wait()
