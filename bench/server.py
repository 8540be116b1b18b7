"""A client's connection → bytes that were prepared beforehand, so that the client is what costs.

``python -m bench.server`` prints its port and serves one connection after the other:

- ``/receive?size=S&count=N``: after the client's first message, N text messages, in blocks of whole
  frames of about 256 KiB: one system call each, no work per message
- ``/echo?size=S&count=N``: the first message is unmasked and becomes the prepared answer to this
  one and to every later message of its size
- ``/send?size=S&count=N``: reads and counts bytes, whole buffers at a time; a text message with the
  number of messages answers the last of them

It is raw sockets and knows just enough of RFC 6455 for clients that send unfragmented messages.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from bench.workloads import text_of

#: What one write gives the kernel, about; and what one read takes.
BLOCK = 256 * 1024
#: Seconds: a client that is silent for so long is given up.
PATIENCE = 60.0

_TEXT, _BINARY = 0x81, 0x82
_CLOSE = b"\x88\x02\x03\xe8"  # 1000
_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True)
class Request:
    """What a client asks for, before anything is answered."""

    #: The path, without its slash.
    kind: str
    query: dict[str, str]
    #: By their names in lower case.
    headers: dict[str, str]

    def number(self, name: str) -> int:
        return int(self.query[name])


def serve(talk: Callable[[socket.socket], None]) -> None:
    """Print a port and `talk` to one client after the other, until standard input ends."""
    serve_with(lambda listener: _serve(listener, talk))


def serve_with(listen: Callable[[socket.socket], None]) -> None:
    """Print a port and `listen` on it in the background, until standard input ends.

    When the parent is gone, so is the server.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=listen, args=(listener,), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        while os.read(0, 4096):
            pass


def _serve(listener: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    while True:
        connected, _ = listener.accept()
        with connected:
            connected.settimeout(PATIENCE)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                talk(connected)
            except (ConnectionError, TimeoutError):
                continue  # the client's own process reports what went wrong with it


def _talk(connected: socket.socket) -> None:
    request = read_request(connected)
    accept(connected, request)
    size, count = request.number("size"), request.number("count")
    if request.kind == "receive":
        _flood(connected, size, count)
    elif request.kind == "echo":
        _echo(connected, size, count)
    else:
        _count(connected, size, count)
    finish(connected)


def read_request(connected: socket.socket) -> Request:
    """The request, up to the end of its head. No client sends more before it is answered."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += some(connected)
    request, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (li.partition(":") for li in lines)
    }
    target = urlsplit(request.split()[1])
    return Request(target.path.lstrip("/"), dict(parse_qsl(target.query)), headers)


def accept(connected: socket.socket, request: Request, extension: str | None = None) -> None:
    """Answer 101, with `extension` as the accepted one."""
    digest = hashlib.sha1(request.headers["sec-websocket-key"].encode() + _ACCEPT_GUID).digest()
    proof = base64.b64encode(digest).decode()
    accepted = f"Sec-WebSocket-Extensions: {extension}\r\n" if extension else ""
    connected.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {proof}\r\n{accepted}\r\n".encode()
    )


def finish(connected: socket.socket) -> None:
    """Close with 1000, and await the client's Close (7.1.1: the server is the first to end TCP)."""
    connected.sendall(_CLOSE)
    connected.recv(BLOCK)


def _flood(connected: socket.socket, size: int, count: int) -> None:
    frame = server_frame(_TEXT, text_of(size).encode())
    in_block = max(1, BLOCK // len(frame))
    block = frame * in_block
    some(connected)  # the client says that it is ready
    for _ in range(count // in_block):
        connected.sendall(block)
    connected.sendall(frame * (count % in_block))


def _echo(connected: socket.socket, size: int, count: int) -> None:
    header = client_header_size(size)
    length = header + size
    first = bytearray()
    while len(first) < length:
        first += some(connected)
    key, payload = first[header - 4 : header], first[header:]
    answer = server_frame(_BINARY, bytes(byte ^ key[i % 4] for i, byte in enumerate(payload)))
    connected.sendall(answer)
    buffer = bytearray(length)
    for _ in range(count - 1):
        received = connected.recv_into(buffer)
        while received < length:
            received += len(some(connected, length - received))
        connected.sendall(answer)


def _count(connected: socket.socket, size: int, count: int) -> None:
    length = client_header_size(size) + size
    missing = length * count
    buffer = bytearray(BLOCK)
    while missing > 0:
        received = connected.recv_into(buffer)
        if not received:
            raise ConnectionError("the client left in the middle of its messages")
        missing -= received
    connected.sendall(server_frame(_TEXT, b"%d" % (count - missing // length)))


def some(connected: socket.socket, limit: int = BLOCK) -> bytes:
    """What has come, at least one byte."""
    data = connected.recv(limit)
    if not data:
        raise ConnectionError("the client left")
    return data


def server_frame(first_byte: int, payload: bytes) -> bytes:
    """An unmasked frame (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", first_byte, size) + payload
    if size < 0x10000:
        return struct.pack("!BBH", first_byte, 126, size) + payload
    return struct.pack("!BBQ", first_byte, 127, size) + payload


def client_header_size(size: int) -> int:
    """Bytes before the payload in a masked frame: the shortest length form, and the key."""
    return 4 + (2 if size < 126 else 4 if size < 0x10000 else 10)


if __name__ == "__main__":
    serve(_talk)
