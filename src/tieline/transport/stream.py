# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Connected sockets → non-blocking byte streams; `tls_stream` puts TLS on top.

None of them is thread-safe: the owner holds a lock around every call.
"""

from __future__ import annotations

import socket
import sys
from sys import intern
from typing import Any, Protocol


class Stream(Protocol):
    """A connected, non-blocking, ordered byte stream. Not thread-safe.

    Errors of the kernel come through as OSError (`ssl.SSLError` is one).
    """

    @property
    def peer(self) -> Any:
        """The far address: (host, port, ...), or the path of a unix socket; while it is open."""

    @property
    def local(self) -> Any:
        """The near address, likewise."""

    def fileno(self) -> int:
        """The descriptor to wait on; -1 once closed."""

    def receive_into(self, buffer: memoryview) -> int | None:
        """Read into a buffer that is not empty: how many bytes; 0 at the end; None: nothing now.

        After None, nothing is left that waiting for the descriptor would not report.
        """

    @property
    def has_buffered_input(self) -> bool:
        """True if `receive_into` may give bytes although the descriptor is not readable."""

    @property
    def hidden_input(self) -> int:
        """Bytes of a layer below (TLS) that came so far, also those that make up none to read."""

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Take bytes: how many, 0 when none can be taken now (wait for the descriptor)."""

    @property
    def has_pending_output(self) -> bool:
        """True while bytes that were taken have not all reached the kernel: call `flush`."""

    @property
    def pending_size(self) -> int:
        """How many they are, as they go out. While there are some, only the peer makes it less."""

    def flush(self) -> bool:
        """Give the kernel what it takes; True when nothing is pending any more."""

    def shutdown_write(self) -> None:
        """Tell the peer that no more bytes come. Best effort: never waits, never raises.

        Output that is still pending is lost, so flush it before.
        """

    def close(self) -> None:
        """Close the descriptor. Idempotent; pending output is dropped."""

    def detach_after_fork(self) -> None:
        """In a child process: let go of the descriptor without a sign to the peer."""

    @property
    def tls(self) -> dict[str, Any] | None:
        """version, cipher, subject, fingerprint, alpn of the TLS session; None on a plain one."""


class Layer:
    """A stream through another one (TLS), whose owner may read and write below it itself.

    What such an owner knows of it: for that, all of TLS need not be loaded.
    """

    #: Not computed when it is asked for: nobody may ask a session that another thread uses.
    has_buffered_input: bool

    def receive_into(self, buffer: memoryview) -> int | None:
        """As that of any `Stream`."""
        raise NotImplementedError

    def feed(self, ciphertext: bytes | memoryview, is_all: bool) -> None:
        """So much has come from below, where nothing is the end; `is_all`: there is no more now.

        `receive_into` comes next.
        """
        raise NotImplementedError

    def seal(self, data: bytes) -> bytes | None:
        """Take all of a few bytes: what to write below, or None when none can be taken.

        What could not be written is the owner's to `keep`.
        """
        raise NotImplementedError

    def keep(self, sealed: bytes, written: int) -> None:
        """Of what `seal` has returned only so much was written."""
        raise NotImplementedError


#: 0 where a call cannot be told.
_SHUT_WR = int(socket.SHUT_WR)

_MSG_DONTWAIT = int(getattr(socket, "MSG_DONTWAIT", 0))


class SocketStream:
    """A connected stream socket. Owns it from now on; no call here waits.

    Each open connection keeps one, so what can be asked of the socket, or is always the same, takes
    no room in it.
    """

    #: May others wait in a call of their own on the descriptor? Linux can be told with each call
    #: that it must not wait, so the descriptor itself need not be non-blocking there.
    waits_in_calls = sys.platform == "linux"

    tls = None
    has_buffered_input = False
    has_pending_output = False
    hidden_input = 0
    pending_size = 0

    def __init__(self, connected: socket.SocketType) -> None:
        connected.setblocking(self.waits_in_calls)
        self._at_once: int = _MSG_DONTWAIT if self.waits_in_calls else 0
        self._socket = connected

    @property
    def peer(self) -> Any:
        return _address(self._socket.getpeername)

    @property
    def local(self) -> Any:
        return _address(self._socket.getsockname)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive_into(self, buffer: memoryview) -> int | None:
        if not len(buffer):
            raise ValueError("the buffer is empty, so 0 would not mean the end of the stream")
        try:
            return self._socket.recv_into(buffer, 0, self._at_once)
        except BlockingIOError:
            return None

    def send(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return self._socket.send(data, self._at_once)
        except BlockingIOError:
            return 0

    def flush(self) -> bool:
        return True

    def shutdown_write(self) -> None:
        try:
            self._socket.shutdown(_SHUT_WR)
        except OSError:
            pass  # not connected any more, or closed: then there is nobody to tell

    def close(self) -> None:
        self._socket.close()

    def release(self) -> socket.socket:
        """Give the socket away. The stream is closed then, without a sign to the peer."""
        return socket.socket(fileno=self._socket.detach())

    def detach_after_fork(self) -> None:
        # close(2) alone: the parent's descriptor keeps the connection, so no FIN is sent.
        self._socket.close()


def lowest(stream: Stream) -> Stream:
    """What is below all TLS."""
    while (lower := getattr(stream, "lower", None)) is not None:
        stream = lower
    return stream


def _address(get: Any) -> Any:
    try:
        return shared_address(get())
    except OSError:
        return None  # reset in the meantime; reading from it will say so


def shared_address(address: Any) -> Any:
    """The same address. Each open connection keeps both of its ends, and thousands share hosts."""
    if isinstance(address, tuple) and isinstance(address[0], str):
        if len(address) == 2:
            return (intern(address[0]), address[1])
        return (intern(address[0]), *address[1:])
    return address
