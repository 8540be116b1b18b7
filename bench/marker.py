"""What a client sends, up to a Ping that says it was the last of it → how much it was.

A server that only counts need not take frames apart to see the end of a burst: it looks at the last
bytes of what has come.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

from bench.server import BLOCK

#: The payload of the client's Ping.
MARKER = b"that was the end"

#: The whole frame: two bytes of header, four of key, the masked payload.
_END_SIZE = 6 + len(MARKER)
_END_HEADER = bytes((0x89, 0x80 | len(MARKER)))


class Received(NamedTuple):
    """Without the Ping at the end."""

    size: int
    #: Empty if it was not to be kept.
    data: bytes


def take(connected: socket.socket, keep: bool) -> Received:
    """Read all up to the marker; `keep` it, or just count."""
    count = 0
    kept = bytearray()
    end = b""
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    while not _is_end(end):
        received = connected.recv_into(buffer)
        if not received:
            raise ConnectionError("the client left in the middle of its messages")
        count += received
        if keep:
            kept += view[:received]
        end = (end + view[max(0, received - _END_SIZE) : received])[-_END_SIZE:]
    return Received(count - _END_SIZE, bytes(kept[:-_END_SIZE]))


def _is_end(end: bytes) -> bool:
    if len(end) < _END_SIZE or not end.startswith(_END_HEADER):
        return False
    return unmasked(end[6:], end[2:6]) == MARKER


def unmasked(payload: bytes, key: bytes) -> bytes:
    """5.3, in one go."""
    size = len(payload)
    keys = int.from_bytes((key * (size // 4 + 1))[:size])
    return (int.from_bytes(payload) ^ keys).to_bytes(size)
