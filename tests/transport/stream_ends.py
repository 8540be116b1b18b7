"""Both ends of a stream, plain and TLS, and what they read."""

from __future__ import annotations

import select
import socket
import ssl

import pytest

from tieline.transport.stream import SocketStream
from tieline.transport.tls_stream import TLSStream

PIECE = 256 * 1024


class TLSPeer:
    """The server's end of a TLS session over a blocking socket, driven by the test's thread."""

    def __init__(self, connected: socket.socket, context: ssl.SSLContext) -> None:
        self._socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def step(self, put: bool = True) -> None:
        """One step of the handshake with what has come. Its output is sent, or in `records`."""
        self._take()
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            pass
        if put:
            self._put()

    def _take(self) -> None:
        self._socket.setblocking(False)
        try:
            while data := self._socket.recv(PIECE):
                self._incoming.write(data)
        except BlockingIOError:
            pass
        finally:
            self._socket.setblocking(True)

    def _put(self) -> None:
        if self._outgoing.pending:
            self._socket.sendall(self._outgoing.read())

    def records(self, *pieces: bytes) -> bytes:
        """The ciphertext of these pieces, one record or more for each."""
        for piece in pieces:
            self._session.write(piece)
        return self._outgoing.read()

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(self.records(data))

    def recv(self) -> bytes:
        self._take()
        received = b""
        try:
            while data := self._session.read(PIECE):
                received += data
        except ssl.SSLWantReadError:
            pass
        return received

    def close_notify(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self._session.unwrap()
        return self._outgoing.read()


class PlainPeer:
    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(data)

    def recv(self) -> bytes:
        self._socket.setblocking(False)
        received = b""
        try:
            while data := self._socket.recv(PIECE):
                received += data
        except BlockingIOError:
            pass
        finally:
            self._socket.setblocking(True)
        return received


def secure(pair, server_context, ca_pem, finish=True):
    """`finish`: the server reads the last of the handshake, and sends its tickets."""
    near, far = pair
    context = ssl.create_default_context(cadata=ca_pem.decode())
    stream = TLSStream(SocketStream(near), context, "localhost")
    peer = TLSPeer(far, server_context)
    for _ in range(1000):
        if stream.handshake():
            if finish:
                peer.step()
            return stream, peer
        peer.step()
    pytest.fail("the handshake does not end")


def receive(stream, size=PIECE):
    buffer = bytearray(size)
    count = stream.receive_into(memoryview(buffer))
    return count if count is None else bytes(buffer[:count])


def next_piece(stream, size=PIECE):
    """What comes next. Whenever there is nothing, the descriptor must tell when there is again."""
    while (piece := receive(stream, size)) is None:
        assert not stream.has_buffered_input
        assert select.select([stream], [], [], 5)[0], "nothing came"
    return piece


def receive_all(stream, length):
    received = b""
    while len(received) < length:
        piece = next_piece(stream)
        assert piece, f"the stream ended after {len(received)} of {length} bytes"
        received += piece
    return received


def wait_until_queued(near, length):
    """Until so many bytes can be read from the socket at once."""
    select.select([near], [], [], 5)
    for _ in range(1_000_000):
        if len(near.recv(PIECE, socket.MSG_PEEK)) >= length:
            return
    pytest.fail("the bytes do not come")
