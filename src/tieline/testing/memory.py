"""Bytes written to one end → bytes read from the other, in memory: a pair of byte streams."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Callable
from typing import Any

#: Bytes that one direction holds, unless told otherwise: what a loopback socket holds, roughly.
DEFAULT_CAPACITY = 256 * 1024


def memory_streams(
    capacity: int | None = DEFAULT_CAPACITY, *, receive_limit: int | None = None
) -> tuple[MemoryStream, MemoryStream]:
    """Two connected streams. `capacity` and `receive_limit` (both ends') as in `MemoryStream`."""
    lock = threading.RLock()
    there, back = _Direction(capacity), _Direction(capacity)
    near = MemoryStream(lock, back, there, "memory:near", "memory:far", receive_limit)
    far = MemoryStream(lock, there, back, "memory:far", "memory:near", receive_limit)
    near.other, far.other = far, near
    return near, far


class MemoryStream:
    """One end of a connection that exists in memory only; a `transport.stream.Stream`.

    Nothing ever waits: `send` takes what there is room for, `receive_into` gives what there is.
    Any thread may use it, one at a time per end. There is no descriptor to wait on, so it is
    served by a `StepReactor`, or by hand.

    `capacity`: bytes that wait unread in each direction at most (None: no limit).
    `receive_limit`: bytes that one `receive_into` gives at most (None: no limit); 1 cuts the
    stream at every place where it can be cut. Both may be changed at any time.
    """

    other: MemoryStream

    def __init__(
        self,
        lock: threading.RLock,
        incoming: _Direction,
        outgoing: _Direction,
        local: str,
        peer: str,
        receive_limit: int | None,
    ) -> None:
        self.local: Any = local
        self.peer: Any = peer
        self.tls: dict[str, Any] | None = None
        self.has_buffered_input = False
        self.has_pending_output = False
        self.hidden_input = self.pending_size = 0
        self.receive_limit = receive_limit
        #: Called without arguments after bytes, an end or an error came from the other end, or room
        #: for more bytes was made there; on whatever thread did it.
        self.on_change: Callable[[], object] | None = None
        self._lock = lock
        self._incoming = incoming
        self._outgoing = outgoing
        self._error: OSError | None = None
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self.waiting} bytes to read"
        return f"<MemoryStream {self.local} {state}>"

    # --- what every stream does -----------------------------------------------------------------

    def fileno(self) -> int:
        """-1 once closed. Before that it raises: there is no descriptor to wait on."""
        if self._closed:
            return -1
        raise io.UnsupportedOperation(
            f"{self.local} is a memory stream, which has no descriptor to wait on: serve it with a "
            "StepReactor, and let the other end answer before it is waited for"
        )

    def receive_into(self, buffer: memoryview) -> int | None:
        """Read what has come: how many bytes; 0 at the end; None: nothing now. Raises OSError.

        What came before an error or the end is read first.
        """
        if not len(buffer):
            raise ValueError("the buffer is empty, so 0 would not mean the end of the stream")
        with self._lock:
            self._check_usable()
            incoming = self._incoming
            count = min(len(buffer), len(incoming.data), self.receive_limit or len(buffer))
            if not count:
                if self._error is not None:
                    raise self._error
                # Whoever plays TLS on it sets it; who was given nothing need not come back for it.
                self.has_buffered_input = False
                return 0 if incoming.has_ended else None
            buffer[:count] = incoming.data[:count]
            del incoming.data[:count]
        self.other._changed()
        return count

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Take what there is room for: how many bytes, 0 for none. Raises OSError."""
        with self._lock:
            self._check_usable()
            if self._error is not None:
                raise self._error
            if self._outgoing.has_ended or self.other._closed:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
            view = memoryview(data).cast("B")
            count = min(len(view), self._outgoing.room)
            self._outgoing.data += view[:count]
        if count:
            self.other._changed()
        return count

    def flush(self) -> bool:
        return True

    def shutdown_write(self) -> None:
        """Half close: the other end reads what is under way, then its end of the stream."""
        with self._lock:
            if self._closed or self._outgoing.has_ended:
                return
            self._outgoing.has_ended = True
        self.other._changed()

    def close(self) -> None:
        """Close both directions. Idempotent; what this end has not read is dropped."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._incoming.data.clear()
            self._outgoing.has_ended = True
        self.other._changed()

    def detach_after_fork(self) -> None:
        """Let go of this end without a sign to the other one."""
        self._closed = True

    # --- what only tests do -----------------------------------------------------------------------

    @property
    def capacity(self) -> int | None:
        """Bytes that each direction holds at most; None: no limit."""
        return self._outgoing.capacity

    @capacity.setter
    def capacity(self, capacity: int | None) -> None:
        self._outgoing.capacity = self._incoming.capacity = capacity
        self._changed()
        self.other._changed()

    @property
    def waiting(self) -> int:
        """Bytes that can be read now."""
        return len(self._incoming.data)

    @property
    def is_readable(self) -> bool:
        """True if `receive_into` would not give None: bytes, an end or an error have come."""
        if self._closed:
            return False
        return bool(self._incoming.data or self._incoming.has_ended or self._error is not None)

    @property
    def is_writable(self) -> bool:
        """True if `send` would take a byte, or raise."""
        if self._closed:
            return False
        broken = self._error is not None or self._outgoing.has_ended or self.other._closed
        return broken or self._outgoing.room > 0

    def write(self, data: bytes) -> None:
        """Send all of it. Raises BlockingIOError, with nothing sent, when there is no room."""
        with self._lock:
            if len(data) > self._outgoing.room:
                raise BlockingIOError(
                    f"{len(data)} bytes do not fit in the {self._outgoing.room} that are free of "
                    f"capacity={self.capacity}"
                )
            self.send(data)

    def read(self) -> bytes:
        """Take out all that has come, whatever `receive_limit`; b"" for nothing."""
        with self._lock:
            self._check_usable()
            taken = bytes(self._incoming.data)
            self._incoming.data.clear()
        self.other._changed()
        return taken

    @property
    def at_end(self) -> bool:
        """True when the other end has ended its direction and all before was read."""
        return self._incoming.has_ended and not self._incoming.data

    def fail(self, error: OSError) -> None:
        """Break this end: reading raises `error` once what had come is read, sending at once."""
        self._error = error
        self._changed()

    def reset(self) -> None:
        """Close this end so that the other one fails as after a TCP reset."""
        self.other.fail(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
        self.close()

    def _check_usable(self) -> None:
        if self._closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def _changed(self) -> None:
        if self.on_change is not None and not self._closed:
            self.on_change()


class _Direction:
    """The bytes on their way from one end to the other. Guarded by the pair's lock."""

    def __init__(self, capacity: int | None) -> None:
        self.data = bytearray()
        self.capacity = capacity
        self.has_ended = False

    @property
    def room(self) -> int:
        if self.capacity is None:
            # More than anybody sends at once, and never used up.
            return 1 << 62
        return max(0, self.capacity - len(self.data))
