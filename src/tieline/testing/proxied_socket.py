"""One of the two sockets of a proxied connection → bytes as they come, and as it takes them."""

from __future__ import annotations

import selectors
import socket
import struct

#: What one read takes at most, and what waits to be written before the other side is not read.
PIECE = 64 * 1024


class ProxiedSocket:
    """Never waits. Used by the proxy's thread only."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self.socket = connected
        #: Bytes that the kernel has not taken yet.
        self.pending = bytearray()
        #: The dial is done. A socket that was accepted has none.
        self.is_connected = True
        #: The peer's FIN was read.
        self.has_ended = False
        #: A FIN was sent, after all that was pending.
        self.is_shut = False
        self.is_closed = False
        #: Why it broke.
        self.error: OSError | None = None

    @classmethod
    def dial(cls, host: str, port: int) -> ProxiedSocket:
        """Begin to connect. An address that cannot be reached at once is told by `error`."""
        dialled = cls(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
        dialled.is_connected = False
        try:
            dialled.socket.connect((host, port))
        except BlockingIOError:
            pass
        except OSError as error:
            dialled.break_off(error)
        else:
            dialled.has_connected()
        return dialled

    def has_connected(self) -> None:
        """It is writable for the first time: the dial has succeeded, or failed."""
        number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self.break_off(OSError(number, "the server cannot be reached"))
            return
        self.is_connected = True
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def events(self, *, wants_input: bool) -> int:
        """What a selector should watch it for; 0: nothing."""
        if self.is_closed:
            return 0
        reads = wants_input and self.is_connected and not self.has_ended
        writes = bool(self.pending) or not self.is_connected
        return (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if writes else 0)

    def read(self) -> bytes:
        """What has come; b"" for nothing, and at the end, which `has_ended` or `error` tells."""
        try:
            data = self.socket.recv(PIECE)
        except BlockingIOError:
            return b""
        except OSError as error:
            self.break_off(error)
            return b""
        if not data:
            self.has_ended = True
        return data

    def write(self) -> None:
        """Give the kernel what it takes of `pending`."""
        if not self.pending or not self.is_connected or self.is_closed:
            return
        try:
            del self.pending[: self.socket.send(self.pending)]
        except BlockingIOError:
            pass
        except OSError as error:
            self.break_off(error)

    def shut(self) -> None:
        """Send FIN, once all that is pending was written. To be called until `is_shut`."""
        if self.is_shut or self.is_closed or self.pending or not self.is_connected:
            return
        self.is_shut = True
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.break_off(error)

    def break_off(self, error: OSError) -> None:
        """It is broken: nothing more comes or goes."""
        self.error = error
        self.close()

    def reset(self) -> None:
        """Send RST, and close."""
        if not self.is_closed:
            # A linger time of 0 makes close(2) send RST instead of FIN.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close()

    def close(self) -> None:
        """Close it: a reset if there are unread bytes. Idempotent."""
        self.is_closed = True
        self.pending.clear()
        self.socket.close()
