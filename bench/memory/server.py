"""Many idle clients → a compressed message for each one that they send.

``python -m bench.memory.server`` prints its port. Connections stay open until their clients close
them; what a client sends is read and forgotten, frame by frame. It is one thread, in a process of
its own: its memory is nobody's concern.
"""

from __future__ import annotations

import selectors
import socket

from bench.deflate.negotiation import agree
from bench.deflate.server import frames
from bench.memory.workload import SIZE
from bench.server import accept, read_request, serve_with, server_frame, some

_CLOSE = 0x88
#: Seconds for a frame that has begun to arrive.
_PATIENCE = 10.0


class _Client:
    """One connection: the feed, from its beginning, compressed by what was negotiated."""

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(_PATIENCE)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = read_request(connected)
        agreement = agree(request.headers.get("sec-websocket-extensions"))
        accept(connected, request, agreement.answer if agreement else None)
        self._connected = connected
        self._block, self._ends = frames(SIZE, agreement)
        self._sent = 0

    def answer(self) -> bool:
        """Read one frame and send the next message; False when it was a Close."""
        first, length = self._read(2)
        length &= 0x7F
        if length > 125:
            length = int.from_bytes(self._read(2 if length == 126 else 8))
        payload = self._read(4 + length)
        if first == _CLOSE:
            code = bytes(byte ^ payload[i] for i, byte in enumerate(payload[4:6]))
            self._connected.sendall(server_frame(_CLOSE, code))
            return False
        begin = self._ends[self._sent - 1] if self._sent else 0
        self._connected.sendall(self._block[begin : self._ends[self._sent]])
        self._sent = (self._sent + 1) % len(self._ends)
        return True

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += some(self._connected, size - len(data))
        return data


def _listen(listener: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                client: _Client | None = key.data
                if client is None:
                    connected, _ = listener.accept()
                    selector.register(connected, selectors.EVENT_READ, _Client(connected))
                elif not _goes_on(client):
                    selector.unregister(key.fileobj)
                    assert isinstance(key.fileobj, socket.socket)
                    key.fileobj.close()


def _goes_on(client: _Client) -> bool:
    try:
        return client.answer()
    except (ConnectionError, TimeoutError):
        return False  # the client's own process reports what went wrong with it


if __name__ == "__main__":
    serve_with(_listen)
