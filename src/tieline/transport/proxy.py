"""The URL of a proxy → what is known of it: kind, address, credentials."""

from __future__ import annotations

from dataclasses import dataclass, field

from tieline.errors import ConnectError, OptionError
from tieline.hostnames import authority
from tieline.redact import MASK, safe_headers, safe_username
from tieline.transport.tls_settings import TLSSettings
from tieline.transport.url import Scheme, parse_url
from tieline.transport.url_errors import escaping_hint

_SCHEMES = {
    "http": Scheme(80, False),
    "https": Scheme(443, True),
    "socks4": Scheme(1080, False),
    "socks4a": Scheme(1080, False),
    "socks5": Scheme(1080, False),
    "socks5h": Scheme(1080, False),
    # What desktops put into `all_proxy`. Browsers take it for SOCKS 5, names looked up there.
    "socks": Scheme(1080, False, "socks5h"),
}

#: RFC 1929 section 2: their lengths are sent in one byte.
_SOCKS5_LIMIT = 255


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """A proxy. With scheme "https", the way to the proxy itself is TLS too.

    "socks4" and "socks5" get the target's address, which is looked up here; "socks4a" and
    "socks5h" get its name, like the HTTP proxies.

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
    #: What named it, if that was not the caller: "HTTPS_PROXY in the environment".
    source: str = field(default="", compare=False)

    @classmethod
    def parse(cls, url: str, headers: tuple[tuple[str, str], ...] = ()) -> Proxy:
        """From `scheme://user:password@host:port`; without a scheme, http. Raises OptionError."""
        if "://" not in url:
            url = "http://" + url
        parsed = parse_url(url, _SCHEMES, option="proxy")
        if parsed.unix_path is not None or parsed.target != "/":
            raise OptionError(
                f"proxy {parsed.safe!r}: expected {parsed.scheme}://user:password@host:port, "
                f"without a path{escaping_hint(url)}"
            )
        proxy = cls(
            parsed.scheme, parsed.host, parsed.port, parsed.username, parsed.password, headers
        )
        if proxy.is_socks:
            proxy._check_socks()
        return proxy

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")

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

            name = safe_username(self.username, self.password)
            user = name if name == MASK else quote(name, safe="")
            user += (f":{MASK}" if self.password else "") + "@"
        return f"{self.scheme}://{user}{self.name}"

    def explain(self, error: ConnectError) -> None:
        """Say in its text why there is a proxy at all, which the caller may not know."""
        if self.source:
            text = (
                f"{error}; the proxy is {self.safe}, because of {self.source} (proxy=None connects "
                "without it)"
            )
            error.args = (text, *error.args[1:])

    def __repr__(self) -> str:
        return f"Proxy({self.safe!r}, headers={safe_headers(self.headers)!r})"

    def _check_socks(self) -> None:
        if self.headers:
            raise OptionError(
                f"proxy_headers: only HTTP proxies take headers, and {self.safe} is none; "
                "leave them out, or give an http:// or https:// proxy"
            )
        if self.scheme.startswith("socks4"):
            if self.password:
                raise OptionError(
                    f"proxy {self.safe!r}: SOCKS4 has a user id, but no passwords; leave the "
                    "password out, or use socks5://"
                )
        elif self.username is not None or self.password is not None:
            for what, text in (("user name", self.username), ("password", self.password)):
                size = len((text or "").encode())
                if size > _SOCKS5_LIMIT or (what == "user name" and not size):
                    raise OptionError(
                        f"proxy {self.safe!r}: expected a {what} of 1 to {_SOCKS5_LIMIT} bytes "
                        f"(RFC 1929), got {size} bytes"
                    )
