"""The environment, and the settings of macOS and Windows → the proxies that they name.

Read anew for each connection, since both may change under a program that runs for weeks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tieline.patterns import pattern
from tieline.redact import safe_url

if TYPE_CHECKING:
    from tieline.transport.no_proxy import NoProxy

_WINDOWS_KEY = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"

# 10, 169.254/16, 192.168.1.0/24
_SHORT_NETWORK = pattern(r"(\d{1,3}(?:\.\d{1,3}){0,3})(?:/(\d{1,2}))?")

_BETWEEN_PROXIES = pattern(r"[;\s]+")

#: Browsers never ask the system's proxies for this machine itself.
_LOOPBACK = ("localhost", "*.localhost", "127.0.0.0/8", "::1")


class Variable(NamedTuple):
    """A variable of the environment, under the name that it has there."""

    name: str
    value: str

    def __repr__(self) -> str:
        return f"Variable({self.name!r}, {safe_url(self.value)!r})"


def variable(name: str) -> Variable | None:
    """The one in lower case, else the one in upper case; None when it is not there or empty.

    An empty one in lower case hides the other, as it does for urllib.
    """
    for spelling in (name, name.upper()):
        value = os.environ.get(spelling)
        if value is None:
            continue
        if is_forged(name) and (spelling.isupper() or sys.platform == "win32"):
            continue
        value = value.strip()
        return Variable(spelling, value) if value else None
    return None


def is_any_there(names: tuple[str, ...]) -> bool:
    """May `variable` find one of these? False is certain, and takes no longer than one of them."""
    environment: Any = os.environ
    try:
        # Not public, and so not relied on: where it is otherwise, they are asked for one by one.
        stored, encode = environment._data.keys(), environment.encodekey
    except AttributeError:
        return True
    return not stored.isdisjoint(_stored_names(names, encode))


@lru_cache(maxsize=8)
def _stored_names(names: tuple[str, ...], encode: Callable[[str], object]) -> tuple[object, ...]:
    return tuple(encode(spelling) for name in names for spelling in (name, name.upper()))


def is_forged(name: str) -> bool:
    """May the upper-case variable come from who sent a request to this CGI program?

    HTTP_PROXY is where CGI puts a request's field "Proxy" (CVE-2016-5385, "httpoxy"). Windows does
    not tell upper from lower case; there, nobody can know.
    """
    return name == "http_proxy" and "REQUEST_METHOD" in os.environ


@dataclass(frozen=True, slots=True)
class SystemSettings:
    """What the desktop's settings say."""

    #: Kind of traffic ("http", "https", "socks") → the proxy's URL.
    proxies: Mapping[str, str]
    exceptions: NoProxy


def system_settings() -> SystemSettings | None:
    """Those of macOS or Windows; None where there are none, and on other systems."""
    if sys.platform == "darwin":
        return _macos()
    if sys.platform == "win32":
        return _windows()
    return None


def _macos() -> SystemSettings | None:
    from importlib import import_module

    from tieline.transport.no_proxy import NoProxy

    # The standard library's own door to the SystemConfiguration framework.
    configuration: Any = import_module("_scproxy")
    proxies = {
        # It puts "http://" before each of them; what listens at the SOCKS one is SOCKS 5.
        kind: url.replace("http://", "socks5h://", 1) if kind == "socks" else url
        for kind, url in configuration._get_proxies().items()
        if kind in ("http", "https", "socks") and url
    }
    if not proxies:
        return None
    settings = configuration._get_proxy_settings()
    exceptions = [_long(entry) for entry in settings.get("exceptions", ()) if entry]
    if settings.get("exclude_simple"):
        exceptions.append("<local>")
    return SystemSettings(proxies, NoProxy((*exceptions, *_LOOPBACK), subdomains=False))


def _windows() -> SystemSettings | None:
    from importlib import import_module

    from tieline.transport.no_proxy import NoProxy

    registry: Any = import_module("winreg")
    try:
        with registry.OpenKey(registry.HKEY_CURRENT_USER, _WINDOWS_KEY) as key:

            def value(name: str) -> Any:
                try:
                    return registry.QueryValueEx(key, name)[0]
                except FileNotFoundError:
                    return ""

            if not value("ProxyEnable"):
                return None
            server, override = str(value("ProxyServer")), str(value("ProxyOverride"))
    except OSError:
        return None  # a user without such settings
    proxies = dict(_windows_proxies(server))
    if not proxies:
        return None
    entries = [entry.strip() for entry in override.split(";")]
    loopback = () if "<-loopback>" in entries else _LOOPBACK
    # An entry may be limited to one scheme; for a WebSocket that is neither here nor there.
    exceptions = [_long(entry.rpartition("://")[2]) for entry in entries]
    return SystemSettings(proxies, NoProxy((*exceptions, *loopback), subdomains=False))


def _windows_proxies(server: str) -> list[tuple[str, str]]:
    """From "host:port" for all, or from "http=host:port;https=host:port;socks=host:port"."""
    found = []
    for part in _BETWEEN_PROXIES.split(server):
        kind, equals, address = part.partition("=")
        if not equals:
            kind, address = "", part
        if not address:
            continue
        kinds = (kind.lower(),) if kind else ("http", "https")
        # Windows' own SOCKS is version 4.
        start = "socks4://" if kinds == ("socks",) else "http://"
        url = address if "://" in address else start + address
        found += [(each, url) for each in kinds if each in ("http", "https", "socks")]
    return found


def _long(entry: str) -> str:
    """macOS writes networks with as few numbers as will do."""
    match = _SHORT_NETWORK.fullmatch(entry)
    if match is None:
        return entry
    numbers = match[1].split(".")
    size = match[2] or str(8 * len(numbers))
    return ".".join(numbers + ["0"] * (4 - len(numbers))) + "/" + size
