"""The benchmark's C server: what tieline's clients get of it, and what it says of them."""

from __future__ import annotations

import subprocess
import zlib

import pytest

import tieline
from bench.feed import feed
from bench.native_programs import built
from bench.server import Server, running_server


def url(server: Server, path: str) -> str:
    return f"ws://127.0.0.1:{server.port}/{path}"


@pytest.mark.parametrize(
    "choice",
    [
        "deflate",
        tieline.Deflate(server_max_window_bits=10),
        tieline.Deflate(server_context_takeover=False, client_context_takeover=False),
        tieline.Deflate(client_max_window_bits=9, mem_level=1),
    ],
)
@pytest.mark.parametrize("size", [300, 4096])
def test_compressed_blocks_follow_on_themselves(
    choice: str | tieline.Deflate, size: int, server: Server
) -> None:
    """More messages than a block has: its first one must not refer to what was before it."""
    count = 3 * (2 << 20) // size // 2
    address = url(server, f"receive?size={size}&count={count}&text=1&deflate=1&run=7")
    with tieline.connect(address, compression=choice) as connection:
        connection.send("go")
        messages = list(connection)
    assert len(messages) == count and {len(message) for message in messages} == {size}
    assert all(str(message).startswith('{"e":"depthUpdate"') for message in messages)
    told = server.said_of(7)
    assert told["messages"] == count and told["agreed"].startswith("permessage-deflate")
    assert 0 < told["out"] < count * size * 0.7


@pytest.mark.parametrize(
    "choice",
    ["deflate", None, tieline.Deflate(client_context_takeover=False, threshold=0)],
)
def test_what_is_sent_is_summed_up(choice: str | tieline.Deflate | None, server: Server) -> None:
    address = url(server, "send?count=50&deflate=1&check=1&run=8")
    crc = 0
    with tieline.connect(address, compression=choice) as connection:
        for message in feed(300)[:50]:
            connection.send(message)
            crc = zlib.crc32(message.encode(), crc)
        assert connection.recv(timeout=5) == f"50 {crc:08x}"
    told = server.said_of(8)
    assert bool(told["agreed"]) == (choice is not None)


def test_fragments_are_one_message(server: Server) -> None:
    with tieline.connect(url(server, "send?count=2")) as connection:
        connection.send([b"a", b"b", b"c"])
        connection.send(b"d")
        assert connection.recv(timeout=5) == "2"


def test_it_ends_with_its_standard_input(native: None) -> None:
    with subprocess.Popen(
        [built("server")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert b'"tls_port":0' in process.stdout.readline()
        process.stdin.close()
        assert process.wait(10) == 0


def test_its_processor_time_grows(server: Server) -> None:
    before = server.cpu_seconds()
    with tieline.connect(url(server, "echo")) as connection:
        connection.send("a")
        assert connection.recv(timeout=5) == "a"
    assert server.cpu_seconds() > before


def test_a_failure_in_the_context_ends_the_server_too(native: None) -> None:
    with pytest.raises(RuntimeError, match="ours"), running_server() as running:
        raise RuntimeError("ours")
    with pytest.raises(tieline.ConnectError):
        tieline.connect(url(running, "echo"))
