"""One client of the echo server: its frames → the hooks' answers → frames."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from logging import getLogger
from typing import Any

from tieline.engine.outbox import Outbox
from tieline.engine.payloads import encode_payload
from tieline.engine.reactor import Reactor
from tieline.engine.timers import Timer
from tieline.errors import ConnectionClosed, OptionError, SendBufferFull
from tieline.headers import HTTPRequest
from tieline.protocol.close import check_close
from tieline.protocol.endpoints import server_connection
from tieline.protocol.events import (
    Closed,
    CloseInfo,
    ClosingStarted,
    HandshakeFailed,
    RequestReceived,
)
from tieline.protocol.settings import Settings
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode, Opcode
from tieline.transport.stream import Stream

#: Seconds for a client to take the last bytes.
_LAST_BYTES = 10.0

#: Seconds after that for it to close its side of TCP. Closing ours earlier could reset the
#: connection, and a reset destroys a Close frame that is still on its way.
_LINGER = 1.0

_log = getLogger("tieline.testing")


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoHooks:
    """What the user of an echo server wants done. Called on the server's thread."""

    on_open: Callable[[EchoConnection], object] | None
    on_message: Callable[[EchoConnection, Any], object] | None
    on_close: Callable[[EchoConnection, CloseInfo], object] | None
    subprotocols: tuple[str, ...]


class EchoConnection:
    """A client that is connected to an `EchoServer`. `send` and `close` are for any thread."""

    def __init__(
        self,
        reactor: Reactor,
        stream: Stream,
        hooks: EchoHooks,
        settings: Settings,
        *,
        write_limit: int,
        handshake_timeout: float,
        on_ended: Callable[[EchoConnection], object],
    ) -> None:
        #: The client's address, such as ("127.0.0.1", 50123).
        self.peer = stream.peer
        #: The upgrade request; None before it has come.
        self.request: HTTPRequest | None = None
        #: What was agreed on, or None.
        self.subprotocol: str | None = None
        self._reactor = reactor
        self._stream = stream
        self._hooks = hooks
        self._connection = server_connection(settings)
        self._write_limit = write_limit
        self._handshake_timeout = handshake_timeout
        self._on_ended = on_ended
        # The one timer. The protocol's deadlines only move later, or the timer is replaced.
        self._timer: Timer | None = None
        # Write side. `_queued`: bytes that other threads have handed over, guarded by `_lock`.
        self._outbox = Outbox()
        self._lock = threading.Lock()
        self._queued = 0
        # The end. Nothing follows what is in the outbox; when that is written, our side of the
        # stream is shut down; then only the client's own close is awaited, until `_give_up_at`.
        self._is_last = False
        self._is_shut_down = False
        self._give_up_at: float | None = None
        self._has_ended = False
        # The reactor's own.
        self.is_served = False
        self.served_as = self.watched_for = 0

    def __repr__(self) -> str:
        return f"<EchoConnection {self.peer} {self._connection.state.value}>"

    # --- from any thread ----------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """True while messages can be sent."""
        return self._connection.state is State.OPEN and not self._has_ended

    @property
    def close_info(self) -> CloseInfo | None:
        """How the connection ended, or None."""
        return self._connection.close_info

    def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Send a message, without waiting.

        Raises `ConnectionClosed`, and `SendBufferFull` when the client does not read.
        """
        encoded = encode_payload(message)
        if encoded is None:
            raise OptionError(f"message: expected str or bytes, got {type(message).__name__}")
        opcode, payload = encoded[0], bytes(encoded[1])
        if not self.is_open:
            raise ConnectionClosed("the client's connection is not open", self.close_info)
        with self._lock:
            waiting = self._outbox.unwritten + self._queued
            if waiting >= self._write_limit:
                raise SendBufferFull(
                    f"the client does not read: {waiting} bytes wait for it "
                    f"(write_limit={self._write_limit})"
                )
            self._queued += len(payload)
        if self._reactor.in_thread():
            self._send_queued(opcode, payload)
        else:
            self._reactor.call_soon(self, lambda: self._send_and_pump(opcode, payload))

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Begin the closing handshake, without waiting for it. Raises `OptionError`."""
        check_close(code, reason)
        if self._reactor.in_thread():
            self._connection.send_close(code, reason, self._reactor.now())
        self._reactor.call_soon(self, lambda: self._close_and_pump(code, reason))

    def abort(self) -> None:
        """Drop the connection without a Close frame: the client sees 1006."""
        self._reactor.call_soon(self, self._end)

    # --- what the reactor calls -----------------------------------------------------------------

    def fileno(self) -> int:
        return self._stream.fileno()

    def on_registered(self) -> None:
        self._timer = self._reactor.call_at(
            self._reactor.now() + self._handshake_timeout, self, self._on_timer
        )
        self._watch()

    def on_readable(self, now: float) -> None:
        while not self._has_ended and self._read(now) and self._stream.has_buffered_input:
            if self._is_congested:
                self._reactor.call_soon(self, self._watch)
                return

    def on_writable(self) -> None:
        if not self._has_ended:
            self._flush()

    def slept(self, seconds: float) -> None:
        """The client will tell."""

    def fail(self, error: Exception) -> None:
        """One of these callbacks raised, which is a fault of this file: say so and let go."""
        _log.error("connection from %s failed", self.peer, exc_info=error)
        self._connection.connection_lost(error)
        if not self._has_ended:
            self._end()

    def abandon_after_fork(self) -> None:
        self._has_ended = True
        self._stream.detach_after_fork()

    # --- on the reactor's thread ----------------------------------------------------------------

    def _read(self, now: float) -> bool:
        try:
            count = self._stream.receive_into(self._reactor.memory.view)
        except OSError as error:
            self._lose(error)
            return False
        if count is None:
            return False
        if self._give_up_at is not None:
            # The connection is over; what still comes is thrown away until the client closes.
            if not count:
                self._end()
            return bool(count)
        if count:
            self._connection.receive_data(self._reactor.memory.buffer, count, now)
        else:
            self._connection.receive_eof()
        self._pump(now)
        return True

    def _pump(self, now: float) -> None:
        """Do all that the received bytes ask for, then write the answers."""
        while (event := self._connection.next_event(now)) is not None:
            if isinstance(event, list):
                self._answer(event)
            elif isinstance(event, RequestReceived):
                self._accept(event, now)
            elif isinstance(event, HandshakeFailed):
                _log.debug("no connection from %s: %s", self.peer, event.error)
                self._linger(now)
            elif isinstance(event, ClosingStarted) and event.error is not None:
                # 7.1.1: the client waits for us to end the stream; what it sends is not looked at.
                self._is_last = True
            elif isinstance(event, Closed):
                self._linger(now)
                self._run(self._hooks.on_close, self, event.info)
        if not self._has_ended:
            self._flush()
            self._arm_timer()

    def _accept(self, event: RequestReceived, now: float) -> None:
        self.request = event.request
        offered = [name for name in event.subprotocols if name in self._hooks.subprotocols]
        self.subprotocol = offered[0] if offered else None
        self._connection.accept(now, self.subprotocol)
        self._run(self._hooks.on_open, self)

    def _answer(self, messages: list[str | bytes]) -> None:
        on_message, outgoing = self._hooks.on_message, self._connection.outgoing
        for message in messages:
            answer: object = message
            if on_message is not None:
                answer = self._run(on_message, self, message)
            if not outgoing.is_open:
                return  # a hook has closed the connection, or has failed
            if isinstance(answer, str):
                outgoing.message(Opcode.TEXT, answer.encode())
            elif isinstance(answer, bytes | bytearray | memoryview):
                outgoing.message(Opcode.BINARY, bytes(answer))
            elif answer is not None:
                self._refuse(f"on_message returned {type(answer).__name__}, expected str or bytes")

    def _run(self, hook: Callable[..., object] | None, *arguments: object) -> object:
        if hook is None:
            return None
        try:
            return hook(*arguments)
        except Exception as error:
            _log.error("a hook of the echo server raised", exc_info=error)
            self._refuse(f"a hook raised {type(error).__name__}")
            return None

    def _refuse(self, why: str) -> None:
        error = RuntimeError(f"the server's {why}")
        self._connection.fail(error, CloseCode.INTERNAL_ERROR, self._reactor.now())

    def _send_queued(self, opcode: Opcode, payload: bytes) -> None:
        with self._lock:
            self._queued -= len(payload)
        if self._connection.outgoing.is_open:
            self._connection.outgoing.message(opcode, payload)
            self._outbox.extend(self._connection.data_to_send())

    def _send_and_pump(self, opcode: Opcode, payload: bytes) -> None:
        self._send_queued(opcode, payload)
        self._pump(self._reactor.now())

    def _close_and_pump(self, code: int, reason: str) -> None:
        now = self._reactor.now()
        self._connection.send_close(code, reason, now)
        if self._connection.state is State.CONNECTING:
            # Nobody is there yet to say goodbye to.
            self._linger(now)
        self._pump(now)

    @property
    def _is_congested(self) -> bool:
        return self._outbox.unwritten >= self._write_limit

    def _flush(self) -> None:
        try:
            while True:
                self._outbox.extend(self._connection.data_to_send())
                if not self._outbox.write_to(self._stream):
                    break
                # May release a Pong that was held back.
                self._connection.outgoing.set_congested(False)
                if self._connection.outgoing.is_empty:
                    break
        except OSError as error:
            self._lose(error)
            return
        self._connection.outgoing.set_congested(self._is_congested)
        if self._is_last and not self._outbox.unwritten and not self._is_shut_down:
            self._is_shut_down = True
            self._stream.shutdown_write()
            if self._give_up_at is not None:
                self._give_up_at = self._reactor.now() + _LINGER
                self._arm_timer()
        self._watch()

    def _watch(self) -> None:
        """A client that does not read its answers is not read either."""
        has_waiting = self._outbox.unwritten > 0
        self._reactor.watch(self, readable=not self._is_congested, writable=has_waiting)
        if self._stream.has_buffered_input and not self._is_congested:
            self._reactor.call_soon(self, lambda: self.on_readable(self._reactor.now()))

    def _arm_timer(self) -> None:
        deadline = self._give_up_at
        if deadline is None:
            if self._connection.state is State.CONNECTING:
                return  # the timer of the handshake is running
            deadline = self._connection.next_deadline()
        if self._timer is not None and self._timer.when != deadline:
            self._timer.cancel()
            self._timer = None
        if deadline is not None and self._timer is None:
            self._timer = self._reactor.call_at(deadline, self, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._reactor.now()
        if self._give_up_at is not None or self._connection.state is State.CONNECTING:
            self._end()
            return
        self._connection.on_time(now)
        self._pump(now)

    def _linger(self, now: float) -> None:
        """The protocol has come to its end; the stream follows."""
        self._is_last = True
        self._give_up_at = now + (_LINGER if self._is_shut_down else _LAST_BYTES)

    def _lose(self, error: OSError) -> None:
        """The stream is broken."""
        self._connection.connection_lost(error)
        while (event := self._connection.next_event(self._reactor.now())) is not None:
            if isinstance(event, Closed):
                self._run(self._hooks.on_close, self, event.info)
        if not self._has_ended:
            self._end()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._has_ended = True
        self._reactor.unregister(self)
        self._stream.close()
        self._on_ended(self)
