"""SIGINT, SIGTERM and SIGHUP → `Signalled` on the main thread, now or where it does no harm."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: Seconds that a hold may go on after its first signal: someone who sends another one after them
#: may not be kept waiting by, say, a terminal that takes no more output.
_PATIENCE = 2.0


class Signalled(KeyboardInterrupt):
    """A signal that asks the process to end: dealt with as Ctrl-C is, but for the status."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class _Hold:
    """The first signal that came while none may raise."""

    def __init__(self, on_signal: Callable[[], object]) -> None:
        self._on_signal = on_signal
        self._number: int | None = None
        self._end = math.inf  # of the patience

    def note(self, number: int) -> None:
        """In place of raising. The handler of the signal calls it, anywhere in the block."""
        now = time.monotonic()
        if now > self._end:
            raise Signalled(number)
        if self._number is None:
            self._number, self._end = number, now + _PATIENCE
        self._on_signal()

    def raise_noted(self) -> None:
        if self._number is not None:
            raise Signalled(self._number)


# Signals are the process's, and so is this; only the main thread touches it. One assignment opens
# or ends a hold, so no signal can come in between.
_hold: _Hold | None = None


def _handle(number: int, frame: FrameType | None) -> None:
    if _hold is None:
        raise Signalled(number)
    _hold.note(number)


@contextmanager
def signals_taken() -> Iterator[None]:
    """In the block SIGINT, SIGTERM and SIGHUP raise `Signalled`. For the main thread."""
    # Windows has no SIGHUP. What is ignored from the start stays so: nohup wants that.
    numbers = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {number: signal.getsignal(number) for number in numbers if number is not None}
    usual = (signal.SIG_DFL, signal.default_int_handler)
    taken = {number: handler for number, handler in before.items() if handler in usual}
    try:
        for number in taken:
            signal.signal(number, _handle)
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)


@contextmanager
def signals_held(on_signal: Callable[[], object]) -> Iterator[None]:
    """In the block they call `on_signal`, which has to bring it to its end; there the first raises.

    For code of others that an exception at any moment would leave in disorder. One that comes
    seconds after another raises all the same. Holds cannot be nested.
    """
    global _hold
    hold = _hold = _Hold(on_signal)
    try:
        yield
    finally:
        _hold = None
        hold.raise_noted()


@contextmanager
def signals_let_through() -> Iterator[None]:
    """In the block, which is within that of `signals_held`, they raise; a noted one at once."""
    global _hold
    hold = _hold
    assert hold is not None
    try:
        _hold = None
        hold.raise_noted()
        yield
    finally:
        _hold = hold
