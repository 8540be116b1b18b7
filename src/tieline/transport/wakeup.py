"""A call from any thread → a readable descriptor, for whoever waits in a selector."""

from __future__ import annotations

import os
import socket


class Wakeup:
    """A flag that a selector can wait for. `set` may be called from any thread."""

    def __init__(self) -> None:
        # None: closed, or not opened yet.
        self._descriptor: int | None = None
        self._sockets: tuple[socket.socket, socket.socket] | None = None
        if hasattr(os, "eventfd"):
            self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            return
        self._sockets = socket.socketpair()
        for end in self._sockets:
            end.setblocking(False)
        self._descriptor = self._sockets[0].fileno()

    def fileno(self) -> int:
        assert self._descriptor is not None
        return self._descriptor

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
        else:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)
