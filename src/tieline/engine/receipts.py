"""A message that was handed over → the wait until the kernel has it, or never will."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from weakref import ref

from tieline.engine.waiting import SLICE
from tieline.errors import ConnectionClosed
from tieline.option_checks import check_seconds


class Fate(ABC):
    """What becomes of one message: all of its bytes are with the kernel, or why not.

    The first word counts. It may be said on any thread, also by a signal handler's send.
    """

    def __init__(self) -> None:
        # None: nobody knows yet. True: with the kernel.
        self._outcome: Exception | bool | None = None
        # The message, for as long as somebody holds it.
        self._message: ref[object] | None = None

    def __repr__(self) -> str:
        if not self.done:
            return "<Receipt, waiting>"
        return f"<Receipt, {'sent' if self._outcome is True else self._outcome}>"

    @property
    def done(self) -> bool:
        """True once `wait` would not wait."""
        return self._outcome is not None

    def result(self) -> None:
        """Return when the bytes are with the kernel; raise what kept them from it."""
        if isinstance(self._outcome, Exception):
            raise self._outcome

    def delivered(self) -> None:
        """All bytes are with the kernel."""
        if self._outcome is None:
            self._outcome = True
        self.settled()

    def failed(self, error: Exception) -> None:
        """They never will be, or nobody knows whether they are."""
        if self._outcome is None:
            self._outcome = error
        self.settled()  # again, if Ctrl-C kept it from being heard

    def concerns(self, message: object) -> None:
        """This is the message."""
        self._message = ref(message)

    def check_held(self) -> None:
        """Ctrl-C may have come where nobody held the message: then nobody will tell either."""
        if self._message is not None and self._message() is None and not self.done:
            self.failed(ConnectionClosed("not sent: the call that had the message was interrupted"))

    @abstractmethod
    def settled(self) -> None:
        """It is done: wake those who wait. May be called again."""


class Receipt(Fate):
    """What ``send(..., receipt=True)`` returns. Usable from any thread.

    It tells that the message left this program, not that the peer has it: only the peer can.
    """

    def __init__(self, cannot_wait: Callable[[], bool]) -> None:
        super().__init__()
        # True where waiting might keep the bytes from being written.
        self._cannot_wait = cannot_wait
        # Closed until it is settled; each who comes through leaves it open. Not an Event, whose own
        # lock a signal handler that writes could find taken, by the very thread it interrupts.
        self._gate = threading.Lock()
        self._gate.acquire()
        self._is_open = False

    def wait(self, timeout: float | None = None) -> None:
        """Return when all bytes of the message are with the kernel.

        Raises `TimeoutError` when they are not within `timeout` seconds (None: wait as long as it
        can come about), `ConnectionClosed` when the connection ended first and the message was not
        queued for the next one (the text tells if it may have arrived), and for a queued message
        that was dropped an error that says why (`SendBufferFull`, `ConnectionClosed`). May be
        called again, and by several threads. `RuntimeError` in a handler, which may hold up the
        thread that writes.
        """
        limit = None if timeout is None else check_seconds("timeout", timeout)
        if not self.done and self._cannot_wait():
            raise RuntimeError(
                "Receipt.wait() (or flush()) in a handler would hold up the thread that writes: "
                "look at .done, or wait in another thread"
            )
        deadline = None if limit is None else time.monotonic() + limit
        while not self.done:
            left = SLICE if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not with the kernel after {limit:g} s; it still may be sent")
            # In slices: for signals, and for what one of them kept from being heard.
            if self._gate.acquire(timeout=min(SLICE, left)):
                self._gate.release()
            self.check_held()
        self.result()

    def settled(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._gate.release()
