"""The table of all options: stored form, group, default, meaning and what is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tieline import compression as compressing
from tieline import option_checks as check
from tieline import request_checks as request
from tieline import route_checks as route
from tieline.auth import Basic, Bearer
from tieline.compression import Compression
from tieline.request_checks import HeaderPairs

if TYPE_CHECKING:
    import logging
    import socket
    import ssl

KIB = 1024
MIB = 1024 * KIB


def option(
    group: str, default: object, meaning: str, accepts: check.Check, *, hashed: bool = True
) -> Any:
    """A field of the table. Texts and check serve errors and documentation alike."""
    metadata = {"group": group, "meaning": meaning, "check": accepts}
    return field(default=default, hash=None if hashed else False, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OptionTable:
    """The fields of `tieline.options.Options`, which adds the checks and how it is built.

    The annotations tell the stored form; a check may take more (``headers`` any mapping, say) and
    converts to it. Times are seconds, sizes bytes.
    """

    # --- request
    url: str | Callable[[], str] = option(
        "request", None, "where to connect; a callable is asked before every attempt", request.url()
    )
    headers: HeaderPairs | Callable[[], object] = option(
        "request",
        (),
        "extra headers of the opening handshake; a callable is asked before every attempt",
        request.request_headers(),
    )
    subprotocols: tuple[str, ...] = option(
        "request", (), "subprotocols to offer, the preferred one first", request.subprotocols()
    )
    origin: str | None = option(
        "request",
        None,
        "value of the Origin header, which servers for browsers may ask for",
        request.header_text("Origin", "such as 'https://example.com'", empty=False),
    )
    user_agent: str | None = option(
        "request",
        None,
        "value of the User-Agent header; None: tieline and its version, '': no such header",
        request.header_text("User-Agent", "'' for none", empty=True),
    )
    cookies: HeaderPairs = option(
        "request", (), "cookies to send, whatever the URL's host", request.cookies()
    )
    auth: Basic | Bearer | Callable[[str], object] | None = option(
        "request",
        None,
        "credentials; a callable gets the URL of the attempt",
        request.auth(),
    )
    username: str | None = option(
        "request", None, "user name of basic authentication", request.username()
    )
    password: str | None = option(
        "request", None, "password of basic authentication", request.password()
    )
    token: str | None = option(
        "request", None, "token sent as Authorization: Bearer", request.token()
    )
    token_type: str = option(
        "request", "Bearer", "the word in front of the token", request.token_type()
    )
    netrc: bool = option(
        "request",
        False,
        "take user and password from the user's netrc file",
        check.not_yet(False, "netrc"),
    )
    max_redirects: int = option(
        "request",
        5,
        "redirects to follow; 0: a redirect is a HandshakeError",
        check.whole(0),
    )

    # --- route
    proxy: bool | str | None = option("route", True, "the proxy to connect through", route.proxy())
    proxy_headers: HeaderPairs = option(
        "route", (), "extra headers of the CONNECT request to the proxy", request.connect_headers()
    )
    connect_to: tuple[str, int] | None = option(
        "route",
        None,
        "dial this instead of the URL's host; Host header and TLS name stay the URL's",
        route.host_and_port("(host, port), or None"),
    )
    unix_socket: str | None = option(
        "route",
        None,
        "connect to this unix socket instead of the URL's host",
        route.unix_path(),
    )
    sock: socket.socket | None = option(
        "route",
        None,
        "use this socket, connected already, for the next connection; tieline closes it",
        route.connected_socket(),
    )
    source_address: tuple[str, int] | None = option(
        "route",
        None,
        "local address to connect from",
        route.host_and_port("(host, port), port 0 for any, or None", bind=True),
    )
    socket_options: tuple[tuple[int, int, int | bytes], ...] = option(
        "route", (), "options to set on the socket before it connects", route.socket_options()
    )
    family: int = option("route", 0, "IP version to use; 0: both, raced", route.family())
    schemes: Mapping[str, Mapping[str, Any]] | None = option(
        "route",
        None,
        "further URL schemes, each with its default port and whether it uses TLS",
        route.schemes(),
        hashed=False,  # a mapping has no hash
    )
    default_port: int | None = option(
        "route",
        None,
        "port when the URL has none; None: that of the scheme",
        check.whole(1, "the scheme's own", most=65535),
    )
    default_path: str = option("route", "/", "path when the URL has none", route.url_path())
    http_version: str = option(
        "route", "1.1", "HTTP version of the opening handshake", route.http_version()
    )

    # --- TLS
    ssl_context: ssl.SSLContext | None = option(
        "TLS", None, "use this context as it is", route.ssl_context()
    )
    ssl_verify_cert: bool = option(
        "TLS",
        True,
        "verify certificate and host name; False makes the connection open to interception",
        check.boolean(),
    )
    ssl_ca_path: str | None = option(
        "TLS",
        None,
        "certificates to trust instead of the system's",
        check.file_path("a PEM file or a directory of such"),
    )
    ssl_ca_data: str | bytes | None = option(
        "TLS",
        None,
        "certificates to trust instead of the system's",
        check.pem_or_der("certificates"),
    )
    ssl_cert_path: str | None = option(
        "TLS",
        None,
        "client certificate, with its chain",
        check.file_path("a PEM file"),
    )
    ssl_cert_data: str | bytes | None = option(
        "TLS", None, "client certificate, with its chain", check.pem_or_der("a certificate")
    )
    ssl_key_path: str | None = option(
        "TLS",
        None,
        "the client certificate's private key; None: it is in the certificate's file",
        check.file_path("a PEM file"),
    )
    ssl_key_data: str | bytes | None = option(
        "TLS",
        None,
        "the client certificate's private key",
        check.pem_or_der("a private key"),
    )
    ssl_key_password: str | bytes | None = option(
        "TLS", None, "password that the private key is encrypted with", route.key_password()
    )
    server_hostname: str | None = option(
        "TLS",
        None,
        "name to send (SNI) and to verify; None: the URL's host",
        check.text("a host name or an IP address (str)"),
    )
    ssl_fingerprint: str | None = option(
        "TLS",
        None,
        "SHA-256 that the server's certificate must have, beside the other checks",
        route.fingerprint(),
    )

    # --- time (seconds)
    connect_timeout: float = option(
        "time",
        30.0,
        "the whole of name look-up, dial, TLS and opening handshake, redirects included",
        check.seconds(),
    )
    timeout: float = option(
        "time", 15.0, "how long a send waits while the peer takes no bytes", check.seconds()
    )
    close_timeout: float = option(
        "time", 10.0, "how long disconnect() and close() wait for the peer's Close", check.seconds()
    )
    ping_interval: float | None = option(
        "time", 20.0, "time without any received byte until a ping", check.seconds("no pings")
    )
    ping_timeout: float = option(
        "time",
        20.0,
        "time after a ping without any received byte until the link counts as dead",
        check.seconds(),
    )

    # --- limits
    # What one message may take of this process's memory: large for a feed, small for a machine.
    max_message_size: int | None = option(
        "limits", 64 * MIB, "largest message to receive, bytes", check.whole(1, "no limit")
    )
    # Empty fragments cost the peer two bytes each and are within any size limit.
    max_fragments: int | None = option(
        "limits", 131_072, "most fragments of one received message", check.whole(1, "no limit")
    )
    max_queue: int = option(
        "limits",
        1024,
        "messages held for recv(), or for the handlers of an executor, before reading stops, as it "
        "does with 16 MiB of them",
        check.whole(1),
    )
    write_limit: int = option(
        "limits", 64 * KIB, "bytes waiting to be sent above which send() blocks", check.whole(1)
    )
    # Common servers stop at 8 to 64 KiB and 100 headers; a client should take what they can send.
    max_head_size: int = option(
        "limits", 64 * KIB, "largest head of the handshake's answer, bytes", check.whole(1)
    )
    max_header_count: int = option(
        "limits", 256, "most headers in the handshake's answer", check.whole(1)
    )
    max_error_body: int = option(
        "limits", 64 * KIB, "bytes kept of a refused handshake's body", check.whole(0)
    )

    # --- compression, reconnection
    compression: Compression = option(
        "compression",
        "deflate",
        "compress messages where the server takes it (permessage-deflate, RFC 7692)",
        compressing.compression(),
    )
    reconnect: bool = option(
        "reconnection",
        False,
        "dial again when the connection is lost",
        check.not_yet(False, "automatic reconnection"),
    )

    # --- threads
    reactor: Any = option(
        "threads",
        None,
        "the background thread to use; None: for a client one of its own, so that a slow handler "
        "of another one delays nothing here; for plain connections the one that they share",
        route.reactor(),
    )
    executor: Any = option(
        "threads",
        None,
        "who runs the handlers, order kept; None: the background thread",
        check.has_methods(
            "an executor (an object with submit()), an asyncio event loop, a callable that takes a "
            "function, or None",
            "submit",
            or_method="call_soon_threadsafe",
            or_callable=True,
        ),
    )
    streaming: bool = option(
        "threads",
        False,
        "True: handlers get a stream of chunks for each message and may wait for them, on a thread "
        "of their own or the executor's",
        check.boolean(),
    )

    # --- other
    logger: logging.Logger | logging.LoggerAdapter[Any] | None = option(
        "other",
        None,
        "where to log; None: logging.getLogger('tieline')",
        check.has_methods(
            "a logging.Logger or LoggerAdapter, or None", "debug", "warning", "isEnabledFor"
        ),
    )
    json_dumps: Callable[[Any], str | bytes] = option(
        "other", json.dumps, "value → text of send_json()", check.function()
    )
    json_loads: Callable[[str | bytes], Any] = option(
        "other", json.loads, "text → value of recv_json()", check.function()
    )
    decode_text: bool = option(
        "other", True, "False: text arrives as bytes, its UTF-8 still verified", check.boolean()
    )
    slow_callback: float | None = option(
        "other", None, "a handler that takes longer is an event", check.seconds("no such event")
    )
    slow_send: float | None = option(
        "other", None, "a send that takes longer is an event", check.seconds("no such event")
    )
    low_throughput: float | None = option(
        "other",
        None,
        "a send slower than this many bytes per second is an event",
        check.rate("no such event"),
    )
    frame_events: bool = option(
        "other", False, "True: every frame in and out is an event", check.boolean()
    )
    close_on_callback_error: bool = option(
        "other",
        False,
        "True: a handler that raises closes the connection with 1011; False: it is logged",
        check.boolean(),
    )
