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
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any, Protocol

from tieline.errors import ConnectError, ConnectTimeout, OptionError
from tieline.transport.attempt import Attempt
from tieline.transport.lookup import AddressInfo

#: Seconds until the next address gets its chance (RFC 8305 section 5, "Connection Attempt Delay").
STAGGER = 0.25

#: Seconds that the resolver gets for further addresses once all that are known have failed. It asks
#: again after 5 when a packet was lost.
LATE_PATIENCE = 6.0

_IN_PROGRESS = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY, errno.EINTR}

#: Non-blocking from the start, where the system can do that.
_STREAM = int(socket.SOCK_STREAM) | int(getattr(socket, "SOCK_NONBLOCK", 0))

#: (level, option, value) as for `socket.setsockopt`, or (level, option, None, length).
SocketOption = tuple[Any, ...]


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
) -> socket.socket:
    """Connect to the first address that answers; the socket is non-blocking, with TCP_NODELAY.

    Raises ConnectError that lists every address with its reason, ConnectTimeout, ConnectCancelled;
    whatever happens, no other socket stays open.
    """
    options = tuple(socket_options)
    if len(addresses) == 1 and late is None:
        return _connect(addresses[0], attempt, source_address, options)
    waiting = deque(_interleaved(addresses))
    running: dict[int, tuple[socket.socket, AddressInfo, list[SocketOption]]] = {}
    failures: list[str] = []
    next_start = 0.0

    def doing() -> str:
        pending = [address for _, address, _ in running.values()]
        names = ", ".join(map(str, [*pending, *waiting]))
        what = f"{names} to accept the connection" if names else "the resolver's further addresses"
        return f"waiting for {what}" + (f" ({'; '.join(failures)})" if failures else "")

    def failed(address: AddressInfo, error: OSError) -> None:
        failures.append(f"{address}: {_reason(error)}")
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
                        started, refused = _start(address, source_address, options)
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
                        _set_options(connecting, refused)
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


def _connect(
    address: AddressInfo,
    attempt: Attempt,
    source_address: tuple[str, int] | None,
    options: tuple[SocketOption, ...],
) -> socket.socket:
    """Connect to the only address that there is."""

    def doing() -> str:
        return f"waiting for {address} to accept the connection"

    with attempt.in_phase("tcp", doing):
        attempt.check()
        if attempt.is_heard:
            attempt.emit("connecting", address=str(address))
        try:
            connecting, refused = _start(address, source_address, options)
            try:
                if not _is_connected(connecting):
                    attempt.wait(connecting.fileno(), writable=True)
                    code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if code:
                        raise OSError(code, os.strerror(code))
                _set_options(connecting, refused)
            except BaseException:
                connecting.close()
                raise
            return connecting
        except ConnectTimeout:
            raise
        except OSError as error:
            reason = _reason(error)
    raise ConnectError(f"connecting to {attempt.destination} failed (tcp): {address}: {reason}")


def _is_connected(connecting: socket.socket) -> bool:
    """Is it connected at once, as to a server on this machine? One call, where poll takes four."""
    try:
        connecting.getpeername()
    except OSError:
        return False
    return True


def connect_unix(path: str, attempt: Attempt, options: Iterable[SocketOption]) -> socket.socket:
    """Connect to a unix socket; the result is non-blocking. Raises ConnectError naming the path."""
    if not hasattr(socket, "AF_UNIX"):
        raise OptionError("unix_socket: this platform has no unix sockets")
    with attempt.in_phase("tcp", f"connecting to the unix socket {path!r}"):
        attempt.emit("connecting", address=path)
        try:
            connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connecting.setblocking(False)
                late = _refused_options(connecting, options)
                while not _unix_connected(connecting, path):
                    # The server's backlog is full. Unlike TCP, this leaves nothing to poll for.
                    attempt.wait(None, until=attempt.clock() + 0.02)
                _set_options(connecting, late)
            except BaseException:
                connecting.close()
                raise
        except ConnectTimeout:
            raise
        except OSError as error:
            raise ConnectError(
                f"connecting to unix socket {path!r} failed (tcp): {_reason(error)}; "
                "check the path, and that the server is running and lets this user in"
            ) from error
        return connecting


def _unix_connected(connecting: socket.socket, path: str) -> bool:
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


def _start(
    address: AddressInfo, source_address: tuple[str, int] | None, options: Iterable[SocketOption]
) -> tuple[socket.socket, list[SocketOption]]:
    """Begin to connect. Gives the options that the kernel wants only on a connected socket."""
    connecting = socket.socket(address.family, _STREAM)
    try:
        if _STREAM == socket.SOCK_STREAM:
            connecting.setblocking(False)
        # Messages are written whole, so waiting for more to send only costs time.
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        late = _refused_options(connecting, options) if options else []
        if source_address is not None:
            connecting.bind(_source(source_address, address.family))
        code = connecting.connect_ex(address.sockaddr)
        if code and code not in _IN_PROGRESS:
            raise OSError(code, os.strerror(code))
        return connecting, late
    except BaseException:
        connecting.close()
        raise


def _source(source_address: tuple[str, int], family: int) -> tuple[Any, ...]:
    host, port = source_address
    try:
        # Numeric only: bind() would look a name up, and wait for it without bound.
        found = socket.getaddrinfo(
            host or None, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST | socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise OptionError(
            f"source_address: expected (IP address, port), got {source_address!r}"
        ) from error
    for entry in found:
        if entry[0] == family:
            return entry[4]
    raise OSError(errno.EAFNOSUPPORT, f"source_address {host} is of the other address family")


def _refused_options(target: socket.socket, options: Iterable[SocketOption]) -> list[SocketOption]:
    """Set what can be set now; give what the kernel refuses (maybe only for now)."""
    late = []
    for option in options:
        try:
            _set_option(target.setsockopt, option)
        except OSError:
            late.append(option)
    return late


def _set_options(target: socket.socket, options: Iterable[SocketOption]) -> None:
    for option in options:
        try:
            _set_option(target.setsockopt, option)
        except OSError as error:
            raise OptionError(
                f"socket_options: the system refused {option!r}, before and after connecting: "
                f"{_reason(error)}"
            ) from error


def _set_option(setsockopt: Callable[..., None], option: SocketOption) -> None:
    try:
        setsockopt(*option)
    except (TypeError, ValueError, OverflowError) as error:
        raise OptionError(
            "socket_options: expected tuples (level, option, int or bytes value), "
            f"got {option!r}: {error}"
        ) from error


def _reason(error: OSError) -> str:
    # "AF_UNIX path too long" comes without a number.
    return error.strerror or str(error)
