"""An address → a listening socket, and what was accepted there → byte streams in server role."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Any

from tieline.transport.stream import SocketStream, Stream

#: Dials that wait to be accepted: a burst of a test's clients.
BACKLOG = 128

_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


def listen(host: str, port: int, path: str | None = None) -> socket.socket:
    """A listening socket; port 0 chooses a free one. With `path`, a unix socket. Raises OSError."""
    listener = bind(host, port, path)
    try:
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def bind(host: str, port: int, path: str | None = None) -> socket.socket:
    """A socket that has the address and does not listen yet: dials are refused. Raises OSError."""
    address: Any
    if path is not None:
        family, address = socket.AF_UNIX, path
    else:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if path is None:
            # Else a port that was used a minute ago could not be taken again.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound


def url_of(listener: socket.socket, secure: bool) -> str:
    """The URL under which a client on this machine reaches the listening socket."""
    address = listener.getsockname()
    if isinstance(address, str):
        return f"ws+unix://{address}:/"
    host = _WILDCARDS.get(address[0], address[0])
    shown = f"[{host}]" if ":" in host else host
    return f"{'wss' if secure else 'ws'}://{shown}:{address[1]}/"


def accepted_stream(accepted: socket.socket, ssl_context: ssl.SSLContext | None) -> Stream:
    """An accepted socket as a stream, which owns it. Raises OSError when the peer has gone."""
    try:
        if accepted.family != getattr(socket, "AF_UNIX", None):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ssl_context is None:
            return SocketStream(accepted)
        return ServerTLSStream(accepted, ssl_context)
    except BaseException:
        accepted.close()
        raise


class ServerTLSStream(SocketStream):
    """The server's side of TLS; its handshake happens inside the first reads.

    All calls come from one thread: unlike `transport.tls_stream.TLSStream` this one stands on
    `ssl.SSLSocket`, which two threads must not share.
    """

    waits_in_calls = False

    def __init__(self, accepted: socket.socket, context: ssl.SSLContext) -> None:
        accepted.setblocking(False)
        self._tls_socket = context.wrap_socket(
            accepted, server_side=True, do_handshake_on_connect=False
        )
        super().__init__(self._tls_socket)

    def receive_into(self, buffer: memoryview) -> int | None:
        try:
            count = super().receive_into(buffer)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            count = None
        self.has_buffered_input = count is not None and self._tls_socket.pending() > 0
        return count

    def send(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return super().send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def shutdown_write(self) -> None:
        # Sends close_notify, and does not wait for the peer's. A session that is broken, or was
        # never set up, has none to send.
        with suppress(OSError, ValueError):
            self._tls_socket.unwrap()
        super().shutdown_write()
