"""Host name → addresses, bounded by the attempt's deadline and cancellation.

One look-up asks for both families, because only the resolver can put the addresses of both into
order (RFC 6724). But it answers when the slower of its two questions is answered, and there are
name servers, and boxes before them, that never answer the one for IPv6. So when it takes long, a
look-up for each family runs beside it, and what comes first is connected to (RFC 8305 section 3).
What comes later joins the race.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from types import TracebackType
from typing import Any

from tieline.errors import ResolveError
from tieline.hostnames import is_address
from tieline.transport.attempt import Attempt
from tieline.transport.lookup import AddressInfo, Lookup, look_up, numbers_and_names

#: Seconds after which each family is looked up on its own. Most answers take less.
SPLIT_DELAY = 0.2

#: Seconds that IPv6 gets when IPv4 has answered first (RFC 8305 section 3, "Resolution Delay").
RESOLUTION_DELAY = 0.05

_FAMILY = "leave family out, or give an address of its kind"


class Resolution:
    """The addresses of one host, as they become known; for one attempt, on its thread.

    A context manager: at its end it lets go of what is still under way. `family` is
    `socket.AF_INET`, `AF_INET6`, or 0 for both.
    """

    def __init__(self, host: str, port: int, family: int, attempt: Attempt) -> None:
        self._host = host
        self._port = port
        self._family = family
        self._attempt = attempt
        self._given: set[AddressInfo] = set()
        #: For all families asked for; None where nobody needs to be asked.
        self._whole: Lookup | None = None
        #: For each family, IPv6 first; empty unless the whole takes long.
        self._parts: list[Lookup] = []

    def __enter__(self) -> Resolution:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for lookup in self._lookups():
            lookup.leave(self._attempt.wake)

    def first(self) -> list[AddressInfo]:
        """Wait for addresses: at least one, those to prefer first. Raises ResolveError."""
        host, attempt = self._host, self._attempt
        with attempt.in_phase("dns", f"resolving {host!r}"):
            attempt.check()
            known = known_addresses(host, self._port, self._family)
            if known:
                self._tell(known)
                return known
            if ":" in host or (self._family == socket.AF_INET6 and is_address(host)):
                raise ResolveError(
                    f"connecting to {attempt.destination} failed (dns): cannot use the address "
                    f"{host!r}: {self._why_unusable()}",
                    refused=True,
                )
            self._whole = look_up(host, self._family, attempt.wake)
            self._await()
            found = self.late()
            if not found:
                raise self._failure()
            return found

    def _why_unusable(self) -> str:
        """Of an address that cannot be connected to."""
        if self._family == socket.AF_INET6 and ":" not in self._host:
            return f"it is an IPv4 address, and family asks for IPv6; {_FAMILY}"
        if self._family == socket.AF_INET:
            return f"it is an IPv6 address, and family asks for IPv4; {_FAMILY}"
        return "this machine has no interface of that name"

    def late(self) -> list[AddressInfo]:
        """What has become known since the last call. Does not wait."""
        whole = self._whole
        if whole is None:
            return []
        if whole.is_done and whole.addresses:
            return self._new(whole.addresses)
        return self._new([each for part in self._parts if part.is_done for each in part.addresses])

    @property
    def is_split(self) -> bool:
        """Was each family looked up on its own, so that one may be known before the other?"""
        return bool(self._parts)

    @property
    def is_pending(self) -> bool:
        """May there be more later? The attempt is woken then."""
        whole = self._whole
        if whole is None or (whole.is_done and not self._is_unsettled):
            return False
        if not whole.is_done and not self._parts:
            return True
        # When both families have answered, the whole cannot know any more.
        return any(not part.is_done for part in self._parts)

    def _await(self) -> None:
        """Until there are addresses, or until there will be none."""
        attempt, whole = self._attempt, self._whole
        assert whole is not None
        until = attempt.clock() + SPLIT_DELAY if self._family == 0 else None
        while not whole.is_done:
            if not attempt.wait(None, until=until):
                break
        if self._family != 0 or (whole.is_done and not self._is_unsettled):
            return
        for family in (socket.AF_INET6, socket.AF_INET):
            self._parts.append(look_up(self._host, int(family), attempt.wake))
        while self.is_pending and not self._has_addresses():
            attempt.wait(None)
        ipv6 = self._parts[0]
        until = attempt.clock() + RESOLUTION_DELAY
        while not (whole.is_done or ipv6.is_done) and attempt.wait(None, until=until):
            pass

    @property
    def _is_unsettled(self) -> bool:
        """Has the whole failed in a way that says nothing of one family alone?"""
        error = self._whole.error if self._whole is not None else None
        return isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN

    def _has_addresses(self) -> bool:
        return any(lookup.is_done and lookup.addresses for lookup in self._lookups())

    def _lookups(self) -> list[Lookup]:
        return [] if self._whole is None else [self._whole, *self._parts]

    def _new(self, found: list[AddressInfo]) -> list[AddressInfo]:
        """Those that were not given out yet, each once: some resolvers repeat an address."""
        here = [AddressInfo(each.family, _at(each.sockaddr, self._port)) for each in found]
        new = [each for each in dict.fromkeys(here) if each not in self._given]
        self._given.update(new)
        if new:
            self._tell(new)
        return new

    def _tell(self, new: list[AddressInfo]) -> None:
        if self._attempt.is_heard:
            texts = [str(address) for address in new]
            self._attempt.emit("resolve", host=self._host, addresses=texts)

    def _failure(self) -> ResolveError:
        # What IPv4 says is what most people know.
        asked = [*self._lookups()[:1], *reversed(self._parts)]
        errors = [lookup.error for lookup in asked if lookup.is_done and lookup.error]
        if not errors:
            reason = "it has no address of the family asked for"
            return _unresolved(self._host, reason, self._attempt)
        # A gaierror holds (number, text); a UnicodeError says why it is no domain name.
        reason = getattr(errors[0], "strerror", None) or str(errors[0])
        failure = _unresolved(self._host, reason, self._attempt)
        failure.__cause__ = errors[0]
        return failure


def resolve(host: str, port: int, family: int, attempt: Attempt) -> list[AddressInfo]:
    """The addresses that are known first, at least one. Raises ResolveError."""
    with Resolution(host, port, family, attempt) as found:
        return found.first()


@lru_cache(maxsize=64)
def known_address(host: str, port: int, family: int) -> AddressInfo | None:
    """The one of IPv4 that the text itself is; None: ask for `known_addresses`, or look it up."""
    if family in (0, socket.AF_INET):
        try:
            socket.inet_pton(socket.AF_INET, host)  # getaddrinfo takes ten times as long
            return AddressInfo(int(socket.AF_INET), (host, port))
        except (OSError, ValueError):
            pass
    return None


def known_addresses(host: str, port: int, family: int) -> list[AddressInfo]:
    """The addresses that need no look-up, hence no thread; empty for any other name."""
    known = known_address(host, port, family)
    if known is not None:
        return [known]
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        # RFC 6761 section 6.3: it is the loopback address, whatever a resolver would say.
        return [each for each in _loopback(port) if family in (0, each.family)]
    return _numeric(host, port, family)


def _loopback(port: int) -> list[AddressInfo]:
    ipv4 = AddressInfo(int(socket.AF_INET), ("127.0.0.1", port))
    if not socket.has_ipv6:
        return [ipv4]
    return [AddressInfo(int(socket.AF_INET6), ("::1", port, 0, 0)), ipv4]


def _numeric(host: str, port: int, family: int) -> list[AddressInfo]:
    """The address that the text itself is; empty for a name. Asks nobody, so it never waits."""
    try:
        return numbers_and_names(host, port, family, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []


def _at(sockaddr: tuple[Any, ...], port: int) -> tuple[Any, ...]:
    return (sockaddr[0], port, *sockaddr[2:])


def _unresolved(host: str, reason: str, attempt: Attempt) -> ResolveError:
    return ResolveError(
        f"connecting to {attempt.destination} failed (dns): cannot resolve host {host!r}: "
        f"{reason}; check its spelling, the network and the DNS settings"
    )
