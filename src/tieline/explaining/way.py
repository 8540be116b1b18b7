"""A route → where its sockets would be connected to, and what a proxy on the way would be asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tieline.engine.credentials import proxy_login
from tieline.engine.route import Target
from tieline.errors import ConnectError, OptionError
from tieline.explaining.explanation import Address, Headers, ProxyPlan
from tieline.explaining.login import explain_login, explain_socks_login, first_value
from tieline.explaining.tls import explain_tls
from tieline.hostnames import authority, is_address
from tieline.redact import safe_headers
from tieline.transport.attempt import Attempt
from tieline.transport.dial import Route
from tieline.transport.lookup import AddressInfo
from tieline.transport.proxy import Proxy
from tieline.transport.resolve import known_addresses, resolve
from tieline.transport.tls_settings import TLSSettings
from tieline.transport.tunnel import looks_up_target, prepare_tunnel

HERE = "this machine"
NOBODY = "nobody has to"


class Addresses:
    """Names → addresses: those that are known without asking anybody; if `asks`, all of them.

    `attempt` bounds all of it together.
    """

    def __init__(self, family: int, attempt: Attempt, asks: bool, problems: list[str]) -> None:
        self._family = family
        self._attempt = attempt
        self._asks = asks
        self._problems = problems

    def of(self, host: str, port: int, source: str, looked_up_by: str = HERE) -> Address:
        known: list[AddressInfo] = []
        # "localhost" is another machine for a proxy, and what it has for an address only it knows.
        if looked_up_by == HERE or is_address(host):
            known = known_addresses(host, port, self._family)
        if known:
            looked_up_by = NOBODY
        elif looked_up_by == HERE and (self._asks or ":" in host):
            # An address that is none of ours is found out by the same code, which asks nobody then.
            try:
                self._attempt.destination = authority(host, port)
                known = resolve(host, port, self._family, self._attempt)
            except ConnectError as error:
                self._problems.append(str(error))
        return Address(
            host=host,
            port=port,
            source=source,
            addresses=tuple(map(str, known)),
            looked_up_by=looked_up_by,
        )


def explain_address(route: Route, addresses: Addresses, problems: list[str]) -> Address:
    """Where the server is, for whoever connects to it: this machine, or the proxy."""
    if route.sock is not None:
        return Address(host="", port=None, source="sock, connected already")
    if route.unix_path is not None:
        with _noting(problems):
            _check_unix_socket(route.unix_path)
        return Address(host=route.unix_path, port=None, source="a unix socket")
    host, port = route.connect_to or (route.host, route.port)
    source = "connect_to" if route.connect_to else "the URL's host"
    asked = HERE
    if route.proxy is not None and not looks_up_target(route.proxy):
        asked = "the proxy"
    return addresses.of(host, port, source, asked)


def explain_proxy(
    route: Route, target: Target, addresses: Addresses, problems: list[str]
) -> ProxyPlan | None:
    proxy = route.proxy
    if proxy is None:
        return None
    with _noting(problems):
        prepare_tunnel(proxy, (route.connect_to or (route.host, route.port))[0])
    tls = None
    if proxy.scheme == "https":
        settings = proxy.tls or (route.tls or TLSSettings()).trust_only
        tls = explain_tls(settings, proxy.host, problems)
    plan = ProxyPlan(
        url=proxy.safe,
        address=addresses.of(proxy.host, proxy.port, "the proxy"),
        tls=tls,
    )
    if proxy.is_socks:
        return replace(plan, login=explain_socks_login(proxy))
    return _asked(plan, proxy, route, target, problems)


def _asked(
    plan: ProxyPlan, proxy: Proxy, route: Route, target: Target, problems: list[str]
) -> ProxyPlan:
    from tieline.engine.connecting import through
    from tieline.transport.http_connect import connect_headers

    far_end = authority(*(route.connect_to or (route.host, route.port)))
    headers: Headers = ()
    login = None
    with _noting(problems):
        found = proxy_login(target.options, proxy)
        value = first_value(found, "CONNECT", far_end)
        asked = through(route, proxy, value).proxy
        assert asked is not None
        headers = tuple(safe_headers(connect_headers(asked, far_end)))
        login = explain_login(found, asked.headers, "proxy-authorization")
    return replace(plan, request=f"CONNECT {far_end} HTTP/1.1", headers=headers, login=login)


@contextmanager
def _noting(problems: list[str]) -> Iterator[None]:
    try:
        yield
    except OptionError as error:
        problems.append(str(error))


def _check_unix_socket(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"the unix socket {path!r} cannot be connected to: {reason}") from error
    if not stat.S_ISSOCK(mode):
        raise OptionError(f"the unix socket {path!r} cannot be connected to: it is none")
    if not os.access(path, os.W_OK):
        raise OptionError(f"the unix socket {path!r} cannot be connected to: permission denied")
