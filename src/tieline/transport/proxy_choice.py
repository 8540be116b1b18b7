"""The proxy option, the environment and the system's settings → which proxy, and why that one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tieline.errors import OptionError
from tieline.transport.proxy_settings import (
    SystemSettings,
    is_any_there,
    is_forged,
    system_settings,
    variable,
)

if TYPE_CHECKING:
    from tieline.transport.proxy import Proxy

Headers = tuple[tuple[str, str], ...]

# As curl does. RFC 6455 section 4.1 would rather have a plain connection use the proxy for https,
# but only where nobody can name one for WebSockets; here `ws_proxy` does that.
_VARIABLES = {
    True: ("wss_proxy", "https_proxy", "all_proxy"),
    False: ("ws_proxy", "http_proxy", "all_proxy"),
}
_ALL_VARIABLES = tuple(dict.fromkeys(_VARIABLES[True] + _VARIABLES[False]))
# What the choice depends on: nearly all environments have none of it.
_LOOKED_AT = (*_ALL_VARIABLES, "request_method")

# The settings of a desktop know nothing of WebSockets, so here it is as RFC 6455 section 4.1 wants
# it, and as browsers do it.
_SYSTEM_KINDS = ("socks", "https", "http")


class ProxyChoice(NamedTuple):
    """The proxy that a connection goes through, or None, and the reason, to be shown to people."""

    proxy: Proxy | None
    reason: str


_NOT_WANTED = ProxyChoice(None, "none: proxy=None")
_NO_VARIABLE = {
    secure: ProxyChoice(None, f"none: the environment has none of {' '.join(names)}")
    for secure, names in _VARIABLES.items()
}


def choose_proxy(
    option: bool | str | None,
    *,
    secure: bool,
    host: str,
    port: int,
    headers: Headers = (),
    bypass: str | None = None,
) -> ProxyChoice:
    """The proxy for a connection to `host` and `port`, with TLS if `secure`.

    `option` and `headers` are the options `proxy` and `proxy_headers`. `bypass` says why no proxy
    can be asked at all ("unix_socket is given"). Asks no name server. Raises OptionError that
    names where an unusable value comes from.
    """
    if option is None:
        return _NOT_WANTED
    if bypass is not None:
        return ProxyChoice(None, f"none: {bypass}")
    if isinstance(option, str):
        from tieline.transport.proxy import Proxy

        return ProxyChoice(Proxy.parse(option, headers), "the proxy option")
    if option is not True:
        raise OptionError(f"proxy: expected True, None or a URL, got {option!r}")
    if "%" in host:
        # RFC 4007 section 6: nobody but this machine can send there.
        return ProxyChoice(None, f"none: {host!r} is on a link of this machine")
    is_empty = not is_any_there(_LOOKED_AT)
    found = None if is_empty else _from_environment(secure, host, port, headers)
    if found is not None:
        return found
    settings = system_settings()
    if settings is not None:
        return _from_system(settings, host, port, headers)
    if is_empty:
        return _NO_VARIABLE[secure]
    reason = _NO_VARIABLE[secure].reason
    if not secure and is_forged("http_proxy"):
        reason += "; HTTP_PROXY is not trusted in a CGI program"
    return ProxyChoice(None, reason)


def _from_environment(secure: bool, host: str, port: int, headers: Headers) -> ProxyChoice | None:
    """None when it names no proxy for anything: then the system's settings count."""
    for name in _VARIABLES[secure]:
        if (found := variable(name)) is not None:
            break
    else:
        others = [other.name for name in _ALL_VARIABLES if (other := variable(name)) is not None]
        if not others:
            return None
        scheme = "wss" if secure else "ws"
        return ProxyChoice(None, f"none: {others[0]} in the environment is not for {scheme}://")
    if (reason := _exception(host, port)) is not None:
        return ProxyChoice(None, reason)
    source = f"{found.name} in the environment"
    return ProxyChoice(_parse(found.value, headers, source), source)


def _from_system(settings: SystemSettings, host: str, port: int, headers: Headers) -> ProxyChoice:
    if (reason := _exception(host, port)) is not None:
        return ProxyChoice(None, reason)
    entry = settings.exceptions.listing(host, port)
    if entry is not None:
        return ProxyChoice(
            None, f"none: the system's proxy settings make an exception of {entry!r}"
        )
    for kind in _SYSTEM_KINDS:
        if url := settings.proxies.get(kind):
            source = f"the system's proxy settings ({kind})"
            return ProxyChoice(_parse(url, headers, source), source)
    return ProxyChoice(None, "none: the system's proxy settings name none for this")


def _exception(host: str, port: int) -> str | None:
    listed = variable("no_proxy")
    if listed is None:
        return None
    from tieline.transport.no_proxy import NoProxy

    entry = NoProxy.parse(listed.value).listing(host, port)
    if entry is None:
        return None
    return f"none: {listed.name} lists {entry!r}"


def _parse(url: str, headers: Headers, source: str) -> Proxy:
    from tieline.transport.proxy import Proxy

    try:
        return replace(Proxy.parse(url, headers), source=source)
    except OptionError as error:
        raise OptionError(f"{source}: {error}") from error
