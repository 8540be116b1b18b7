"""A stream to an HTTP proxy → a stream through it, by CONNECT (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tieline.errors import ConnectCancelled, ConnectTimeout, OptionError, ProxyError
from tieline.headers import HTTPFormatError, HTTPResponse, check_header
from tieline.redact import MASK, safe_headers, safe_url
from tieline.transport.attempt import Attempt
from tieline.transport.exchange import receive, send_all
from tieline.transport.stream import Stream
from tieline.transport.tls_settings import TLSSettings
from tieline.transport.url import Scheme, parse_url

if TYPE_CHECKING:
    from tieline.http1 import ClientExchange

_SCHEMES = {"http": Scheme(80, False), "https": Scheme(443, True)}

#: Seconds that the body of a refusal may take after its head: it only makes the error nicer.
_BODY_PATIENCE = 1.0


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """An HTTP proxy. With scheme "https", the way to the proxy itself is TLS too.

    `headers` are sent to the proxy only, as are the credentials, which no repr or error shows.
    `authorization`, a ready Proxy-Authorization value such as the answer to a challenge, replaces
    the Basic that is made of user name and password.
    `tls` says how to verify an https proxy; None: by the same authorities as the target.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    tls: TLSSettings | None = field(default=None)
    authorization: str | None = None

    @classmethod
    def parse(cls, url: str, headers: tuple[tuple[str, str], ...] = ()) -> Proxy:
        """From `http://user:password@host:port`; without a scheme, http. Raises OptionError."""
        if "://" not in url:
            url = "http://" + url
        if url.lower().startswith("socks"):
            raise OptionError(
                f"proxy {safe_url(url)!r}: SOCKS proxies are not in this version; give an "
                "http:// or https:// proxy, or proxy=None to connect without one"
            )
        parsed = parse_url(url, _SCHEMES, option="proxy")
        if parsed.unix_path is not None or parsed.target != "/":
            raise OptionError(
                f"proxy {parsed.safe!r}: expected http://user:password@host:port, without a path"
            )
        return cls(
            parsed.scheme, parsed.host, parsed.port, parsed.username, parsed.password, headers
        )

    @property
    def name(self) -> str:
        """host:port, for messages."""
        return authority(self.host, self.port)

    @property
    def safe(self) -> str:
        """The proxy's URL without its password."""
        user = ""
        if self.username is not None:
            from urllib.parse import quote

            user = quote(self.username, safe="") + (f":{MASK}" if self.password else "") + "@"
        return f"{self.scheme}://{user}{self.name}"

    def __repr__(self) -> str:
        return f"Proxy({self.safe!r}, headers={safe_headers(self.headers)!r})"


def authority(host: str, port: int) -> str:
    """host:port as CONNECT wants it (RFC 9112 section 3.2.3), also for messages."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def open_tunnel(stream: Stream, proxy: Proxy, host: str, port: int, attempt: Attempt) -> None:
    """Ask the proxy at the other end of `stream` for a tunnel; from then on the bytes are host's.

    Raises ProxyError with the proxy's response, ConnectTimeout or ConnectCancelled; the stream is
    left to the caller, who closes it.
    """
    from tieline.http1 import ClientExchange  # and h11, which few connections need

    target = authority(host, port)
    exchange = ClientExchange("CONNECT", target, _request_headers(proxy, target))
    with attempt.in_phase("proxy", f"asking the proxy {proxy.name} for a tunnel to {target}"):
        attempt.emit("proxy", proxy=proxy.safe, target=target)
        try:
            send_all(stream, exchange.request_bytes(), attempt)
            response = _receive_response(stream, exchange, attempt)
        except (ConnectTimeout, ConnectCancelled):
            raise
        except HTTPFormatError as error:
            raise ProxyError(f"the proxy {proxy.name} did not answer in HTTP: {error}") from error
        except OSError as error:
            raise ProxyError(
                f"the connection to the proxy {proxy.name} broke (proxy): {error.strerror or error}"
            ) from error
    if not 200 <= response.status < 300:
        raise ProxyError(_refusal(proxy, target, response), response)
    if exchange.trailing_data:
        # The target speaks when it is spoken to, so this can only come from the proxy.
        raise ProxyError(
            f"the proxy {proxy.name} sent {len(exchange.trailing_data)} bytes into the tunnel "
            f"to {target} before anything was asked there"
        )


def _request_headers(proxy: Proxy, target: str) -> list[tuple[str, str]]:
    headers = [("Host", target), *proxy.headers]
    for name, value in proxy.headers:
        check_header(name, value)
    given = {name.lower() for name, _ in proxy.headers}
    if proxy.authorization is not None:
        # It was made for this request, so it counts for more than what the user said beforehand.
        headers = [pair for pair in headers if pair[0].lower() != "proxy-authorization"]
        check_header("Proxy-Authorization", proxy.authorization)
        headers.append(("Proxy-Authorization", proxy.authorization))
    elif proxy.username is not None and "proxy-authorization" not in given:
        # RFC 7617 section 2, in the UTF-8 that section 2.1 lets a server ask for.
        pair = f"{proxy.username}:{proxy.password or ''}".encode()
        headers.append(("Proxy-Authorization", "Basic " + base64.b64encode(pair).decode("ascii")))
    return headers


def _receive_response(stream: Stream, exchange: ClientExchange, attempt: Attempt) -> HTTPResponse:
    buffer = memoryview(bytearray(16 * 1024))
    give_up: float | None = None
    while exchange.response is None:
        if exchange.head_complete and give_up is None:
            give_up = attempt.clock() + _BODY_PATIENCE
        try:
            count = receive(stream, buffer, attempt, until=give_up)
        except ConnectTimeout:
            if not exchange.head_complete:
                raise
            count = None  # a refusal tells more than the deadline
        if count is None:
            exchange.finish()
        elif count:
            exchange.receive_data(buffer[:count])
        else:
            exchange.receive_eof()
    return exchange.response


def _refusal(proxy: Proxy, target: str, response: HTTPResponse) -> str:
    answer = f"{response.status} {response.reason}".strip()
    text = f"the proxy {proxy.name} refused a tunnel to {target} (proxy): {answer}"
    if response.status == 407:
        if proxy.username is not None:
            return f"{text}; check the user name and password in the proxy option"
        return f"{text}; give credentials: proxy='{proxy.scheme}://user:password@{proxy.name}'"
    if response.status in (502, 503, 504):
        return f"{text}; it cannot reach the target now"
    return f"{text}; it may not allow this host or port"


def proxy_from_environment(secure: bool, host: str, port: int) -> Proxy | None:
    """The proxy that the environment names for a target, or None. Raises OptionError.

    For a secure target `wss_proxy`, `https_proxy`, `all_proxy`, otherwise `ws_proxy`,
    `http_proxy`, `all_proxy`, unless `no_proxy` lists the host; in lower or upper case.
    """
    # Here, because it takes longer to load than all the rest of the transport.
    import urllib.request

    # typeshed does not know it; it is `proxy_bypass` less the settings of macOS and Windows.
    bypass = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]

    proxies = urllib.request.getproxies_environment()
    for name in ("wss", "https", "all") if secure else ("ws", "http", "all"):
        url = proxies.get(name)
        if url:
            break
    else:
        return None
    if any(bypass(form, proxies) for form in (authority(host, port), host)):
        return None
    try:
        return Proxy.parse(url)
    except OptionError as error:
        raise OptionError(f"{name}_proxy in the environment: {error}") from error
