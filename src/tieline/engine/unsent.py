"""A message that was given to `send` → what is kept of it until the kernel has it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from tieline.engine.receipts import Fate
from tieline.errors import OptionError
from tieline.protocol.wire import Opcode

Data = bytes | bytearray | memoryview

Item = TypeVar("Item")

#: A queue, or what it is until its first entry comes, which in most clients none does: an empty
#: deque takes 750 bytes. An empty tuple can be looked at like any queue; whoever adds without
#: having made a deque of it first gets an error, from mypy and when it runs.
Queue: TypeAlias = deque[Item] | tuple[()]
NONE_YET: tuple[()] = ()


@dataclass(slots=True, eq=False, weakref_slot=True)
class Unsent:
    """A message, or the mark of a `flush()`, that is not with the kernel yet.

    Guarded by its holder's lock: the sender of a connection holds it, or the queue for the next
    one, never both.
    """

    #: None: a mark, which is reached when everything before it is with the kernel.
    opcode: Opcode | None
    #: Not copied before `own`: memory that its owner may change is the owner's until then.
    payload: Data
    #: The choice of its sender, see `send`.
    compress: bool | None
    #: When it was given to `send`; seconds, of the line's clock.
    since: float
    #: Who wants to know what becomes of it.
    receipt: Fate | None = None
    #: It waits for the next connection when this one dies too early.
    is_kept: bool = False
    #: The kernel has all of it.
    is_sent: bool = False

    def __post_init__(self) -> None:
        if self.receipt is not None:
            self.receipt.concerns(self)

    @property
    def is_mark(self) -> bool:
        """Does it only wait for what is before it?"""
        return self.opcode is None

    def own(self) -> None:
        """The memory of the payload belongs to its owner alone from now on."""
        if not isinstance(self.payload, bytes):
            self.payload = bytes(self.payload)

    def release(self) -> None:
        """It was taken: what will not be sent again gives memory that may change back."""
        if not self.is_kept and not isinstance(self.payload, bytes):
            self.payload = b""

    @property
    def is_idle(self) -> bool:
        """Is it a mark for which nobody waits any more?"""
        return self.opcode is None and self.receipt is None

    def delivered(self) -> None:
        """The kernel has all of its bytes."""
        self.is_sent = True
        if self.receipt is not None:
            self.receipt.delivered()

    def failed(self, error: Exception) -> None:
        """It will not be sent, or nobody knows whether it was."""
        if self.receipt is not None:
            self.receipt.failed(error)


class Deferred(deque[Unsent]):
    """Whole messages that have to wait for the end of another one, and how many bytes they are."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        super().__init__()
        self.size = 0


def check_when_offline(value: object, default: str) -> str:
    """What becomes of a message without a connection: its sender's wish. Raises OptionError."""
    if value is None:
        return default
    if not isinstance(value, str) or value not in ("raise", "queue", "drop"):
        shown = repr(value) if isinstance(value, str) else type(value).__name__
        raise OptionError(f"when_offline: expected 'raise', 'queue' or 'drop', got {shown}")
    return value
