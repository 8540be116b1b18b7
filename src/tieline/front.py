"""A line → what every front can be asked, and what the fronts of threads can say."""

from __future__ import annotations

from typing import Any

from tieline.engine.fragments import send_message, send_whole
from tieline.engine.line import Line
from tieline.engine.payloads import (
    check_frame,
    control_payload,
    encode_json,
)
from tieline.engine.pings import PingWaiter
from tieline.engine.session import Session
from tieline.engine.stats import Stats
from tieline.errors import ConnectionClosed, OptionError
from tieline.option_checks import MAX_SECONDS
from tieline.options import Options
from tieline.protocol.events import CloseInfo
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode, Opcode
from tieline.redact import safe_url

#: The codes after which an iteration just ends; others are raised (RFC 6455 section 7.4.1).
ORDERLY = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY)


class Front:
    """What can be asked of a connection, on any thread and at any time."""

    options: Options
    _line: Line

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.safe_url!r} {self.state.value}>"

    def is_open(self) -> bool:
        """True only while messages can be sent."""
        session = self._line.present
        return session is not None and session.is_open

    isOpen = is_open  # the spelling of the system that tieline grew from

    @property
    def state(self) -> State:
        """Where the client is in its life."""
        return self._line.state

    @property
    def url(self) -> str:
        """The URL as it was given; of a callable, the one that it gave last, masked (or "")."""
        url = self.options.url
        return url if isinstance(url, str) else self._line.info.get("url", "")

    @property
    def safe_url(self) -> str:
        """The URL without password and secret query values, for logs."""
        return safe_url(self.url)

    @property
    def response(self) -> HandshakeResponse | None:
        """The server's answer that opened the last connection, or None."""
        return self._line.response

    @property
    def subprotocol(self) -> str | None:
        """What the server chose of ``subprotocols``, or None."""
        return None if self.response is None else self.response.subprotocol

    @property
    def close_info(self) -> CloseInfo | None:
        """How the last connection ended, or None while there was none that did."""
        return self._line.close_info

    @property
    def connection_id(self) -> int:
        """The connection's process-wide number, which also stands in log lines; -1 without one."""
        session = self._line.present
        return -1 if session is None else session.connection_id

    @property
    def latency(self) -> float | None:
        """The last round trip of a Ping in seconds, or None."""
        return self._line.recorder.last_round_trip

    def stats(self) -> Stats:
        """What the client has done so far; usable at any time."""
        return self._line.stats()

    def reset_stats(self) -> None:
        """Count from zero."""
        self._line.recorder.reset()

    def connection_info(self) -> dict[str, Any]:
        """Addresses, TLS, proxy, timings and state, secrets masked; usable at any time."""
        return {
            **self._line.info,
            "url": self.safe_url,
            "connection_id": self.connection_id,
            "state": self.state.value,
            "subprotocol": self.subprotocol,
        }

    def _session(self) -> Session:
        """The connection that messages go to. Raises `ConnectionClosed` when there is none."""
        session = self._line.session
        if session is None:
            raise ConnectionClosed("not connected: call connect() first")
        return session


class ThreadedFront(Front):
    """What can be said on a connection, by any thread."""

    #: What the method is called that sends a Close frame.
    _closing_method = "disconnect"

    def send(self, message: object, *, compress: bool | None = None) -> None:
        """Send ``str`` as text, bytes-like as binary, an iterable of either in fragments.

        Returns when the bytes are with the kernel or in the write buffer. While that holds more
        than ``write_limit`` bytes it blocks, for as long as the peer goes on taking them: when it
        takes none for ``timeout`` seconds, `SendTimeout` says what became of the message. In a
        handler of this connection it never blocks (`SendBufferFull`). Raises `ConnectionClosed`
        when the connection is not open.

        `compress`: by default (None) a message of ``Deflate.threshold`` bytes and more is
        compressed, and so is an iterable, if the server has agreed; True raises `OptionError` when
        it has not.

        A big message is masked and written piece by piece. The memory of a bytearray or memoryview
        is the caller's again when this returns, and what could not be waited for was copied. Each
        piece of an iterable goes out before the next is asked for. When the iterable fails half-way
        the message cannot be completed, so the connection is failed with 1011. So it is by Ctrl-C
        in a compressed message of 1 MiB and more, which is sent in fragments.
        """
        send_message(self._session(), message, compress)

    def send_frame(self, payload: object, opcode: int, fin: bool = True) -> None:
        """Send one raw frame, for hand-made fragmentation (RFC 6455 section 5.4).

        Until its last fragment (``fin=True``) other threads' messages wait. Raises as `send` does,
        and `ProtocolError` for a frame that does not fit the ones before it.
        """
        kind, data, last = check_frame(payload, opcode, fin, self._closing_method)
        if kind is Opcode.PING:
            self.ping(data)
        elif kind is Opcode.PONG:
            self.pong(data)
        else:
            self._session().speaker.frames([(kind, data, last)])

    def send_json(self, value: object) -> None:
        """Send what ``json_dumps`` makes of `value`, as text, as `send` does."""
        session = self._session()
        send_whole(session, Opcode.TEXT, encode_json(value, self.options.json_dumps), None)

    def ping(self, data: object = b"") -> PingWaiter:
        """Send a Ping (at most 125 bytes); ``.wait(timeout)`` gives the round trip in seconds."""
        session = self._session()
        return session.speaker.ping(control_payload(data))

    def pong(self, data: object = b"") -> None:
        """Send an unasked Pong (at most 125 bytes): a one-way heartbeat."""
        session = self._session()
        session.speaker.pong(control_payload(data))


def check_seconds(name: str, value: object) -> float:
    """A number of seconds that was given to a method. Raises OptionError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{name}: expected seconds (a number), got {type(value).__name__}")
    if not 0 <= value <= MAX_SECONDS:
        raise OptionError(
            f"{name}: expected seconds, from 0 to {MAX_SECONDS:.0f} (24 days), got {value!r}"
        )
    return float(value)
