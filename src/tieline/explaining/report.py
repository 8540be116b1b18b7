"""An `Explanation` → aligned lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieline.explaining.explanation import TLS, Address, Explanation, Headers, Login, ProxyPlan

Rows = Iterator[tuple[str, str]]

#: Columns of the names on the left.
_WIDTH = 16

#: Seconds are shown under these names.
_TIMES = {
    "connect_timeout": "to connect",
    "timeout": "for a send",
    "close_timeout": "to close",
    "ping_interval": "between pings",
    "ping_timeout": "for a pong",
    "heartbeat_interval": "between heartbeats",
}


def report(found: Explanation) -> str:
    """One fact a line. What comes from elsewhere (URLs, headers) cannot break a line."""
    return "\n".join(f"{name:<{_WIDTH}} {_one_line(text)}".rstrip() for name, text in _rows(found))


def _rows(found: Explanation) -> Rows:
    yield "url", found.url
    for number, url in enumerate(found.other_urls, 2):
        yield f"url {number}", f"{url} (if the one before fails)"
    yield from _address("connects to", found.address)
    if found.proxy is None:
        yield "proxy", found.proxy_reason
    else:
        yield from _proxy(found.proxy, found.proxy_reason)
    if found.tls is None:
        local = found.address.port is None
        yield "TLS", "none" if local else "none: whoever is on the way can read and change it"
    else:
        yield from _tls("TLS", found.tls)
    yield from _head("request", found.request, found.headers)
    yield from _login("credentials", found.login)
    for number, cookie in enumerate(found.cookies):
        verb = "sent" if cookie.sent else "not sent"
        yield "" if number else "cookies", f"{cookie.name}: {verb}, {cookie.reason}"
    if not found.cookies:
        yield "cookies", "none"
    yield "subprotocols", ", ".join(found.subprotocols) or "none"
    yield "compression", found.compression or "none"
    times = (
        f"{'no limit' if seconds is None else f'{seconds:g} s'} {_TIMES.get(name, name)}"
        for name, seconds in found.times.items()
        if seconds is not None or name.endswith("timeout")
    )
    yield "times", ", ".join(times)
    yield "reconnection", found.reconnection
    for number, problem in enumerate(found.problems):
        yield "" if number else "problems", problem
    if not found.problems:
        yield "problems", "none that can be seen from here"


def _address(name: str, address: Address) -> Rows:
    port = "" if address.port is None else f":{address.port}"
    host = f"[{address.host}]" if ":" in address.host and port else address.host
    yield name, f"{host}{port} ({address.source})".lstrip()
    if address.addresses:
        how = "" if address.looked_up_by == "nobody has to" else f" (from {address.looked_up_by})"
        yield "  address", ", ".join(address.addresses) + how
    elif address.looked_up_by != "nobody has to":
        yield "  address", f"to be looked up by {address.looked_up_by}"


def _proxy(proxy: ProxyPlan, reason: str) -> Rows:
    yield "proxy", f"{proxy.url} ({reason})"
    address = proxy.address
    if address.addresses:
        yield "  address", ", ".join(address.addresses)
    else:
        yield "  address", f"to be looked up by {address.looked_up_by}"
    if proxy.tls is not None:
        yield from _tls("  TLS", proxy.tls)
    if proxy.request:
        yield from _head("  asked", proxy.request, proxy.headers)
    yield from _login("  credentials", proxy.login)


def _tls(name: str, tls: TLS) -> Rows:
    indent = " " * (len(name) - len(name.lstrip()) + 2)
    alpn = "" if tls.alpn is None else f", offers {', '.join(tls.alpn)} (ALPN)"
    yield name, f"{tls.versions or 'TLS'}{alpn}{f' ({tls.context})' if tls.context else ''}"
    sent = "sent and" if tls.sends_name else "an address, so not sent, and"
    looked_for = "looked for in the certificate" if tls.verified else "not looked for"
    yield f"{indent}name", f"{tls.name} ({tls.name_source}), {sent} {looked_for}"
    if tls.verified:
        yield f"{indent}trusts", tls.trust
    else:
        yield f"{indent}trusts", "anybody" if not tls.pins else "whoever has the pin"
    for number, pin in enumerate(tls.pins):
        yield "" if number else f"{indent}pin", f"SHA-256 {pin}"
    if tls.client_certificate is not None:
        yield f"{indent}shows", tls.client_certificate


def _head(name: str, line: str, headers: Headers) -> Rows:
    yield name, line
    for header, value in headers:
        yield "", f"{header}: {value}"


def _login(name: str, login: Login | None) -> Rows:
    if login is None:
        yield name, "none"
        return
    user = "" if login.username is None else f", user {login.username!r}"
    note = f"; {login.note}" if login.note else ""
    yield name, f"{login.scheme}{user} ({login.source}){note}"


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
