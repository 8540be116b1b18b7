"""Bytes of a client on a memory stream → its messages for a test, and a server's answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from tieline import compression as compressing
from tieline.compression import Compression
from tieline.engine.outbox import Outbox
from tieline.engine.payloads import encode_payload
from tieline.errors import OptionError
from tieline.headers import HTTPRequest
from tieline.protocol.endpoints import server_connection
from tieline.protocol.events import (
    Closed,
    CloseInfo,
    Event,
    HandshakeFailed,
    RequestReceived,
)
from tieline.protocol.settings import Settings
from tieline.protocol.wire import Opcode
from tieline.testing.memory import MemoryStream
from tieline.testing.step_reactor import StepReactor


class MemoryPeer:
    """The server's end of a connection in memory; the other end belongs to a client.

    It reads at once what the client sends, and keeps to the protocol: it accepts the upgrade (with
    `subprotocol`, if the client offers it), answers Pings and Close, and has no keepalive of its
    own. `compression` is what may be agreed on with a client that offers it, as in the option of
    that name. `reply(message)`, if given, makes an answer to each message (None: none).

    What a test sends here has reached the client's handlers when the call returns.
    """

    def __init__(
        self,
        stream: MemoryStream,
        reactor: StepReactor,
        *,
        subprotocol: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        compression: Compression = None,
        reply: Callable[[Any], str | bytes | None] | None = None,
    ) -> None:
        #: The stream itself, for what has no method here (`capacity`, `receive_limit`, `fail`).
        self.stream = stream
        self.reactor = reactor
        #: The client's upgrade request, once it has come.
        self.request: HTTPRequest | None = None
        #: The client's messages, in order.
        self.messages: list[str | bytes] = []
        #: What else came: `PingReceived`, `PongReceived`, `ClosingStarted`, `Closed`, in order.
        self.events: list[Event] = []
        self._subprotocol = subprotocol
        self._headers = headers
        self._reply = reply
        accepted = compressing.compression().apply("compression", compression)
        deflate = compressing.parameters_of(cast(Compression, accepted))
        self._connection = server_connection(Settings(ping_interval=None, compression=deflate))
        self._outbox = Outbox()
        self._at_end = False
        stream.on_change = self._on_change

    def __repr__(self) -> str:
        return f"<MemoryPeer {self._connection.state.value}, {len(self.messages)} messages>"

    @property
    def is_open(self) -> bool:
        """True while messages can be sent."""
        return self._connection.outgoing.is_open

    @property
    def close_info(self) -> CloseInfo | None:
        """How the connection ended, as the server sees it, or None."""
        return self._connection.close_info

    # --- sending --------------------------------------------------------------------------------

    def send(
        self, message: str | bytes | bytearray | memoryview, *, compress: bool | None = None
    ) -> None:
        """Send a message; `compress`: None leaves it to its size. Raises `ConnectionClosed`."""
        self._send(message, compress)
        self._write_and_step()

    def send_frame(
        self, opcode: Opcode, payload: bytes, fin: bool = True, *, compress: bool = False
    ) -> None:
        """Send one frame of a fragmented message; the first one's `compress` is for all of it."""
        self._connection.outgoing.fragment(opcode, payload, fin, compress)
        self._write_and_step()

    def send_raw(self, data: bytes) -> None:
        """Send these bytes, whatever they are; see `frame_bytes`."""
        self._outbox.extend([data])
        self._write_and_step()

    def ping(self, data: bytes = b"") -> None:
        """Send a Ping; the client's Pong is in `events` afterwards."""
        self._connection.outgoing.ping(data, self.reactor.now())
        self._write_and_step()

    def pong(self, data: bytes = b"") -> None:
        """Send an unasked Pong."""
        self._connection.outgoing.pong(data)
        self._write_and_step()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake."""
        self._connection.send_close(code, reason, self.reactor.now())
        self._write_and_step()

    # --- breaking off ---------------------------------------------------------------------------

    def drop(self) -> None:
        """End the stream without a Close frame."""
        self.stream.close()
        self._step()

    def reset(self) -> None:
        """End the stream as a TCP reset does."""
        self.stream.reset()
        self._step()

    def go_silent(self) -> None:
        """Read and answer nothing any more, as a peer whose link died."""
        self.stream.on_change = None

    # --- inside ---------------------------------------------------------------------------------

    def _write_and_step(self) -> None:
        self._write()
        self._step()

    def _step(self) -> None:
        if not self.reactor.is_stepping:
            self.reactor.run_until_idle()

    def _on_change(self) -> None:
        now = self.reactor.now()
        while not self._at_end and self.stream.is_readable:
            data = bytearray(64 * 1024)
            try:
                count = self.stream.receive_into(memoryview(data))
            except OSError as error:
                self._at_end = True
                self._connection.connection_lost(error)
            else:
                if count:
                    self._connection.receive_data(data, count, now)
                else:
                    self._at_end = True
                    self._connection.receive_eof()
            self._take_events(now)
        self._write()

    def _take_events(self, now: float) -> None:
        while (event := self._connection.next_event(now)) is not None:
            if isinstance(event, list):
                self.messages += event
                self._answer(event)
            elif isinstance(event, RequestReceived):
                self.request = event.request
                chosen = self._subprotocol if self._subprotocol in event.subprotocols else None
                self._connection.accept(now, chosen, self._headers)
            else:
                self.events.append(event)
                if isinstance(event, Closed | HandshakeFailed):
                    self._at_end = True

    def _answer(self, messages: list[str | bytes]) -> None:
        if self._reply is not None:
            for message in messages:
                answer = self._reply(message)
                if answer is not None:
                    self._send(answer)

    def _send(self, message: object, compress: bool | None = None) -> None:
        encoded = encode_payload(message)
        if encoded is None:
            raise OptionError(f"message: expected str or bytes, got {type(message).__name__}")
        self._connection.outgoing.message(*encoded, compress)

    def _write(self) -> None:
        """Write as much as the stream has room for; `on_change` comes when there is more."""
        self._outbox.extend(self._connection.data_to_send())
        try:
            written = self._outbox.write_to(self.stream)
        except OSError as error:
            self._outbox.clear()
            self._connection.connection_lost(error)
            return
        if written and self._at_end:
            # 7.1.1: the server closes first.
            self.stream.close()
