"""What goes wrong on the way, and behind which bytes → one value of a `FaultProxy`'s script.

Where a fault strikes is counted in one direction: ``at`` bytes after the connection's beginning, or
after the first bytes that equal ``past``. ``past=HEAD_END`` is the end of the opening handshake,
so ``reset(3, past=HEAD_END)`` breaks the line in the middle of the first frame. Over TLS the bytes
are the encrypted ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

#: "to_client": what the server sends; "to_server": what the client sends.
Direction = Literal["to_client", "to_server"]

#: Ends the head of the request, and of the answer: what follows are frames.
HEAD_END = b"\r\n\r\n"

_HANDSHAKE_FAILURE = 40


class Kind(Enum):
    """What a fault does once it strikes."""

    PASS = "pass"
    REFUSE = "refuse"
    RESET = "reset"
    CUT = "cut"
    HALF_CLOSE = "half_close"
    STALL = "stall"
    BLACK_HOLE = "black_hole"
    GARBAGE = "garbage"
    DRIP = "drip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong with one connection. The functions of this module make them."""

    kind: Kind
    #: Bytes that pass unharmed: from the beginning, or behind `past`.
    at: int = 0
    past: bytes = b""
    #: Whose bytes are counted, and harmed where the fault harms only one direction.
    directions: tuple[Direction, ...] = ("to_client",)
    #: GARBAGE: what comes instead.
    data: bytes = b""
    #: DRIP: bytes at a time, and the seconds between; None: when the test says so.
    size: int = 1
    interval: float | None = None

    def __post_init__(self) -> None:
        if self.at < 0:
            raise ValueError(f"expected at=0 bytes or more, got {self.at!r}")
        if self.size < 1:
            raise ValueError(f"expected size=1 byte or more, got {self.size!r}")
        if self.interval is not None and not self.interval >= 0:
            raise ValueError(f"expected interval=0 seconds or more, got {self.interval!r}")
        if unknown := set(self.directions) - {"to_client", "to_server"}:
            raise ValueError(
                f"unknown direction {unknown.pop()!r}: expected 'to_client' or 'to_server'"
            )
        if not self.directions:
            raise ValueError("expected at least one direction")

    def __str__(self) -> str:
        name: str = self.kind.value
        if self.kind in (Kind.PASS, Kind.REFUSE):
            return name
        behind = f" behind {self.past!r}" if self.past else ""
        return f"{name} after {self.at} bytes{behind} {' and '.join(self.directions)}"

    @property
    def strikes_at_once(self) -> bool:
        """Before any byte has passed."""
        return not self.at and not self.past


#: Nothing goes wrong.
PASS = Fault(kind=Kind.PASS)

#: The port is closed, so that dials are refused, until `FaultProxy.listen` or `heal` is called.
REFUSE = Fault(kind=Kind.REFUSE)

#: The connection is accepted, and that is all: it is not read, and the server is not dialled.
HANG = Fault(kind=Kind.STALL, directions=("to_client", "to_server"))


def reset(at: int = 0, *, past: bytes = b"", direction: Direction = "to_client") -> Fault:
    """Break the connection with a TCP reset, on both sides.

    `at` 0: as soon as it is accepted, which may be before the client's dial has returned, and
    without dialling the server. `at` 1 with ``direction="to_server"``: the client's next byte is
    answered with the reset, as by a host that was restarted.
    """
    return Fault(kind=Kind.RESET, at=at, past=past, directions=(direction,))


def cut(at: int = 0, *, past: bytes = b"", direction: Direction = "to_client") -> Fault:
    """End the stream on both sides with FIN, in order but too early. `at` 0 as for `reset`."""
    return Fault(kind=Kind.CUT, at=at, past=past, directions=(direction,))


def half_close(at: int = 0, *, past: bytes = b"", direction: Direction = "to_client") -> Fault:
    """End the stream in one direction with FIN. The other direction goes on."""
    return Fault(kind=Kind.HALF_CLOSE, at=at, past=past, directions=(direction,))


def stall(at: int = 0, *, past: bytes = b"", direction: Direction | None = None) -> Fault:
    """Read no more, in one direction or (None) in both, so that buffers fill up; all stays open.

    Nothing is lost: what waits goes on its way when `PASS` strikes.
    """
    return Fault(kind=Kind.STALL, at=at, past=past, directions=_one_or_both(direction))


def black_hole(at: int = 0, *, past: bytes = b"", direction: Direction | None = None) -> Fault:
    """Let all that comes vanish, FIN and RST too, in one direction or (None) in both.

    The sockets stay open and are read, so whoever sends notices nothing: a cable that was pulled.
    """
    return Fault(kind=Kind.BLACK_HOLE, at=at, past=past, directions=_one_or_both(direction))


def garbage(
    data: bytes = b"\xff" * 64,
    at: int = 0,
    *,
    past: bytes = b"",
    direction: Direction = "to_client",
) -> Fault:
    """Put `data` in the place of the next bytes; all that follows them vanishes."""
    return Fault(kind=Kind.GARBAGE, at=at, past=past, directions=(direction,), data=data)


def tls_alert(description: int = _HANDSHAKE_FAILURE) -> Fault:
    """Answer the client's TLS handshake with a fatal alert (RFC 8446 section 6.2)."""
    return garbage(bytes([21, 3, 3, 0, 2, 2, description]))


def drip(
    size: int = 1,
    interval: float | None = None,
    at: int = 0,
    *,
    past: bytes = b"",
    direction: Direction | None = None,
) -> Fault:
    """Let `size` bytes pass every `interval` seconds, in one direction or (None) in both.

    With ``interval=None`` they pass when the test calls `ProxiedConnection.let_through`.
    """
    return Fault(
        kind=Kind.DRIP,
        at=at,
        past=past,
        directions=_one_or_both(direction),
        size=size,
        interval=interval,
    )


def _one_or_both(direction: Direction | None) -> tuple[Direction, ...]:
    return ("to_client", "to_server") if direction is None else (direction,)
