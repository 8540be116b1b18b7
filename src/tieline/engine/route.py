"""Options and a URL → where to dial and what to ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from tieline._version import __version__
from tieline.auth import Basic
from tieline.compression import parameters_of
from tieline.errors import OptionError
from tieline.options import Options
from tieline.protocol.handshake import UpgradeRequest
from tieline.redact import is_secret_header
from tieline.request_checks import HeaderPairs
from tieline.transport.dial import Route
from tieline.transport.proxy import Proxy, proxy_from_environment
from tieline.transport.tls_settings import TLSSettings
from tieline.transport.url import URL, Scheme, parse_url

#: RFC 6455 section 3 and 11.1; the http forms are what redirects and copied addresses hold.
SCHEMES: Mapping[str, Scheme] = {
    "ws": Scheme(80, False),
    "wss": Scheme(443, True),
    "http": Scheme(80, False, "ws"),
    "https": Scheme(443, True, "wss"),
}


def parse_options_url(options: Options, text: str) -> URL:
    """The URL of an attempt. Raises `OptionError`."""
    known = options.parsed.get(text)
    return _parse(options, text) if known is None else known


@lru_cache(maxsize=64)
def _parse_plain(text: str, default_port: int | None, default_path: str) -> URL:
    # Programs connect to the same few places. Credentials and queries are not kept.
    return parse_url(text, SCHEMES, default_port, default_path)


def _parse(options: Options, text: str) -> URL:
    schemes = SCHEMES
    if not options.schemes and "@" not in text and "?" not in text:
        return _parse_plain(text, options.default_port, options.default_path)
    if options.schemes:
        further = {n: Scheme(entry["port"], entry["ssl"]) for n, entry in options.schemes.items()}
        schemes = {**SCHEMES, **further}
    return parse_url(text, schemes, options.default_port, options.default_path)


def check_addresses(options: Options) -> None:
    """What can be said of the URL and the proxy before the dial. Raises `OptionError`."""
    for url in options.urls:
        if isinstance(url, str) and url not in options.parsed:
            options.parsed[url] = _parse(options, url)
    if isinstance(options.proxy, str):
        Proxy.parse(options.proxy, options.proxy_headers)


@dataclass(frozen=True, slots=True)
class Target:
    """One place to connect to, and what may be shown there."""

    options: Options
    url: URL
    #: Headers of this connection, after those of the options; secrets included.
    headers: HeaderPairs
    #: False after a redirect to another origin: credentials and cookies stay behind.
    trusted: bool = True

    def route(self) -> Route:
        """How to get there. Raises `OptionError`."""
        options, url = self.options, self.url
        if not self.trusted:
            # What names or unlocks the first server must not be used on another one.
            options = options.replace(
                connect_to=None,
                unix_socket=None,
                sock=None,
                server_hostname=None,
                ssl_cert_path=None,
                ssl_cert_data=None,
                ssl_key_path=None,
                ssl_key_data=None,
                ssl_key_password=None,
            )
        return Route(
            host=url.host,
            port=url.port,
            tls=_tls_settings(options) if url.secure else None,
            proxy=_proxy(options, url),
            connect_to=options.connect_to,
            unix_path=options.unix_socket or url.unix_path,
            sock=options.sock,
            source_address=options.source_address,
            socket_options=options.socket_options,
            family=options.family,
        )

    def request(self) -> UpgradeRequest:
        """What to ask for there."""
        options = self.options
        user_agent = options.user_agent
        return UpgradeRequest(
            host=self.url.host_header,
            target=self.url.target,
            subprotocols=options.subprotocols,
            origin=options.origin,
            user_agent=f"tieline/{__version__}" if user_agent is None else user_agent,
            headers=self._headers(),
            compression=parameters_of(options.compression),
        )

    def redirected(self, location: str) -> Target:
        """The target that a redirect leads to. Raises `OptionError` for an unusable location."""
        url = self.url.join(location)
        return replace(self, url=url, trusted=self.trusted and url.origin == self.url.origin)

    def _headers(self) -> HeaderPairs:
        headers = self.headers
        if not self.trusted:
            headers = tuple(pair for pair in headers if not is_secret_header(pair[0]))
        given = {name.lower() for name, _ in headers}
        pairs = list(headers)
        authorization = self._authorization()
        if authorization is not None and "authorization" not in given:
            pairs.append(("Authorization", authorization))
        if self.trusted and self.options.cookies and "cookie" not in given:
            value = "; ".join(f"{name}={value}" for name, value in self.options.cookies)
            pairs.append(("Cookie", value))
        return tuple(pairs)

    def _authorization(self) -> str | None:
        # A callable decides by the URL; whatever else is configured is for the first origin.
        credentials = None
        if self.trusted or callable(self.options.auth):
            credentials = self.options.attempt_auth(self.url.safe)
        if credentials is None and self.url.username is not None:
            credentials = Basic(self.url.username, self.url.password or "")
        return None if credentials is None else credentials.header_value()


def _tls_settings(options: Options) -> TLSSettings:
    return TLSSettings(
        context=options.ssl_context,
        verify_cert=options.ssl_verify_cert,
        ca_path=options.ssl_ca_path,
        ca_data=options.ssl_ca_data,
        cert_path=options.ssl_cert_path,
        cert_data=options.ssl_cert_data,
        key_path=options.ssl_key_path,
        key_data=options.ssl_key_data,
        key_password=options.ssl_key_password,
        server_hostname=options.server_hostname,
        fingerprint=options.ssl_fingerprint,
    )


def _proxy(options: Options, url: URL) -> Proxy | None:
    if options.proxy is None or options.sock is not None:
        return None
    if options.unix_socket is not None or url.unix_path is not None:
        return None
    if options.proxy is True:
        proxy = proxy_from_environment(url.secure, url.host, url.port)
        return replace(proxy, headers=options.proxy_headers) if proxy else None
    if isinstance(options.proxy, str):
        return Proxy.parse(options.proxy, options.proxy_headers)
    raise OptionError(f"proxy: expected True, None or a URL, got {options.proxy!r}")
