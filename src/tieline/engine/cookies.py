"""A request and its answer → what `http.cookiejar` wants of them; a jar → the Cookie header.

The jar decides everything: host, path, port, Secure, expiry. It has a lock of its own, so that one
may serve any number of clients; its policy runs under that, and under none of ours.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tieline.headers import Headers, is_sendable
from tieline.transport.url import URL

if TYPE_CHECKING:
    from http.cookiejar import CookieJar


def jar_host(url: URL) -> str:
    """The host that a jar keeps cookies of this URL under.

    Each unix socket is one of its own, below a domain for which no cookie can be set (and which no
    name server knows, RFC 6761 section 6.4): they are all called localhost otherwise.
    """
    if url.unix_path is None:
        return url.host
    return f"unix-{os.fsencode(url.unix_path).hex()}.invalid"


class JarRequest:
    """What a jar asks `urllib.request.Request` for, and nothing else of it.

    `first`: the URL that the user has named; None when that is `url`.
    """

    def __init__(self, url: URL, first: URL | None = None) -> None:
        #: A jar knows no ws; wss is to it what https is.
        self.type = "https" if url.secure else "http"
        name = jar_host(url)
        host = f"[{name}]" if ":" in name else name
        self.host = f"{host}:{url.port}"
        self._target = url.target
        self._headers: dict[str, str] = {}
        #: RFC 2965 section 3.3.6: nobody has asked for the place that a redirect leads to.
        self.unverifiable = first is not None
        self.origin_req_host = jar_host(url if first is None else first)

    def get_full_url(self) -> str:
        return f"{self.type}://{self.host}{self._target}"

    def has_header(self, name: str) -> bool:
        return name in self._headers

    def get_header(self, name: str, default: str | None = None) -> str | None:
        return self._headers.get(name, default)

    def header_items(self) -> list[tuple[str, str]]:
        return list(self._headers.items())

    def add_unredirected_header(self, name: str, value: str) -> None:
        self._headers[name] = value


#: The most that browsers take of a name with its value, and of one attribute (RFC 6265bis sections
#: 5.6 and 5.7). `http.cookiejar` has no such bounds, and complains aloud of numbers without end.
_LONGEST_PAIR = 4096
_LONGEST_ATTRIBUTE = 1024


class JarResponse:
    """What a jar asks a response for: the lines of a header, but for those no browser takes."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def info(self) -> JarResponse:
        return self

    def get_all(self, name: str, default: Any = None) -> Any:
        return [line for line in self._headers.get_all(name) if _is_taken(line)] or default


def _is_taken(line: str) -> bool:
    # What no request may carry would stay in the jar, and keep every later one from being sent.
    if not is_sendable(line):
        return False
    pair, *attributes = line.split(";")
    return len(pair) <= _LONGEST_PAIR and all(len(one) <= _LONGEST_ATTRIBUTE for one in attributes)


def cookies_for(jar: CookieJar, url: URL, first: URL | None = None) -> str | None:
    """The value of the Cookie header for a request, or None.

    A cookie of the user's own jar that no header can carry is left out.
    """
    request: Any = JarRequest(url, first)
    jar.add_cookie_header(request)
    value: str | None = request.get_header("Cookie")
    if value is None or is_sendable(value):
        return value
    return "; ".join(filter(is_sendable, value.split("; "))) or None


def store_cookies(jar: CookieJar, url: URL, first: URL | None, headers: Headers) -> None:
    """Let the jar take what an answer sets, if its policy allows it."""
    if "set-cookie" not in headers and "set-cookie2" not in headers:
        return
    request: Any = JarRequest(url, first)
    response: Any = JarResponse(headers)
    jar.extract_cookies(response, request)
