"""The options of opening a connection: what is asked for, the way there, and TLS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tieline import option_checks as check
from tieline import request_checks as request
from tieline import route_checks as route
from tieline.option_field import option
from tieline.request_checks import HeaderPairs, URLSource

if TYPE_CHECKING:
    from dataclasses import dataclass as table
else:
    from tieline.option_field import table

if TYPE_CHECKING:
    import socket
    import ssl
    from http.cookiejar import CookieJar

    from tieline.auth import Credentials


@table(frozen=True, kw_only=True, repr=False, eq=False)
class OpeningOptions:
    """The first half of `tieline.option_table.OptionTable`, which says how to read it."""

    # --- request
    url: URLSource | tuple[URLSource, ...] = option(
        "request",
        None,
        "where to connect; a callable is asked before every attempt; of several URLs the next is "
        "tried when one fails, beginning with the last good one",
        request.url(),
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
    cookies: HeaderPairs | CookieJar = option(
        "request",
        (),
        "cookies to send to the first origin; a jar decides for every host, and keeps what is set",
        request.cookies(),
    )
    auth: Credentials | Callable[..., object] | None = option(
        "request",
        None,
        "credentials; a callable gets the URL of the attempt, and the server's challenges where it "
        "has a second parameter; a pair answers Digest too",
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
    netrc: bool | str = option(
        "request",
        False,
        "credentials from a netrc file where there are no others; True: $NETRC, or else ~/.netrc",
        request.netrc(),
    )
    max_redirects: int = option(
        "request",
        5,
        "redirects to follow; 0: a redirect is a HandshakeError",
        check.whole(0),
    )
    cross_origin_redirects: bool = option(
        "request",
        True,
        "False: a redirect to another scheme, host or port is a HandshakeError",
        check.boolean(),
    )

    # --- route
    proxy: bool | str | None = option("route", True, "the proxy to connect through", route.proxy())
    proxy_headers: HeaderPairs = option(
        "route", (), "extra headers of the CONNECT request to the proxy", request.connect_headers()
    )
    proxy_auth: Credentials | Callable[..., object] | None = option(
        "route",
        None,
        "credentials for an HTTP proxy, in the forms of auth; they go before those in its URL",
        request.auth("the proxy's URL"),
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
        check.file_path("a PEM, DER or PKCS#12 file"),
    )
    ssl_cert_data: str | bytes | None = option(
        "TLS",
        None,
        "client certificate, with its chain",
        check.pem_or_der("a certificate", "PKCS#12"),
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
        route.server_hostname(),
    )
    ssl_fingerprint: str | tuple[str, ...] | None = option(
        "TLS",
        None,
        "SHA-256 that the server's certificate must have, one of them, beside the other checks",
        route.fingerprint(),
    )
