"""A way to reach a proxy, and a target → a stream to the target through it."""

from __future__ import annotations

import socket
from collections.abc import Callable

from tieline.errors import OptionError, ProxyError, ResolveError
from tieline.hostnames import authority
from tieline.transport.attempt import Attempt
from tieline.transport.proxy import Proxy
from tieline.transport.resolve import resolve
from tieline.transport.stream import Stream

#: What the proxy's refusal usually means, by the words in it.
_ADVICE = {
    "ruleset": "; it does not allow this host or port",
    "address type": "; socks5:// sends an address, socks5h:// a name: try the other one",
    "unreachable": "; it cannot reach the target now",
}


def prepare_tunnel(proxy: Proxy, host: str) -> None:
    """Raises OptionError for what can be known before the network is used."""
    if "%" in host:
        raise OptionError(
            f"proxy: the zone of {host!r} means this machine's own link, where no proxy can "
            "connect to; use proxy=None"
        )
    if proxy.is_socks:
        from tieline.transport.socks import require_library

        require_library(proxy)


def open_tunnel(
    connect: Callable[[], Stream],
    proxy: Proxy,
    host: str,
    port: int,
    family: int,
    attempt: Attempt,
) -> Stream:
    """`connect` gives a stream to the proxy. Raises what it raises, ProxyError and ResolveError.

    `family` matters where the target's name is looked up here (socks4, socks5).
    """
    if not proxy.is_socks:
        # Imported when they are needed: few connections go through a proxy.
        from tieline.transport.http_connect import open_tunnel as ask_http

        stream = connect()
        try:
            ask_http(stream, proxy, host, port, attempt)
        except BaseException:
            stream.close()
            raise
        return stream

    from tieline.transport.socks import open_tunnel as ask_socks

    refusals: list[str] = []
    are_final = True
    for address in _addresses(proxy, host, port, family, attempt):
        # A proxy that has refused closes its connection: each address gets one of its own.
        stream = connect()
        try:
            refusal = ask_socks(stream, proxy, address, port, attempt)
        except BaseException:
            stream.close()
            raise
        if refusal is None:
            return stream
        stream.close()
        refusals.append(refusal.words if address == host else f"{address}: {refusal.words}")
        are_final = are_final and refusal.is_final
    raise ProxyError(_refused(proxy, host, port, refusals), refused=are_final)


def looks_up_target(proxy: Proxy) -> bool:
    """Is the target's name looked up here? If not, the proxy does it."""
    return proxy.scheme in ("socks4", "socks5")


def _addresses(proxy: Proxy, host: str, port: int, family: int, attempt: Attempt) -> list[str]:
    """What to ask the proxy for, one after the other."""
    if not looks_up_target(proxy):
        return [host]
    only_ipv4 = proxy.scheme == "socks4"
    if only_ipv4 and family == socket.AF_INET6:
        raise OptionError(
            f"proxy {proxy.safe!r}: SOCKS4 knows IPv4 addresses only, and family is 'ipv6'; use "
            "socks5:// or leave family out"
        )
    try:
        found = resolve(host, port, socket.AF_INET if only_ipv4 else family, attempt)
    except ResolveError as error:
        advice = "with socks5h:// the proxy would look it up"
        if only_ipv4:
            advice = "SOCKS4 knows IPv4 addresses only; " + advice
        raise ResolveError(f"{error} ({advice})", refused=error.refused) from error
    # The order of the answer is for connections from here. Of the proxy nothing is known, except
    # that more of them can reach IPv4 than IPv6, and one that cannot may take minutes to say so.
    found.sort(key=lambda address: address.family != socket.AF_INET)
    return [str(address.sockaddr[0]).partition("%")[0] for address in found]


def _refused(proxy: Proxy, host: str, port: int, refusals: list[str]) -> str:
    said = "; ".join(refusals)
    advice = next((text for word, text in _ADVICE.items() if word in said), "")
    target = authority(host, port)
    return f"the proxy {proxy.name} refused a tunnel to {target} (proxy): {said}{advice}"
