"""A call from any thread → a readable descriptor, for whoever waits in a selector."""

from __future__ import annotations

import io
import os
import socket


class Wakeup:
    """A flag that a selector can wait for. `set` may be called from any thread.

    Ctrl-C loses no descriptor, wherever it comes: each has an owner that closes it in the end, when
    nobody else does.
    """

    def __init__(self) -> None:
        self._sockets: tuple[socket.socket, socket.socket] | None = None
        self._eventfd: io.FileIO | None = None
        if hasattr(os, "eventfd"):
            # A number has no owner: one call makes both, with no bytecode in between at which a
            # signal handler could come in.
            flags = os.EFD_NONBLOCK | os.EFD_CLOEXEC
            self._eventfd = next(map(io.FileIO, map(os.eventfd, (0,), (flags,)), ("r+",)))
            return
        self._sockets = socket.socketpair()
        for end in self._sockets:
            end.setblocking(False)

    def fileno(self) -> int:
        """Raises ValueError or gives -1 when it is closed."""
        if self._sockets:
            return self._sockets[0].fileno()
        assert self._eventfd is not None
        return self._eventfd.fileno()

    def set(self) -> None:
        try:
            if self._sockets:
                self._sockets[1].send(b"\0")
            else:
                os.eventfd_write(self.fileno(), 1)
        except BlockingIOError:
            pass  # full, hence set already

    def clear(self) -> None:
        try:
            if self._sockets:
                self._sockets[0].recv(4096)
            else:
                os.eventfd_read(self.fileno())
        except BlockingIOError:
            pass  # another wait took it

    def close(self) -> None:
        """May be called again."""
        if self._sockets:
            for end in self._sockets:
                end.close()
        elif self._eventfd is not None:
            self._eventfd.close()
