"""An asyncio transport → a `Stream`, and its callbacks → calls of whoever is served."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from tieline.aio.failing import give_up
from tieline.aio.leftovers import read_what_is_left
from tieline.transport.scratch import ciphertext

if TYPE_CHECKING:
    from tieline.aio.failing import LoopRegistrant
    from tieline.aio.loop_reactor import LoopReactor

#: Handed to the transport at once: what the kernel does not take of it, the transport may copy.
_PIECE = 256 * 1024

#: Read at once into memory of its own, where the loop's cannot be shared.
_OWN_MEMORY = 64 * 1024


class TransportStream(asyncio.BufferedProtocol):
    """A connected socket in the hands of an event loop: a `Stream` on that loop's thread.

    On other threads it only takes nothing (`send` gives 0), which makes the owner wait until the
    loop calls it: nothing of an asyncio transport may be touched from outside. `close`,
    `shutdown_write` and `detach_after_fork` may be called anywhere.

    `under_tls` says that a TLSStream reads from it, hence into which memory.
    """

    def __init__(
        self,
        reactor: LoopReactor,
        connected: socket.socket,
        *,
        peer: Any,
        local: Any,
        under_tls: bool,
        own_memory: bool = sys.platform == "win32",
    ) -> None:
        self._reactor = reactor
        self._loop = reactor.loop
        # The transport's own object: closing it is all that is left once the loop is closed.
        self._socket = connected
        self._descriptor = connected.fileno()
        self.peer = peer
        self.local = local
        self.tls: dict[str, Any] | None = None
        self._transport: asyncio.Transport | None = None
        self._closing = False
        # Who is served, and what it waits for.
        self._registrant: LoopRegistrant | None = None
        self._wants_input = self._wants_room = self._call_scheduled = False

        # Read side. Each read goes to memory that all streams of the loop share. On Windows one is
        # under way while others run, so a stream needs its own.
        self._under_tls = under_tls
        self._own_memory = memoryview(bytearray(_OWN_MEMORY)) if own_memory else None
        self._memory = memoryview(b"")  # where the transport has put its bytes
        self._fresh = 0  # how many of them nobody has taken yet
        self._kept = bytearray()  # what was not taken while it was fresh
        self._ended = False
        self._failure: OSError | None = None  # to be raised once what came before it is read

        # Write side.
        self._shut_down = False
        #: True while bytes that were taken have not all reached the kernel.
        self.has_pending_output = False
        self.hidden_input = 0

    # --- for the owner ------------------------------------------------------------------------

    @property
    def has_buffered_input(self) -> bool:
        # What is kept is reported like what the kernel holds: by `on_readable`.
        return False

    def fileno(self) -> int:
        return -1 if self._closing else self._descriptor

    def receive_into(self, buffer: memoryview) -> int | None:
        if not len(buffer):
            raise ValueError("the buffer is empty, so 0 would not mean the end of the stream")
        if self._closing:
            raise _closed()
        if self._kept:
            count = min(len(buffer), len(self._kept))
            buffer[:count] = self._kept[:count]
            del self._kept[:count]
            return count
        if self._fresh:
            return self._take_fresh(buffer)
        if self._failure is not None:
            raise self._failure
        return 0 if self._ended else None

    def _take_fresh(self, buffer: memoryview) -> int:
        count = self._fresh
        self._fresh = 0
        taken = min(count, len(buffer))
        if buffer.obj is not self._memory.obj:
            buffer[:taken] = self._memory[:taken]
        if taken < count:
            self._kept += self._memory[taken:count]
        return taken

    def send(self, data: bytes | bytearray | memoryview) -> int:
        if self._closing:
            raise _closed()
        if self._failure is not None:
            raise self._failure
        if not self._reactor.in_thread() or not self._has_room():
            return 0
        if self._loop.is_closed():
            return self._send_without_loop(data)
        transport = self._transport
        assert transport is not None
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _PIECE):
            piece = view[start : start + _PIECE]
            # The transport may keep it, so it must not be memory that can change.
            transport.write(piece if isinstance(view.obj, bytes) else bytes(piece))
            if transport.is_closing():
                return start  # it has failed, and this piece is lost
            if self.has_pending_output:
                return start + len(piece)
        return len(view)

    def _has_room(self) -> bool:
        # One that is closing has failed, and `connection_lost` is about to tell why.
        transport = self._transport
        return transport is not None and not transport.is_closing() and not self.has_pending_output

    def _send_without_loop(self, data: bytes | bytearray | memoryview) -> int:
        """The transport would want to wait for the loop; the kernel may have room all the same."""
        with suppress(BlockingIOError):
            return self._socket.send(data)
        return 0

    @property
    def pending_size(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def flush(self) -> bool:
        # The transport writes by itself, and `resume_writing` tells when it has.
        if self.has_pending_output and self._failure is not None:
            raise self._failure
        return not self.has_pending_output

    def shutdown_write(self) -> None:
        if self._reactor.in_thread():
            self._shutdown_write()
        else:
            self._on_loop(self._shutdown_write)

    def _shutdown_write(self) -> None:
        transport = self._transport
        if self._shut_down or transport is None or transport.is_closing():
            return
        self._shut_down = True
        # Not connected any more: then there is nobody to tell.
        with suppress(OSError):
            if self._loop.is_closed():
                self._socket.shutdown(socket.SHUT_WR)
            else:
                transport.write_eof()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._kept = bytearray()
        self._fresh = 0
        if self._loop.is_closed() or not (self._reactor.in_thread() or self._on_loop(self._abort)):
            self._socket.close()
        elif self._reactor.in_thread():
            self._abort()

    def _abort(self) -> None:
        # Not `close()`, which would linger until a peer that does not read has read everything.
        if self._transport is not None:
            self._transport.abort()

    def detach_after_fork(self) -> None:
        # The number stays taken, because the transport will close it once more. The parent's
        # descriptor keeps the connection, so no FIN is sent.
        if not self._closing:
            self._closing = True
            with open(os.devnull, "rb") as nothing:
                os.dup2(nothing.fileno(), self._descriptor, inheritable=False)

    def _on_loop(self, function: Any) -> bool:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            return False  # the loop is closed
        return True

    # --- for the reactor, on the loop's thread ------------------------------------------------

    def serve(self, registrant: LoopRegistrant | None) -> None:
        """Call this one from now on; None: nobody."""
        self._registrant = registrant

    @property
    def is_served(self) -> bool:
        """Is there somebody to end it?"""
        return self._registrant is not None

    def watch(self, *, readable: bool, writable: bool) -> None:
        """Call `on_readable` while there is something to read, `on_writable` while there is room.

        Pausing is what makes the peer wait: the loop reads no more.
        """
        self._wants_input, self._wants_room = readable, writable
        self._pause_or_resume()
        self._schedule_call()

    def _pause_or_resume(self) -> None:
        transport = self._transport
        # After the end, a loop that resumed would only find the end again.
        if transport is None or self._ended or transport.is_closing():
            return
        if not self._wants_input:
            transport.pause_reading()
        elif not self._kept:
            transport.resume_reading()

    def _is_readable(self) -> bool:
        return bool(self._kept) or self._ended or self._failure is not None

    def _is_due(self) -> bool:
        return (self._wants_input and self._is_readable()) or (
            self._wants_room and self._is_writable()
        )

    def _is_writable(self) -> bool:
        return not self.has_pending_output or self._failure is not None

    def _schedule_call(self) -> None:
        """What the transport has told already is told as often as it is true, like a selector."""
        if self._is_due() and not self._call_scheduled:
            self._call_scheduled = True
            self._loop.call_soon(self._call)

    def _call(self) -> None:
        self._call_scheduled = False
        registrant = self._registrant
        if registrant is None or self._closing:
            return
        try:
            if self._wants_room and self._is_writable():
                registrant.on_writable()
            if self._wants_input and self._is_readable():
                registrant.on_readable(self._reactor.now())
        except BaseException as error:
            give_up(registrant, error)
        if not self._closing:
            self._pause_or_resume()
            self._schedule_call()

    # --- what the transport tells -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop derives its transports from asyncio's classes.
        self._transport = transport = cast(asyncio.Transport, transport)
        # Above no bytes at all it pauses us, so that we know when the kernel is full.
        transport.set_write_buffer_limits(high=0)
        transport.pause_reading()
        self._reactor.stream_opened(self)
        if self._closing:
            transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._own_memory is not None:
            self._memory = self._own_memory
        elif self._under_tls:
            self._memory = ciphertext.memory
        else:
            # All of it, also behind a big message: here each read costs a turn of the loop.
            self._memory = memoryview(self._reactor.memory.buffer)
        return self._memory

    def buffer_updated(self, nbytes: int) -> None:
        if self._closing:
            return
        registrant = self._registrant
        self._fresh = nbytes
        if (
            registrant is None
            or not self._wants_input
            or self._kept
            # TLS has something to read before these, which may take turns with other streams.
            or registrant.stream.has_buffered_input
        ):
            self._keep()
            return
        try:
            registrant.on_readable(self._reactor.now())
        except BaseException as error:
            give_up(registrant, error)
        if self._fresh or self._kept:
            self._keep()

    def _keep(self) -> None:
        """Not all of the bytes were taken, and the memory is needed for others."""
        self._kept += self._memory[: self._fresh]
        self._fresh = 0
        if self._transport is not None:
            self._transport.pause_reading()
        self._schedule_call()

    def eof_received(self) -> bool:
        self._ended = True
        self._schedule_call()
        return True  # the other direction stays open

    def pause_writing(self) -> None:
        self.has_pending_output = True

    def resume_writing(self) -> None:
        self.has_pending_output = False
        self._schedule_call()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closing:
            self._kept += read_what_is_left(self._descriptor)
            if isinstance(exc, OSError):
                self._failure = exc
            else:
                self._failure = ConnectionAbortedError("the event loop has closed the connection")
                self._failure.__cause__ = exc
        self._transport = None
        self._reactor.stream_closed(self)
        # Whoever waits for bytes or for room must learn that neither will come.
        self._schedule_call()


def _closed() -> OSError:
    return ConnectionAbortedError("the stream is closed")
