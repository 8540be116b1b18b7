"""Messages on the background thread → printed lines, and a main thread that can wait for them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from tieline.cli.shown import Message, Printer
from tieline.protocol.events import CloseInfo

#: Seconds of one wait of the main thread. A signal that comes just before the system call does not
#: end it, and Python learns of the Ctrl-C only after it; on Windows nothing ends it.
LONGEST_WAIT = 0.5


class Arrivals:
    """The handlers of a command's client. The waits are for the main thread; Ctrl-C ends them.

    `limit`: print so many messages and drop what comes after. `on_over` is called on the
    background thread when nothing more will be printed.
    """

    def __init__(
        self,
        printer: Printer,
        *,
        limit: int | None = None,
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        self._printer = printer
        self._limit = limit
        self._on_over = on_over
        self._changed = threading.Condition()
        # When the last message was printed; infinity while one waits for the output's reader.
        self._last = time.monotonic()
        #: Messages that were printed.
        self.count = 0
        #: The connection has ended.
        self.closed = False
        #: Why the output takes no more lines: a BrokenPipeError when its reader has gone.
        self.output_error: OSError | None = None
        #: A fault of this program, which came up while it printed.
        self.fault: Exception | None = None

    @property
    def over(self) -> bool:
        """True when nothing more will be printed."""
        return (
            self.closed
            or self.output_error is not None
            or self.fault is not None
            or self.count == self._limit
        )

    # --- handlers -------------------------------------------------------------------------------

    def on_message(self, message: Message) -> None:
        """Print it."""
        if self.over:
            return
        self._last = math.inf
        try:
            self._printer(message)
        except OSError as error:
            self._note(output_error=error)
        except Exception as error:
            self._note(fault=error)
        else:
            self._note(count=self.count + 1)

    def on_close(self, info: CloseInfo) -> None:
        """The last handler to be called."""
        self._note(closed=True)

    def _note(self, **changes: object) -> None:
        with self._changed:
            for name, value in changes.items():
                setattr(self, name, value)
            self._last = time.monotonic()
            self._changed.notify_all()
        if self.over:
            self._on_over()

    # --- waits ----------------------------------------------------------------------------------

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is over. False: not within so many seconds."""
        end = math.inf if seconds is None else time.monotonic() + seconds
        with self._changed:
            while not self.over and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, LONGEST_WAIT))
            return self.over

    def wait_for_quiet(self, seconds: float) -> None:
        """Wait until no message has come for so many seconds, beginning now, or it is over."""
        with self._changed:
            begun = time.monotonic()
            while not self.over:
                left = max(begun, self._last) + seconds - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(min(left, LONGEST_WAIT))
