# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A route → a connected stream: names, sockets, proxy and TLS in the order they are needed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tieline.errors import (
    ConnectCancelled,
    ConnectError,
    ConnectTimeout,
    OptionError,
    ProxyError,
    ResolveError,
)
from tieline.hostnames import authority
from tieline.transport.attempt import Attempt
from tieline.transport.connecting_socket import SocketOption, as_stream, connect_alone
from tieline.transport.race import connect_unix, race
from tieline.transport.resolve import Resolution, known_address
from tieline.transport.stream import Stream, shared_address
from tieline.transport.tls_settings import TLSSettings

if TYPE_CHECKING:
    from tieline.transport.proxy import Proxy


@dataclass(frozen=True, slots=True)
class Route:
    """How to get to a server. The repr shows no secret.

    The first that is given of `sock`, `unix_path`, `proxy` decides where the bytes go; without
    any, it is `connect_to` or else `host` and `port`. `host` stays the name that TLS verifies.
    """

    host: str
    port: int
    tls: TLSSettings | None = None  #: None: plain text
    proxy: Proxy | None = None
    connect_to: tuple[str, int] | None = None  #: dial this instead, or ask the proxy for it
    unix_path: str | None = None
    #: Connected, plain; handed over. A `Stream` is taken as it is: testing's are not sockets.
    sock: socket.socket | Stream | None = field(default=None)
    source_address: tuple[str, int] | None = None  #: (IP address, port or 0)
    socket_options: tuple[SocketOption, ...] = ()  #: as for `socket.setsockopt`
    family: int = 0  #: `socket.AF_INET`, `AF_INET6`, 0 for both
    #: What it leads to, for messages: host:port, and where that really is.
    name: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self._told())

    def _told(self) -> str:
        if self.unix_path is not None and self.sock is None:
            return f"unix socket {self.unix_path!r}"
        name = authority(self.host, self.port)
        if self.sock is not None:
            return name + " (on the socket given)"
        if self.connect_to is not None:
            name += f" (at {authority(*self.connect_to)})"
        if self.proxy is not None:
            name += f" (through the proxy {self.proxy.name})"
        return name


def dial(route: Route, attempt: Attempt) -> Stream:
    """Connect. Returns a non-blocking stream on which the server can be spoken to.

    Raises a ConnectError (or OptionError), which names the destination, the phase and the reason.
    On any failure, KeyboardInterrupt included, every socket is closed, also the route's `sock`.
    """
    attempt.destination = route.name
    attempt.peer = attempt.local = None  # of a dial before
    stream: Stream | None = None
    try:
        # First of all, since it can fail without the network having been bothered.
        secure = None if route.tls is None else _prepare_tls(route.tls)
        stream = _connect(route, attempt)
        if secure is not None:
            stream = secure(stream, route.host, attempt, route.name)
            attempt.tls = stream.tls
        return stream
    except BaseException:
        if stream is not None:
            stream.close()
        elif route.sock is not None and hasattr(route.sock, "close"):
            route.sock.close()
        raise


def _prepare_tls(settings: TLSSettings) -> Callable[[Stream, str, Attempt, str], Stream]:
    """Whatever can fail before there is a stream; gives what puts TLS on top of one."""
    # Imported when it is needed: many programs never use TLS, and it takes long to load.
    from tieline.transport.tls import build_context, handshake

    context = build_context(settings)
    return lambda stream, host, attempt, name: handshake(
        stream,
        context,
        settings.server_hostname or host,
        attempt,
        fingerprint=settings.fingerprint,
        peer_name=name,
        peer=settings.peer,
    )


def _connect(route: Route, attempt: Attempt) -> Stream:
    if route.sock is not None:
        return _given(route.sock, attempt)
    if route.unix_path is not None:
        return as_stream(attempt, connect_unix(route.unix_path, attempt, route.socket_options))
    host, port = route.connect_to or (route.host, route.port)
    if route.proxy is None:
        return as_stream(attempt, _connect_tcp(host, port, route, attempt))
    return _connect_through(route.proxy, host, port, route, attempt)


def _connect_tcp(host: str, port: int, route: Route, attempt: Attempt) -> socket.SocketType:
    known = known_address(host, port, route.family)
    if known is not None:
        attempt.spent.add("dns", 0.0)
        if attempt.is_heard:
            attempt.emit("resolve", host=host, addresses=[str(known)])
        return connect_alone(known, attempt, route.source_address, route.socket_options)
    with Resolution(host, port, route.family, attempt) as found:
        addresses = found.first()
        return race(
            addresses,
            attempt,
            # Nearly always all are known by now. (`is_pending` might have become false just now,
            # with addresses that nobody has taken.)
            late=found if found.is_split else None,
            source_address=route.source_address,
            socket_options=route.socket_options,
        )


def _connect_through(proxy: Proxy, host: str, port: int, route: Route, attempt: Attempt) -> Stream:
    from tieline.transport.tunnel import open_tunnel, prepare_tunnel

    attempt.proxy = proxy.safe
    # First of all, since it can fail without the network having been bothered.
    prepare_tunnel(proxy, host)
    secure = None
    if proxy.scheme == "https":
        secure = _prepare_tls(proxy.tls or (route.tls or TLSSettings()).trust_only)

    def connect() -> Stream:
        try:
            connected = _connect_tcp(proxy.host, proxy.port, route, attempt)
        except (ConnectTimeout, ConnectCancelled):
            raise
        except ConnectError as error:
            refused = isinstance(error, ResolveError) and error.refused
            raise ProxyError(str(error), refused=refused) from error
        stream: Stream = as_stream(attempt, connected)
        try:
            if secure is not None:
                stream = secure(stream, proxy.host, attempt, f"the proxy {proxy.name}")
        except BaseException:
            stream.close()
            raise
        return stream

    return open_tunnel(connect, proxy, host, port, route.family, attempt)


def _given(given: object, attempt: Attempt) -> Stream:
    if hasattr(given, "receive_into"):
        stream: Stream = given  # type: ignore[assignment]
        attempt.peer, attempt.local = stream.peer, stream.local
        attempt.emit("connected", peer=attempt.peer, local=attempt.local)
        return stream
    import ssl

    if isinstance(given, ssl.SSLSocket):
        raise OptionError(
            "sock: expected a plain socket, got an ssl.SSLSocket; hand over one without TLS on it, "
            "and a URL whose scheme means TLS"
        )
    if not isinstance(given, socket.socket) or given.type != socket.SOCK_STREAM:
        raise OptionError(f"sock: expected a connected stream socket, got {given!r}")
    if given.fileno() < 0:
        raise OptionError(
            "sock: expected a connected socket, got one that is closed; one that was used for a "
            "connection is: connect another one"
        )
    try:
        attempt.peer = shared_address(given.getpeername())
    except OSError as error:
        raise OptionError(f"sock: expected a connected socket: {error.strerror}") from error
    return as_stream(attempt, given)
