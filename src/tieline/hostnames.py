"""A host as people write it → the ASCII form that is dialled, sent (Host, SNI) and verified."""

from __future__ import annotations

from tieline.patterns import pattern

_NAME = pattern(
    r"(?=.{1,253}\.?$)(?:[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?\.)*"
    r"[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?\.?"
)
# Four numbers, none of which some parser might take for octal.
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = pattern(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_NUMBER = pattern(r"[0-9]+|0x[0-9a-f]*")
_ZONE = pattern(r"[-A-Za-z0-9._~]+")

#: Longer than any name, before it is looked at more closely.
_MUCH = 1024


class BadHost(ValueError):
    """No host: what is wrong, and what was expected."""

    def __init__(self, problem: str, expected: str) -> None:
        super().__init__(f"{problem}; {expected}")
        self.problem = problem
        self.expected = expected


def ascii_host(host: str) -> str:
    """A domain name or an IPv4 address, lower case, names beyond ASCII as A-labels (xn--...).

    Raises `BadHost`. What ends in a number must be an IPv4 address in its usual form: resolvers
    and browsers read "127.1", "0x7f.1" or "017700000001" as addresses too, filters do not, and
    such a difference is how somebody gets to a host that he should not get to.
    """
    if len(host) > _MUCH:
        raise BadHost("the host is too long", "expected a domain name of at most 253 characters")
    name = host.lower() if host.isascii() else _a_labels(host)
    if _NUMBER.fullmatch(name.removesuffix(".").rpartition(".")[2]) and not _IPV4.fullmatch(name):
        raise BadHost(
            "the host ends in a number and is no IPv4 address in its usual form",
            f"expected four numbers from 0 to 255, such as {_meant(name) or '192.0.2.1'}",
        )
    if not _NAME.fullmatch(name):
        raise BadHost("the host is not valid", "expected a domain name or an IP address")
    return name


def ipv6_host(address: str) -> str:
    """An IPv6 address without brackets, maybe with a zone after "%"; in its shortest form.

    Raises `BadHost`.
    """
    number, percent, zone = address.partition("%")
    try:
        from ipaddress import IPv6Address  # for those who write addresses

        shortest = str(IPv6Address(number))
    except ValueError:
        raise BadHost(
            "the IPv6 address in brackets is not valid", "expected for example [2001:db8::1]"
        ) from None
    if percent and not _ZONE.fullmatch(zone):
        raise BadHost(
            "the zone of the IPv6 address is not valid", "expected for example [fe80::1%25eth0]"
        )
    return shortest + percent + zone


def is_address(host: str) -> bool:
    """Is it an IP address, maybe with a zone, and so no name that anybody could look up?"""
    from ipaddress import ip_address

    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _a_labels(host: str) -> str:
    # As browsers do it: UTS 46, non-transitional, over IDNA 2008. The standard library has IDNA
    # 2003 only, where "faß.de" is "fass.de", somebody else's site. Loaded for such names only.
    import idna

    try:
        mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
        return ".".join(
            label if label.isascii() else idna.alabel(label).decode("ascii")
            for label in mapped.split(".")
        )
    except (idna.IDNAError, UnicodeError) as error:
        raise BadHost(
            f"the host is no valid internationalised name ({_shown(error)})",
            "expected a domain name; what a registry has accepted all the same can be given in "
            "its xn-- form",
        ) from None


def authority(host: str, port: int) -> str:
    """host:port as CONNECT wants it (RFC 9112 section 3.2.3), also for messages."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _shown(error: Exception) -> str:
    # Some texts hold a whole label, which may be long.
    text = "".join(each if each.isprintable() else "?" for each in str(error))
    return text if len(text) <= 100 else text[:100] + "..."


def _meant(name: str) -> str | None:
    """What a lenient resolver would make of it."""
    from socket import inet_aton, inet_ntoa  # where something is wrong anyway

    try:
        return inet_ntoa(inet_aton(name.removesuffix(".")))
    except OSError:
        return None
