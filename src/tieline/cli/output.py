"""Messages → whole lines on standard output, where no slow reader can hold the process.

Standard output's own buffer is not used: a thread that waits inside it for a reader keeps its
lock, and the interpreter could not end.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from tieline.transport.wakeup import Wakeup

#: Bytes that a descriptor takes without blocking once select calls it writable.
_AT_ONCE = getattr(select, "PIPE_BUF", 512)

#: Windows' select knows sockets only; there a write waits as long as it has to.
_CAN_SELECT = os.name == "posix"


class Output:
    """Writes to the descriptor of a stream, normally `sys.stdout`. One thread writes at a time.

    Call `close` at the end.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._owned: int | None = None
        if stream is None:
            # Started with standard output closed (">&-"): the descriptor's number may be a
            # socket's by now.
            self._owned = self._descriptor = os.open(os.devnull, os.O_WRONLY)
        else:
            self._descriptor = stream.fileno()
        self.is_terminal = os.isatty(self._descriptor)
        encoding = getattr(stream, "encoding", None) or "utf-8"
        # A pipe or file gets text as it came over the wire, and that is UTF-8.
        self._encoding = encoding if self.is_terminal else "utf-8"
        self._released = False
        self._wakeup = Wakeup()

    def line(self, text: str) -> None:
        """Write the text and a line end; what a terminal cannot show is spelt in ASCII."""
        self.write(text.encode(self._encoding, "backslashreplace") + b"\n")

    def write(self, data: bytes) -> None:
        """Write all of it; wait for the reader until `release`. Raises OSError."""
        rest = memoryview(data)
        while len(rest):
            if not _CAN_SELECT:
                rest = rest[os.write(self._descriptor, rest) :]
                continue
            waiting = () if self._released else (self._wakeup,)
            limit = 0 if self._released else None
            _, writable, _ = select.select(waiting, (self._descriptor,), (), limit)
            if writable:
                try:
                    rest = rest[os.write(self._descriptor, rest[:_AT_ONCE]) :]
                except BlockingIOError:
                    continue  # a descriptor that another program has made non-blocking
            elif self._released:
                return

    def release(self) -> None:
        """The process ends: from now on drop what the reader does not take at once. Any thread."""
        self._released = True
        self._wakeup.set()

    def close(self) -> None:
        """Give back what was opened; the stream itself stays open."""
        self._wakeup.close()
        if self._owned is not None:
            os.close(self._owned)


class PromptOutput(Output):
    """Writes through `sys.stdout`, which is replaced by what prints above the prompt."""

    def write(self, data: bytes) -> None:
        if sys.stdout is not None:
            sys.stdout.write(data.decode(self._encoding))
            sys.stdout.flush()


@contextmanager
def standard_output(kind: type[Output] = Output) -> Iterator[Output]:
    """`sys.stdout` for messages, until the end of the block."""
    output = kind(sys.stdout)
    try:
        yield output
    finally:
        output.close()
