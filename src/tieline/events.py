"""What happens on a connection → typed events for `on_event`.

Events of the dial come on the thread that dials (the one in `connect()`), all others on the
connection's background thread; each holds the monotonic time in seconds and the connection's id.
No event holds a secret: URLs and headers are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tieline.protocol.events import Close, CloseInfo, Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent:
    """The base of all events."""

    #: Seconds, of `time.monotonic`.
    time: float
    #: The process-wide number of the connection, as in log lines.
    connection_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveEvent(ConnectionEvent):
    """The host name was turned into addresses. Told again for addresses that come later."""

    host: str
    addresses: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectingEvent(ConnectionEvent):
    """A connection attempt to one address begins."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedEvent(ConnectionEvent):
    """The byte stream to the server (or to the proxy) is there."""

    peer: Any
    local: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyEvent(ConnectionEvent):
    """The proxy is asked for a tunnel to the target."""

    proxy: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSEvent(ConnectionEvent):
    """The TLS session with ``name`` is there, and trusted."""

    name: str
    version: str
    cipher: str
    subject: str | None  #: of the certificate; None when it was not verified
    fingerprint: str  #: SHA-256 of the certificate
    alpn: str | None  #: what the server chose of the application protocols, if it chose


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEvent(ConnectionEvent):
    """The upgrade request was sent."""

    url: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseEvent(ConnectionEvent):
    """The server answered the upgrade request."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationEvent(ConnectionEvent):
    """The server, or the proxy, asked for a login, and is given one on a new connection."""

    #: Of the server or the proxy.
    url: str
    #: In lower case: "basic", "digest", ...
    scheme: str
    realm: str | None
    is_proxy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectEvent(ConnectionEvent):
    """The server sent the client elsewhere, and the client goes."""

    status: int
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEvent(ConnectionEvent):
    """The connection is open."""

    url: str
    subprotocol: str | None  #: masked if it looks like a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReceivedEvent(ConnectionEvent):
    """A frame came (only with ``frame_events=True``)."""

    frame: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSentEvent(ConnectionEvent):
    """A frame was handed to the kernel or the write buffer (only with ``frame_events=True``).

    Its payload is what was sent; ``frame.rsv1`` says that it, and what continues it, was compressed
    on the way out. A big compressed message is told of in the fragments in which it goes out.
    """

    frame: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class PingEvent(ConnectionEvent):
    """The heartbeat sent a Ping, or the peer did (``received``)."""

    data: bytes
    received: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PongEvent(ConnectionEvent):
    """A Pong came; ``round_trip`` in seconds when it answers a Ping."""

    data: bytes
    round_trip: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectingEvent(ConnectionEvent):
    """The next attempt is planned: the dial begins after ``delay`` seconds.

    ``connection_id`` is the number of the connection that was lost, 0 when there was none.
    """

    #: 1 for the first attempt since the last stable connection.
    number: int
    delay: float
    #: In words: the last attempt's error, or how the connection ended.
    cause: str
    #: Where it will dial; "" when a callable will say that.
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUpEvent(ConnectionEvent):
    """There is no further attempt; the client stays usable."""

    #: In words, with what went wrong last.
    reason: str
    #: The number of the last attempt; 0 when there was none.
    attempts: int
    #: Seconds since the connection was lost; 0.0 when there was none.
    downtime: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDroppedEvent(ConnectionEvent):
    """A message that was to be sent later never will be."""

    #: "overflow": ``offline_limit``; "age": ``offline_max_age``; "closed": nothing will be open any
    #: more; "drop": ``when_offline="drop"`` asked for it.
    reason: str
    #: Bytes.
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowCallbackEvent(ConnectionEvent):
    """A handler ran longer than ``slow_callback`` seconds."""

    handler: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowSendEvent(ConnectionEvent):
    """A send took longer than ``slow_send`` seconds."""

    seconds: float
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LowThroughputEvent(ConnectionEvent):
    """A send that had to wait went out at fewer than ``low_throughput`` bytes per second."""

    bytes_per_second: float
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingEvent(ConnectionEvent):
    """A Close frame was sent or received, or the connection was failed."""

    sent: Close | None
    received: Close | None
    error: Exception | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedEvent(ConnectionEvent):
    """The connection has ended."""

    info: CloseInfo


#: What the transport reports, by the name it uses.
DIAL_EVENTS: Mapping[str, type[ConnectionEvent]] = {
    "resolve": ResolveEvent,
    "connecting": ConnectingEvent,
    "connected": ConnectedEvent,
    "proxy": ProxyEvent,
    "tls": TLSEvent,
}
