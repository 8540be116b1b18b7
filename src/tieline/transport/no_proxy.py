"""What `no_proxy` lists → whether a host is reached without a proxy, and which entry says so.

There is no standard, and programs disagree. The rules here are those of curl and Go where these
agree, and otherwise the ones that surprise least:

    *                           every host
    example.com, .example.com   the host itself and all below it, as curl has it
    *.example.com               all below it, not the host itself
    10.*, api-?.example.com     * and ? stand for any characters, and for any one
    127.0.0.1, ::1, [::1]       this address, however it is written
    10.0.0.0/8, fd00::/8        the addresses of this network
    host:8080, [::1]:443        each of the above on this port only

Entries are separated by commas or blanks. Case, a dot at the end and the zone of an IPv6 address
do not count. Names are compared as names: nothing is looked up, so a network lists only hosts that
are written as addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tieline.hostnames import BadHost, ascii_host
from tieline.patterns import pattern

if TYPE_CHECKING:
    import re
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

#: The entry, of Windows, that stands for every name without a dot.
SIMPLE_NAMES = "<local>"

_BRACKETED = pattern(r"\[([^]]*)\](/[0-9.]+)?(?::([0-9]{1,5}))?")
_WITH_PORT = pattern(r"([^:]*):([0-9]{1,5})")
_BETWEEN_ENTRIES = pattern(r"[\s,]+")
# What may be an address or a network: names are told apart without loading `ipaddress`.
_NUMERIC = pattern(r"[0-9a-fA-F:.]*[0-9a-fA-F:](?:%[^/]*)?(?:/[0-9.]+)?")


class NoProxy:
    """Hosts that are reached without a proxy. Immutable, for any thread.

    `subdomains`: does a plain name list what is below it too? In `no_proxy` it does, in the
    settings of desktops it does not.
    """

    def __init__(self, entries: Iterable[str], *, subdomains: bool = True) -> None:
        self._entries = tuple(entry for entry in entries if entry)
        self._subdomains = subdomains

    @classmethod
    def parse(cls, text: str) -> NoProxy:
        """From the value of the environment variable."""
        return cls(_BETWEEN_ENTRIES.split(text))

    def listing(self, host: str, port: int) -> str | None:
        """The first entry that lists the host, as it was written; None when no entry does.

        `host` as in a `URL`: ASCII, IPv6 without brackets.
        """
        if not self._entries:
            return None
        host = _comparable(host)
        address = _address(host)
        for entry in self._entries:
            if self._lists(entry, host, port, address):
                return entry
        return None

    def _lists(self, entry: str, host: str, port: int, address: Address | None) -> bool:
        if entry.lower() == SIMPLE_NAMES:
            return address is None and "." not in host
        name, of_port = _split(entry)
        if of_port is not None and of_port != port:
            return False
        name = _comparable(name)
        if "*" in name or "?" in name:
            return _fits(name, host)
        network = _network(name)
        if address is not None or network is not None:
            return address is not None and network is not None and address in network
        name = name.lstrip(".")
        return host == name or (self._subdomains and bool(name) and host.endswith("." + name))


def _split(entry: str) -> tuple[str, int | None]:
    """The entry without its port, and without brackets."""
    if (match := _BRACKETED.fullmatch(entry)) is not None:
        return match[1] + (match[2] or ""), int(match[3]) if match[3] else None
    # With more than one colon it is an IPv6 address, which has no port unless in brackets.
    if (match := _WITH_PORT.fullmatch(entry)) is not None:
        return match[1], int(match[2])
    return entry, None


def _comparable(name: str) -> str:
    if ":" in name:
        # A zone belongs to one machine's interface, not to the address (RFC 4007 section 11.2).
        name, _, rest = name.partition("%")
        return (name + rest[rest.find("/") :] if "/" in rest else name).lower()
    if not name.isascii():
        # Each part on its own, since some are patterns. The other side is a URL's host.
        name = ".".join(map(_a_label, name.split(".")))
    return name.lower().removesuffix(".")


def _a_label(label: str) -> str:
    try:
        return label if label.isascii() else ascii_host(label)
    except BadHost:
        return label  # in no domain name, so it is none of ours


def _fits(pattern: str, text: str) -> bool:
    """Each part between stars at the first place that it fits: no part needs to be tried twice.

    One regular expression for the whole would try them all against each other.
    """
    first, *others = map(_part, pattern.split("*"))
    if not others:
        return first.fullmatch(text) is not None
    found = first.match(text)
    for part in others[:-1]:
        if found is None:
            return False
        found = part.search(text, found.end())
    if found is None:
        return False
    # The last part is at the end. Each is as long as what it stands for.
    start = len(text) - (len(pattern) - pattern.rindex("*") - 1)
    return start >= found.end() and others[-1].fullmatch(text, start) is not None


def _part(text: str) -> re.Pattern[str]:
    import re  # for a proxy

    return re.compile(re.escape(text).replace(r"\?", "."))


def _network(text: str) -> Network | None:
    if not _NUMERIC.fullmatch(text):
        return None
    from ipaddress import ip_network

    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    # An IPv4 address in IPv6's clothes (RFC 4291 section 2.5.5.2) leads to the IPv4 host.
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ip_network((mapped, network.prefixlen - 96), strict=False)


def _address(text: str) -> Address | None:
    network = _network(text)
    if network is None or "/" in text:
        return None
    return network.network_address
