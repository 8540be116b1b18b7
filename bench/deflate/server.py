"""A client's compressed connection → prepared bytes, counted bytes, and a report on both.

``python -m bench.deflate.server`` prints its port and serves one connection after the other:

- ``/receive?size=S&count=N``: after the client's first message, N messages of the feed, compressed
  beforehand by what the client negotiated: blocks of whole frames, no work per message
- ``/send?size=S&count=N``: counts bytes, whole buffers at a time, until the client's Ping with the
  marker is what they end with; then a Pong and a text message
- ``/check?size=S&count=N``: the same, but the frames are taken apart and inflated afterwards, and
  the text message says whether they were the first N messages of the feed
- ``/report``, without an upgrade: bytes between the two and parameters of the connection before it
"""

from __future__ import annotations

import json
import socket
from functools import cache

from bench.deflate.feed import feed
from bench.deflate.negotiation import TAIL, Agreement, agree
from bench.marker import MARKER, take, unmasked
from bench.server import Request, accept, finish, read_request, serve, server_frame, some

_TEXT, _PONG, _COMPRESSED = 0x81, 0x8A, 0x40
#: What `/report` tells.
_last: dict[str, object] = {}


def _talk(connected: socket.socket) -> None:
    request = read_request(connected)
    if request.kind == "report":
        body = json.dumps(_last).encode()
        head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        connected.sendall(head.encode() + body)
        return
    agreement = agree(request.headers.get("sec-websocket-extensions"))
    if request.kind == "receive":
        frames(request.number("size"), agreement)  # before the client looks at its watch
    accept(connected, request, agreement.answer if agreement else None)
    if request.kind == "receive":
        sent = _flood(connected, request, agreement)
        _last.update(wire_bytes=sent)
    else:
        received = take(connected, keep=request.kind == "check")
        _last.update(wire_bytes=received.size)
        word = _verdict(received.data, request, agreement) if request.kind == "check" else "done"
        connected.sendall(server_frame(_PONG, MARKER) + server_frame(_TEXT, word.encode()))
    _last.update(agreed=agreement.answer if agreement else "nothing")
    finish(connected)


def _flood(connected: socket.socket, request: Request, agreement: Agreement | None) -> int:
    """Send the feed round and round; how many bytes that were."""
    count = request.number("count")
    block, ends = frames(request.number("size"), agreement)
    some(connected)  # the client says that it is ready
    rounds, rest = divmod(count, len(ends))
    for _ in range(rounds):
        connected.sendall(block)
    last = ends[rest - 1] if rest else 0
    connected.sendall(memoryview(block)[:last])
    return rounds * len(block) + last


@cache
def frames(size: int, agreement: Agreement | None) -> tuple[bytes, list[int]]:
    """The feed as frames, and where each of them ends.

    The first message is compressed with an empty window, so it refers to nothing before, and may
    follow on the last: the block can be sent again and again, and stays one valid stream.
    """
    block = bytearray()
    ends = []
    compressor = None
    for message in feed(size):
        payload = message.encode()
        if agreement is None:
            block += server_frame(_TEXT, payload)
        else:
            if compressor is None or not agreement.server_takeover:
                compressor = agreement.compressor()
            payload = compressor.compress(payload) + compressor.flush(2)  # Z_SYNC_FLUSH
            block += server_frame(_TEXT | _COMPRESSED, payload.removesuffix(TAIL))
        ends.append(len(block))
    return bytes(block), ends


def _verdict(data: bytes, request: Request, agreement: Agreement | None) -> str:
    """ "done", or what is not as it should be."""
    expected = feed(request.number("size"))
    position = number = 0
    decompressor = None
    while position < len(data):
        first, length = data[position], data[position + 1] & 0x7F
        position += 2
        for short, size in ((126, 2), (127, 8)):
            if length == short:
                length = int.from_bytes(data[position : position + size])
                position += size
                break
        key, position = data[position : position + 4], position + 4
        payload = unmasked(data[position : position + length], key)
        position += length
        if first & ~_COMPRESSED != _TEXT:
            return f"message {number}: expected a whole text message, got first byte {first:#x}"
        if first & _COMPRESSED:
            if agreement is None:
                return f"message {number} is compressed, which nobody agreed on"
            if decompressor is None or not agreement.client_takeover:
                decompressor = agreement.decompressor()
            payload = decompressor.decompress(payload + TAIL)
        if payload.decode() != expected[number % len(expected)]:
            return f"message {number} is not the one of the feed: {payload[:40]!r}"
        number += 1
    count = request.number("count")
    return "done" if number == count else f"expected {count} messages, got {number}"


if __name__ == "__main__":
    serve(_talk)
