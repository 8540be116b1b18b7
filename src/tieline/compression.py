"""What a user says about compression → checked parameters of permessage-deflate (RFC 7692)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from tieline.option_checks import Check, Refused, boolean, whole

#: Windows are 2**8 to 2**15 bytes (RFC 7692 section 7.1.2).
MIN_WINDOW_BITS = 8
MAX_WINDOW_BITS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Deflate:
    """Parameters for the option ``compression``. Immutable; any thread may use it.

    "client" and "server" name the direction: what the client sends, what the server sends. A
    parameter about the other side's direction is asked of the peer in the opening handshake. A
    value that cannot be used raises `OptionError`.
    """

    #: Effort, 0 (none) to 9 (most). Above 1, messages take far longer than they get smaller.
    level: int = 1
    #: Bytes. A smaller message goes out as it is, unless ``send(..., compress=True)`` asks.
    threshold: int = 128
    #: False: each message is compressed by itself, and nothing is kept between messages.
    client_context_takeover: bool = True
    #: The same for what the server sends. False is demanded: a server that insists is refused.
    server_context_takeover: bool = True
    #: 8 to 15: a message may refer to the last 2**bits bytes. The sender's memory grows with it.
    client_max_window_bits: int = 12
    #: The same for what the server sends. Below 15 it is demanded of the server.
    server_max_window_bits: int = MAX_WINDOW_BITS
    #: 1 to 9: memory of the compressor's tables, 2**(level + 9) bytes.
    mem_level: int = 5

    def __post_init__(self) -> None:
        for entry in fields(self):
            check = _CHECKS[entry.name]
            value = check.apply(f"Deflate.{entry.name}", getattr(self, entry.name))
            object.__setattr__(self, entry.name, value)


#: The stored form of the option.
Compression: TypeAlias = Literal["deflate"] | Deflate | None

_WINDOW = whole(MIN_WINDOW_BITS, most=MAX_WINDOW_BITS)
_CHECKS: dict[str, Check] = {
    "level": whole(0, most=9),
    "threshold": whole(0),
    "client_context_takeover": boolean(),
    "server_context_takeover": boolean(),
    "client_max_window_bits": _WINDOW,
    "server_max_window_bits": _WINDOW,
    "mem_level": whole(1, most=9),
}

_DEFAULT = Deflate()


def parameters_of(compression: Compression) -> Deflate | None:
    """What the option's stored form stands for; None: no compression."""
    return compression if isinstance(compression, Deflate | None) else _DEFAULT


def compression() -> Check:
    """``compression``: stored as it is given."""

    def convert(value: Any) -> Compression:
        if value is None or isinstance(value, Deflate):
            return value
        if isinstance(value, str) and value == "deflate":
            return "deflate"
        raise Refused(_advice(value))

    return Check("'deflate', a Deflate(...) with its parameters, or None for none", convert)


def _advice(value: object) -> str:
    """What was probably meant: other libraries turn the same thing on in other ways."""
    if isinstance(value, int) and value == 0:
        return "Use None to turn it off."
    if value is True:
        return "Use 'deflate' to turn it on."
    if isinstance(value, int):
        return "For the size of a window use Deflate(client_max_window_bits=...)."
    if value is Deflate:
        return "This is the class; give an instance of it: Deflate()."
    if isinstance(value, str) and "deflate" in value.lower():
        return "Its name here is 'deflate'."
    return ""
