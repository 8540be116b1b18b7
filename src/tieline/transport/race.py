"""Addresses → one connected socket: Happy Eyeballs (RFC 8305).

A host often has several addresses, some of which lead nowhere: IPv6 that is configured but not
routed, a dead machine behind a DNS name. Trying them one after the other makes the user wait for
a full TCP timeout; trying all at once wastes connections. So the attempts overlap: the next one
starts when the present one has failed, or has not succeeded within 250 ms, and the first socket
that connects wins. IPv6 and IPv4 take turns. Addresses that the resolver gives late join in. Not
done from the RFC: remembering which family won.

All of it happens on the calling thread, with non-blocking sockets.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Protocol

from tieline.errors import ConnectError, ConnectTimeout, OptionError
from tieline.transport.attempt import Attempt
from tieline.transport.connecting_socket import (
    SocketOption,
    begin,
    connect_alone,
    note_peer,
    reason,
    refused_options,
    set_options,
)
from tieline.transport.lookup import AddressInfo

#: Seconds until the next address gets its chance (RFC 8305 section 5, "Connection Attempt Delay").
STAGGER = 0.25

#: Seconds that the resolver gets for further addresses once all that are known have failed. It asks
#: again after 5 when a packet was lost.
LATE_PATIENCE = 6.0


class LateAddresses(Protocol):
    """Addresses that are still being looked up. The attempt is woken when some have come."""

    @property
    def is_pending(self) -> bool:
        """May there be more?"""

    def late(self) -> list[AddressInfo]:
        """Those that have come since the last call."""


def race(
    addresses: Sequence[AddressInfo],
    attempt: Attempt,
    *,
    late: LateAddresses | None = None,
    source_address: tuple[str, int] | None = None,
    socket_options: Iterable[SocketOption] = (),
) -> socket.SocketType:
    """Connect to the first address that answers; the socket is non-blocking, with TCP_NODELAY.

    Raises ConnectError that lists every address with its reason, ConnectTimeout, ConnectCancelled;
    whatever happens, no other socket stays open.
    """
    options = tuple(socket_options)
    if len(addresses) == 1 and late is None:
        return connect_alone(addresses[0], attempt, source_address, options)
    waiting = deque(_interleaved(addresses))
    running: dict[int, tuple[socket.SocketType, AddressInfo, list[SocketOption]]] = {}
    failures: list[str] = []
    next_start = 0.0

    def doing() -> str:
        pending = [address for _, address, _ in running.values()]
        names = ", ".join(map(str, [*pending, *waiting]))
        what = f"{names} to accept the connection" if names else "the resolver's further addresses"
        return f"waiting for {what}" + (f" ({'; '.join(failures)})" if failures else "")

    def failed(address: AddressInfo, error: OSError) -> None:
        failures.append(f"{address}: {reason(error)}")
        attempt.now_doing(doing())

    with attempt.in_phase("tcp", doing()):
        try:
            while True:
                is_pending = False
                if late is not None:
                    # Asked first: what comes in between is not missed then.
                    is_pending = late.is_pending
                    if new := late.late():
                        # Its family has waited longest.
                        waiting = deque(_interleaved([*new, *waiting]))
                        attempt.now_doing(doing())
                if not waiting and not running:
                    if is_pending and attempt.wait(None, until=attempt.clock() + LATE_PATIENCE):
                        continue
                    break
                if waiting and (not running or attempt.clock() >= next_start):
                    attempt.check()
                    address = waiting.popleft()
                    if attempt.is_heard:
                        attempt.emit("connecting", address=str(address))
                    try:
                        started, refused = begin(address, source_address, options)
                    except OSError as error:
                        failed(address, error)
                        continue
                    running[started.fileno()] = started, address, refused
                    next_start = attempt.clock() + STAGGER
                until = next_start if waiting else None
                for descriptor in attempt.wait_any_writable(running, until):
                    connecting, address, refused = running[descriptor]
                    code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not code:
                        set_options(connecting, refused)
                        note_peer(attempt, connecting, address.sockaddr)
                        del running[descriptor]
                        return connecting
                    connecting.close()
                    del running[descriptor]
                    failed(address, OSError(code, os.strerror(code)))
                    # RFC 8305 section 5: a failure starts the next attempt at once.
                    next_start = attempt.clock()
        finally:
            for loser, _, _ in running.values():
                loser.close()
    raise ConnectError(f"connecting to {attempt.destination} failed (tcp): {'; '.join(failures)}")


def connect_unix(path: str, attempt: Attempt, options: Iterable[SocketOption]) -> socket.SocketType:
    """Connect to a unix socket; the result is non-blocking. Raises ConnectError naming the path."""
    if not hasattr(socket, "AF_UNIX"):
        raise OptionError("unix_socket: this platform has no unix sockets")
    with attempt.in_phase("tcp", f"connecting to the unix socket {path!r}"):
        attempt.emit("connecting", address=path)
        try:
            connecting = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connecting.setblocking(False)
                late = refused_options(connecting, options)
                while not _unix_connected(connecting, path):
                    # The server's backlog is full. Unlike TCP, this leaves nothing to poll for.
                    attempt.wait(None, until=attempt.clock() + 0.02)
                set_options(connecting, late)
                note_peer(attempt, connecting)
            except BaseException:
                connecting.close()
                raise
        except ConnectTimeout:
            raise
        except OSError as error:
            raise ConnectError(
                f"connecting to unix socket {path!r} failed (tcp): {reason(error)}; "
                "check the path, and that the server is running and lets this user in"
            ) from error
        return connecting


def _unix_connected(connecting: socket.SocketType, path: str) -> bool:
    code = connecting.connect_ex(path)
    if code not in (0, errno.EISCONN, errno.EAGAIN):
        raise OSError(code, os.strerror(code))
    return code != errno.EAGAIN


def _interleaved(addresses: Sequence[AddressInfo]) -> list[AddressInfo]:
    """RFC 8305 section 4: families alternate, starting with the one that was preferred."""
    if len(addresses) == 1:
        return list(addresses)
    families: dict[int, list[AddressInfo]] = {}
    for address in addresses:
        families.setdefault(address.family, []).append(address)
    rounds = zip_longest(*families.values())
    return [address for address in chain.from_iterable(rounds) if address is not None]
