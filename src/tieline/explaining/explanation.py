"""What `explain` has found out → a value to read, as attributes, as a dictionary or as text."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from tieline.explaining.report import report

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a socket would be connected to."""

    #: A host name or an IP address; the path of a unix socket; "" for a socket that was given.
    host: str
    port: int | None  #: None for what has none
    source: str  #: which option, or the URL, says so
    #: What is known without a look-up, or was found by one: "127.0.0.1:80", "[::1]:80".
    addresses: tuple[str, ...] = ()
    #: Who turns the name into an address: "nobody has to", "this machine", "the proxy".
    looked_up_by: str = "nobody has to"


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """How a TLS session would be set up, and what it would have to be like."""

    name: str  #: looked for in the certificate
    name_source: str  #: which option, or the URL, says so
    sends_name: bool  #: SNI; there is none for an address (RFC 6066 section 3)
    verified: bool  #: by the chain and the name; False: anybody may be the server
    trust: str  #: whose word counts
    pins: tuple[str, ...] = ()  #: SHA-256 of certificates, one of which it must be
    client_certificate: str | None = None  #: where it is from, and whose it is
    versions: str = ""  #: "TLS 1.2 or newer"; "" when there is no context that could tell
    #: Offered application protocols; None: what `ssl_context` offers.
    alpn: tuple[str, ...] | None = None
    context: str = ""  #: where the context is from


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What would be said of who we are. No password or token is in it."""

    scheme: str  #: "Basic", "Bearer", "Digest", or what a header begins with
    username: str | None
    source: str  #: which option, the URL, the netrc file
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPlan:
    """The proxy on the way, and what would be said to it."""

    url: str  #: secrets masked
    address: Address
    tls: TLS | None = None  #: of the connection to the proxy itself
    request: str = ""  #: "CONNECT example.com:443 HTTP/1.1"; "" for SOCKS
    headers: Headers = ()  #: secrets masked
    login: Login | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie of the options or of a jar; its value is not shown."""

    name: str
    sent: bool
    reason: str  #: why, or why not


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How a connection would be made, and why so. Made by `tieline.explain`; immutable.

    ``str()`` is a report for people, `as_dict` the same for JSON. Passwords, tokens and cookies are
    masked in all of them.
    """

    url: str  #: secrets masked
    #: Further URLs that are tried when this one fails, secrets masked.
    other_urls: tuple[str, ...]
    address: Address
    proxy: ProxyPlan | None
    #: Which option, variable or setting named the proxy, or why there is none.
    proxy_reason: str
    tls: TLS | None
    request: str  #: "GET /feed HTTP/1.1", secrets masked
    headers: Headers  #: in the order in which they are sent, secrets masked
    login: Login | None
    cookies: tuple[Cookie, ...]
    subprotocols: tuple[str, ...]
    compression: str | None  #: what is offered
    #: Options about time, in seconds; None: no limit, or off.
    times: dict[str, float | None]
    reconnection: str
    #: What would fail, or is not as it should be; empty when nothing is known to be wrong.
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Dictionaries, lists, strings, numbers and None: ready for `json.dumps`."""
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}

    def __str__(self) -> str:
        return report(self)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value
