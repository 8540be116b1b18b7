"""Host name → addresses, bounded by the attempt's deadline and cancellation."""

from __future__ import annotations

import socket
import threading
from typing import Any, NamedTuple

from tieline.errors import ResolveError
from tieline.transport.attempt import Attempt


class AddressInfo(NamedTuple):
    """One address to connect to."""

    family: int
    sockaddr: tuple[Any, ...]

    def __str__(self) -> str:
        host, port = self.sockaddr[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def resolve(host: str, port: int, family: int, attempt: Attempt) -> list[AddressInfo]:
    """The addresses of a host, at least one, in the resolver's order (RFC 6724).

    `family` is `socket.AF_INET`, `AF_INET6`, or 0 for both. Raises ResolveError.
    """
    with attempt.in_phase("dns", f"resolving {host!r}"):
        attempt.check()
        found = _known(host, port, family) or _Lookup(host, port, family, attempt).result()
        # Some resolvers repeat an address, for each line of the hosts file.
        addresses = list(dict.fromkeys(found))
        if not addresses:
            raise _unresolved(host, "it has no address of the family asked for", attempt)
        if attempt.is_heard:
            attempt.emit("resolve", host=host, addresses=[str(address) for address in addresses])
        return addresses


def _known(host: str, port: int, family: int) -> list[AddressInfo]:
    """The addresses that need no look-up, hence no thread; empty for any other name."""
    if family in (0, socket.AF_INET):
        try:
            socket.inet_pton(socket.AF_INET, host)  # getaddrinfo takes ten times as long
            return [AddressInfo(int(socket.AF_INET), (host, port))]
        except (OSError, ValueError):
            pass
    if host == "localhost":
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
        return _getaddrinfo(host, port, family, socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        return []


class _Lookup:
    """getaddrinfo() in a thread of its own, because nothing can interrupt it.

    A lookup that is given up runs on until the resolver's own timeouts end it, some seconds later.
    """

    def __init__(self, host: str, port: int, family: int, attempt: Attempt) -> None:
        self._arguments = (host, port, family)
        self._attempt = attempt
        self._answer: list[AddressInfo] | None = None
        self._error: Exception | None = None
        self._done = False  # written last by the thread
        # A daemon, so that the interpreter's exit does not wait for it.
        threading.Thread(target=self._run, name=f"tieline-resolve-{host}", daemon=True).start()

    def result(self) -> list[AddressInfo]:
        while not self._done:
            self._attempt.wait(None)
        if self._error is not None:
            # A gaierror holds (number, text); a UnicodeError says why it is no domain name.
            reason = getattr(self._error, "strerror", None) or str(self._error)
            raise _unresolved(self._arguments[0], reason, self._attempt) from self._error
        return self._answer or []

    def _run(self) -> None:
        try:
            self._answer = _getaddrinfo(*self._arguments, 0)
        except Exception as error:
            self._error = error
        self._done = True
        self._attempt.wake()


def _getaddrinfo(host: str, port: int, family: int, flags: int) -> list[AddressInfo]:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)
    return [AddressInfo(int(entry[0]), entry[4]) for entry in found]


def _unresolved(host: str, reason: str, attempt: Attempt) -> ResolveError:
    return ResolveError(
        f"connecting to {attempt.destination} failed (dns): cannot resolve host {host!r}: "
        f"{reason}; check its spelling, the network and the DNS settings"
    )
