# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""One address → a socket that connects to it, with the options that were asked for; its stream."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable
from typing import Any

from tieline.errors import ConnectError, ConnectTimeout, OptionError
from tieline.transport.attempt import Attempt
from tieline.transport.lookup import AddressInfo
from tieline.transport.stream import SocketStream, shared_address

_IN_PROGRESS = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY, errno.EINTR}

#: Non-blocking from the start, where the system can do that.
_STREAM = int(socket.SOCK_STREAM) | int(getattr(socket, "SOCK_NONBLOCK", 0))

_TCP = int(socket.IPPROTO_TCP)
_NODELAY = int(socket.TCP_NODELAY)

#: (level, option, value) as for `socket.setsockopt`, or (level, option, None, length).
SocketOption = tuple[Any, ...]


def connect_alone(
    address: AddressInfo,
    attempt: Attempt,
    source_address: tuple[str, int] | None,
    options: tuple[SocketOption, ...],
) -> socket.SocketType:
    """Connect to the only address that there is, without a race. See `race`."""
    outer = attempt.begin_phase("tcp", ("waiting for ", address, " to accept the connection"))
    try:
        attempt.check()
        if attempt.is_heard:
            attempt.emit("connecting", address=str(address))
        try:
            connecting, refused = begin(address, source_address, options)
            try:
                # To a server on this machine it is connected at once: one call tells, poll is four.
                if not note_peer(attempt, connecting, address.sockaddr):
                    attempt.wait(connecting.fileno(), False, True)
                    code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if code:
                        raise OSError(code, os.strerror(code))
                    note_peer(attempt, connecting, address.sockaddr)
                if refused:
                    set_options(connecting, refused)
            except BaseException:
                connecting.close()
                raise
            return connecting
        except ConnectTimeout:
            raise
        except OSError as error:
            why = reason(error)
    finally:
        attempt.end_phase(outer)
    raise ConnectError(f"connecting to {attempt.destination} failed (tcp): {address}: {why}")


def note_peer(attempt: Attempt, connecting: socket.SocketType, expected: object = None) -> bool:
    """Have the attempt know where it is connected to. False: nowhere, or not any more."""
    try:
        peer = connecting.getpeername()
    except OSError:
        return False
    # All connections to one address share it.
    attempt.peer = expected if peer == expected else shared_address(peer)
    return True


def as_stream(attempt: Attempt, connected: socket.SocketType) -> SocketStream:
    """The stream of a socket, which it owns. The attempt knows its peer already."""
    try:
        stream = SocketStream(connected)
        attempt.local = stream.local
        if attempt.is_heard:
            attempt.emit("connected", peer=attempt.peer, local=attempt.local)
    except BaseException:
        connected.close()
        raise
    return stream


def begin(
    address: AddressInfo, source_address: tuple[str, int] | None, options: Iterable[SocketOption]
) -> tuple[socket.SocketType, list[SocketOption]]:
    """Begin to connect. Gives the options that the kernel wants only on a connected socket."""
    # All that `socket.socket` adds to this is for `makefile`, and its names for the numbers.
    connecting = socket.SocketType(address.family, _STREAM)
    try:
        if _STREAM == socket.SOCK_STREAM:
            connecting.setblocking(False)
        # Messages are written whole, so waiting for more to send only costs time.
        connecting.setsockopt(_TCP, _NODELAY, 1)
        late = refused_options(connecting, options) if options else []
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


def refused_options(
    target: socket.SocketType, options: Iterable[SocketOption]
) -> list[SocketOption]:
    """Set what can be set now; give what the kernel refuses (maybe only for now)."""
    late = []
    for option in options:
        try:
            _set_option(target.setsockopt, option)
        except OSError:
            late.append(option)
    return late


def set_options(target: socket.SocketType, options: Iterable[SocketOption]) -> None:
    """Set what was refused before the socket was connected. Raises OptionError."""
    for option in options:
        try:
            _set_option(target.setsockopt, option)
        except OSError as error:
            raise OptionError(
                f"socket_options: the system refused {option!r}, before and after connecting: "
                f"{reason(error)}"
            ) from error


def _set_option(setsockopt: Callable[..., None], option: SocketOption) -> None:
    try:
        setsockopt(*option)
    except (TypeError, ValueError, OverflowError) as error:
        raise OptionError(
            "socket_options: expected tuples (level, option, int or bytes value), "
            f"got {option!r}: {error}"
        ) from error


def reason(error: OSError) -> str:
    """What the system says of it, in words."""
    # "AF_UNIX path too long" comes without a number.
    return error.strerror or str(error)
