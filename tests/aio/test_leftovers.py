"""Leftovers: what had come is read, whatever comes behind it, and nothing is waited for."""

from __future__ import annotations

import os
import select
import socket

import pytest

from tieline.aio.leftovers import read_what_is_left

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a socket is no descriptor there")


@pytest.mark.parametrize("behind", ["nothing", "the end", "a reset"])
@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_what_had_come(size: int, behind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        far = socket.create_connection(listening.getsockname())
        near, _ = listening.accept()
    with near, far:
        near.setblocking(False)
        if size:
            far.sendall(b"x" * size)
            select.select([near], [], [], 5)
        if behind == "the end":
            far.close()
        elif behind == "a reset":
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            far.close()
        left = read_what_is_left(near.fileno())
    # A reset throws away what the kernel had; what it had given out before is another matter.
    assert left == b"x" * size or behind == "a reset"


def test_a_descriptor_that_is_closed() -> None:
    near, far = socket.socketpair()
    number = near.fileno()
    near.close()
    far.close()
    assert read_what_is_left(number) == b""
