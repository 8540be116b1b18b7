"""A script's calls → bytes to one client, and what the client sent → checked frames."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from datetime import datetime
from typing import Any

from tieline.headers import HTTPRequest
from tieline.http1 import ServerExchange
from tieline.protocol.close import decode_close
from tieline.protocol.events import Close, Frame, FrameReceived
from tieline.protocol.handshake import EXTENSIONS, accept_value, check_request
from tieline.protocol.inspection import FrameInspector
from tieline.protocol.wire import Opcode
from tieline.testing.answers import Headers, RetryAfter, answer_bytes
from tieline.testing.frames import close_payload, frame_bytes
from tieline.testing.recorder import ANYTHING
from tieline.testing.scripted_compression import ScriptedCompression

_PIECE = 256 * 1024

#: Seconds for a client to close its side after the script's end.
_LINGER = 1.0


class ScriptCancelled(Exception):
    """The server is being closed: nothing that the script waits for will come."""


class ScriptedPeer:
    """The server's end of one connection. Used by its script, on the script's thread.

    Every wait is bounded by the server's `timeout`. What does not come in time, or is not what was
    expected, raises AssertionError; a client that has broken the line raises OSError.
    """

    def __init__(self, accepted: socket.socket, closing: threading.Event, timeout: float) -> None:
        #: The connection itself, for what has no method here.
        self.socket = accepted
        #: The client's upgrade request, once it was read.
        self.request: HTTPRequest | None = None
        self._closing = closing
        self._timeout = timeout
        self._exchange = ServerExchange()
        self._cancelled = False
        #: The script has ended; only the client's close is awaited.
        self.is_ending = False
        # Bytes that were read and not used yet; from the first frame on, the decoder holds them.
        self._unused = b""
        self._at_frames = False
        self._frames = FrameInspector(True, None, None)
        self._compression = ScriptedCompression()

    # --- the handshake --------------------------------------------------------------------------

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Take the server's part in a TLS handshake, now."""
        self.socket.settimeout(self._timeout)
        secured = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        # Known before the handshake, so that `cancel` can end it.
        self.socket = secured
        secured.do_handshake()

    def read_request(self) -> HTTPRequest:
        """Read the head of the client's HTTP request."""
        deadline = self._deadline()
        while (request := self._exchange.request) is None:
            data = self._receive(deadline, "a request")
            if not data:
                raise AssertionError("expected a request, the client has closed the connection")
            self._exchange.receive_data(data)
        self.request = request
        self._unused = self._exchange.trailing_data
        return request

    def accept_upgrade(
        self,
        *,
        subprotocol: str | None = None,
        extensions: str | None = None,
        headers: Headers = (),
        accept: str | None = None,
        then: bytes = b"",
    ) -> HTTPRequest:
        """Read the request, check it (RFC 6455 section 4.2.1), and answer with 101.

        `extensions` is the text of Sec-WebSocket-Extensions, such as "permessage-deflate": what the
        client sends may then be compressed. `accept` replaces the right Sec-WebSocket-Accept.
        `then` goes out in the same write.
        """
        request = self.request or self.read_request()
        key, _ = check_request(request)
        fields = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_value(key) if accept is None else accept),
        ]
        if subprotocol is not None:
            fields.append(("Sec-WebSocket-Protocol", subprotocol))
        if extensions is not None:
            fields.append((EXTENSIONS, extensions))
        fields += headers
        self._compression = ScriptedCompression(
            value for name, value in fields if name.lower() == EXTENSIONS.lower()
        )
        self._frames.allow_rsv1 = self._compression.is_agreed
        self.send_raw(answer_bytes(101, "Switching Protocols", fields) + then)
        return request

    def respond(
        self,
        status: int,
        reason: str | None = None,
        headers: Headers = (),
        body: bytes | str = b"",
        *,
        retry_after: RetryAfter | None = None,
        date: datetime | None = None,
    ) -> HTTPRequest:
        """Read the request, and answer with something else. Nothing is checked or left out.

        `retry_after`: seconds, a time, or any text; `date`: the time at the server. `reason` is
        the status's own unless it is given.
        """
        request = self.request or self.read_request()
        content = body.encode() if isinstance(body, str) else body
        fields = [("Content-Length", str(len(content))), ("Connection", "close"), *headers]
        head = answer_bytes(status, reason, fields, date=date, retry_after=retry_after)
        self.send_raw(head + content)
        return request

    def redirect(
        self, location: str | None, status: int = 302, headers: Headers = ()
    ) -> HTTPRequest:
        """Read the request, and send the client elsewhere. None: it is not told where."""
        where = [] if location is None else [("Location", location)]
        return self.respond(status, headers=[*where, *headers])

    # --- sending --------------------------------------------------------------------------------

    def send_raw(self, data: bytes) -> None:
        """Send these bytes, whatever they are."""
        self.socket.settimeout(self._timeout)
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise AssertionError(
                f"the client does not read: {len(data)} bytes could not be sent within "
                f"{self._timeout:g} s"
            ) from None

    def send_frame(
        self, opcode: int, payload: bytes | str = b"", *, compress: bool = False, **parts: Any
    ) -> None:
        """Send one frame; `parts` as in `frame_bytes`, also wrong ones.

        `compress`: compress the payload within the connection's context, and mark it with RSV1
        unless it is a CONTINUATION. Otherwise the payload goes out as it is, also with RSV1.
        """
        if compress:
            payload = self._compression.deflate(payload, last=parts.get("fin", True))
            parts = {"rsv1": opcode != Opcode.CONTINUATION, **parts}
        elif parts.get("rsv1") or parts.get("rsv", 0) & 4:
            self._compression.forget()
        self.send_raw(frame_bytes(opcode, payload, **parts))

    def send_text(self, text: str, *, compress: bool = False) -> None:
        """Send a text message."""
        self.send_frame(Opcode.TEXT, text, compress=compress)

    def send_binary(self, data: bytes, *, compress: bool = False) -> None:
        """Send a binary message."""
        self.send_frame(Opcode.BINARY, data, compress=compress)

    def send_close(self, code: int | None = 1000, reason: str = "") -> None:
        """Send a Close frame, also with a code that may not be sent. None: an empty one."""
        self.send_frame(Opcode.CLOSE, close_payload(code, reason))

    def drip(self, data: bytes, seconds_between: float) -> None:
        """Send byte after byte, with a pause after each, until all is sent or the server closed."""
        for number in range(len(data)):
            self.send_raw(data[number : number + 1])
            if self._closing.wait(seconds_between):
                raise ScriptCancelled

    # --- receiving ------------------------------------------------------------------------------

    def receive_raw(self, count: int) -> bytes:
        """Read exactly so many bytes. Not to be mixed with frames."""
        if self._at_frames:
            raise RuntimeError("receive_raw after receive_frame: the decoder may hold the bytes")
        deadline = self._deadline()
        received = self._unused
        while len(received) < count:
            data = self._receive(deadline, f"{count} bytes")
            if not data:
                raise AssertionError(f"expected {count} bytes, got {received!r} and the end")
            received += data
        self._unused = received[count:]
        return received[:count]

    def receive_frame(self, *, inflate: bool = True) -> Frame:
        """Read the client's next frame, unmasked. Raises `ProtocolError` when it is wrong.

        A compressed payload is inflated; with ``inflate=False`` it is given as it came. `rsv1`
        tells either way that its message is compressed.
        """
        frame = self._next_frame("a frame", inflate)
        if frame is None:
            raise AssertionError("expected a frame, the client has closed the connection")
        return frame

    def expect_frame(
        self, opcode: Opcode, payload: bytes | str = ANYTHING, *, fin: bool = True
    ) -> Frame:
        """Read the client's next frame, which must be this one, inflated if it is compressed."""
        wanted = payload.encode() if isinstance(payload, str) else payload
        described = opcode.name if wanted is ANYTHING else f"{opcode.name} {wanted[:64]!r}"
        frame = self._next_frame(described)
        if frame is None:
            raise AssertionError(f"expected {described}, the client has closed the connection")
        if frame.opcode != opcode or frame.fin != fin:
            raise AssertionError(f"expected {described}, got {frame}")
        if wanted is not ANYTHING and frame.payload != wanted:
            raise AssertionError(f"expected {described}, got {frame}")
        return frame

    def expect_text(self, text: str) -> None:
        """Read the client's next frame, which must be this text message."""
        self.expect_frame(Opcode.TEXT, text)

    def expect_close(self, code: int | None = None, reason: str | None = None) -> Close:
        """Read frames up to the client's Close, past messages and pings; check its code."""
        while (frame := self._next_frame("a Close frame")) is not None:
            if frame.opcode is Opcode.CLOSE:
                close = decode_close(frame.payload)
                if code not in (None, close.code) or reason not in (None, close.reason):
                    raise AssertionError(f"expected a Close with {code} {reason!r}, got {close}")
                return close
        raise AssertionError("expected a Close frame, the client has closed the connection")

    def expect_end(self) -> None:
        """Read, and throw away, all up to the end of the client's bytes."""
        deadline = self._deadline()
        while self._receive(deadline, "the end of the connection"):
            pass

    def finish(self, code: int = 1000, reason: str = "") -> Close:
        """The closing handshake from the server's side: Close, the client's Close, the end."""
        self.send_close(code, reason)
        answer = self.expect_close()
        self.close()
        return answer

    # --- ending, and not ending ------------------------------------------------------------------

    def hold(self, seconds: float = 30.0) -> None:
        """Keep the connection, silent and unread, until the server is closed; the script ends then.

        Raises AssertionError when the server is not closed within `seconds`.
        """
        if self._closing.wait(seconds):
            raise ScriptCancelled
        raise AssertionError(f"the server was not closed within hold({seconds:g})")

    def pause(self, seconds: float) -> None:
        """Do nothing for a while; the script ends when the server is closed meanwhile."""
        if self._closing.wait(seconds):
            raise ScriptCancelled

    def half_close(self) -> None:
        """End this side's bytes; the client's can still be read."""
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        # A linger time of 0 makes close(2) send RST instead of FIN.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Close the connection at once; a reset if there are unread bytes. Idempotent."""
        self.socket.close()

    def end(self) -> None:
        """Close the connection so that the client gets all that was sent before. Idempotent.

        Waits for the client to close its side, a second at most. A script ends with this.
        """
        self.is_ending = True
        deadline = time.monotonic() + _LINGER
        # A client that has gone cannot be waited for.
        with suppress(OSError, AssertionError):
            self.half_close()
            while not self._closing.is_set() and self._receive(deadline, "the end"):
                pass
        self.socket.close()

    def cancel(self) -> None:
        """From the server's thread: end what the script waits for."""
        self._cancelled = True
        with suppress(OSError):
            # Not SSLSocket's, which would take its session from under the script's thread.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    # --- inside ---------------------------------------------------------------------------------

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout

    def _receive(self, deadline: float, wanted: str) -> bytes:
        """What comes next; b"" at the end."""
        # Never 0, which would mean not to wait at all.
        self.socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self.socket.recv(_PIECE)
        except TimeoutError:
            raise AssertionError(
                f"expected {wanted} within {self._timeout:g} s, nothing came"
            ) from None
        if self._cancelled:
            raise AssertionError(f"expected {wanted}, but the server was closed before it came")
        return data

    def _next_frame(self, wanted: str, inflate: bool = True) -> Frame | None:
        """The next frame; None at the end of the stream."""
        deadline = self._deadline()
        if not self._at_frames:
            self._at_frames = True
            self._frames.feed(self._unused, len(self._unused))
        while (found := self._frames.next_batch()) is None:
            data = self._receive(deadline, wanted)
            if not data:
                return None
            self._frames.feed(data, len(data))
        # Looked at only: what fits together, and what does not, is for the script to say.
        assert isinstance(found, FrameReceived)
        self._frames.skip()
        # Inflated always: the next message may refer to this one.
        inflated = self._compression.inflate(found.frame)
        return inflated if inflate else found.frame
