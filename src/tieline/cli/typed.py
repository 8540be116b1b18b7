"""Standard input → lines, for a main thread that must also notice the end of the connection."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout, suppress
from queue import Empty, SimpleQueue
from typing import Any

from tieline.cli.above import Above
from tieline.cli.arrivals import LONGEST_WAIT
from tieline.cli.signals import signals_held, signals_let_through
from tieline.cli.status import CommandError

#: Bytes of one read.
_CHUNK = 64 * 1024

#: What is sent as one message has to be in memory; this is the largest that a default client
#: would receive.
_LONGEST_LINE = 64 * 1024 * 1024


class PipedLines:
    """Lines of a descriptor as bytes, line ends removed; made for one thread to iterate over.

    A thread of its own reads, one chunk ahead at most, because only a thread can be left behind in
    a read when the connection ends: it is a daemon, and holds no lock.
    """

    def __init__(self, descriptor: int | None, encoding: str) -> None:
        #: What the bytes are in.
        self.encoding = encoding
        self._descriptor = descriptor
        # Chunks; b"" at the end of the input, None when `stop` was called.
        self._chunks: SimpleQueue[bytes | None] = SimpleQueue()
        self._wanted = threading.Semaphore(0)
        self._stopped = False

    def stop(self) -> None:
        """End the iteration, now and from now on. Any thread."""
        self._stopped = True
        self._chunks.put(None)
        self._wanted.release()

    def __iter__(self) -> Generator[bytes]:
        if self._descriptor is None:
            return  # standard input is closed
        threading.Thread(
            target=self._read, args=(self._descriptor,), name="tieline-input", daemon=True
        ).start()
        rest, number = b"", 0
        while chunk := self._next_chunk():
            *lines, last = chunk.split(b"\n")
            for line in lines:
                number += 1
                if self._stopped:
                    return
                yield (rest + line).removesuffix(b"\r")
                rest = b""
            rest += last
            if len(rest) > _LONGEST_LINE:
                raise CommandError(
                    f"line {number + 1} of the input is longer than {_LONGEST_LINE} bytes"
                )
        if rest and not self._stopped:
            yield rest

    def _next_chunk(self) -> bytes | None:
        self._wanted.release()
        while True:
            try:
                return self._chunks.get(timeout=LONGEST_WAIT)
            except Empty:
                continue

    def _read(self, descriptor: int) -> None:
        while self._wanted.acquire() and not self._stopped:
            try:
                chunk = os.read(descriptor, _CHUNK)
            except OSError:
                chunk = b""  # the terminal has gone
            self._chunks.put(chunk)
            if not chunk:
                return


class PromptedLines:
    """Lines typed at a prompt with editing and history; messages are printed above it."""

    encoding = "utf-8"

    def __init__(self) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.input import create_input

        keys = create_input()
        # While it prints above the prompt, prompt_toolkit would leave editing to the terminal, and
        # a Ctrl-D pressed in that moment would be lost.
        keys.cooked_mode = nullcontext  # type: ignore[method-assign]
        self._session: PromptSession[str] = PromptSession("> ", input=keys)
        self._above = Above(self._session.app)
        self._stopped = False

    def stop(self) -> None:
        """End the iteration, now and from now on. Any thread, and a signal's handler."""
        self._stopped = True
        application = self._session.app
        loop = application.loop
        if loop is not None and application.is_running:
            with suppress(RuntimeError):  # the prompt has ended just now, and closed its loop
                loop.call_soon_threadsafe(self._leave)

    def __iter__(self) -> Generator[bytes]:
        # An exception out of nowhere would be shown by prompt_toolkit, or leave the terminal in its
        # hands. Ctrl-C is a key while the prompt runs, and raises KeyboardInterrupt.
        above = self._above
        with signals_held(self.stop), _keys_kept(), redirect_stdout(above), redirect_stderr(above):
            while not self._stopped:
                try:
                    with above.prompting():
                        line = self._session.prompt(pre_run=self._begin, handle_sigint=False)
                except EOFError:
                    return
                with signals_let_through():
                    yield line.encode()

    def _begin(self) -> None:
        # Before it runs there is nothing that `stop` could end, or that `look` could print above.
        self._leave()
        self._above.look()

    def _leave(self) -> None:
        application = self._session.app
        if self._stopped and application.is_running and not application.is_done:
            application.exit(exception=EOFError())


@contextmanager
def _keys_kept() -> Iterator[None]:
    """Keys pressed between two prompts wait for the next one, as keys.

    Otherwise the terminal would edit and echo them itself, and a Ctrl-D would be lost. Ctrl-C
    still interrupts: the send that goes on between two prompts may take long.
    """
    try:
        import termios
    except ImportError:
        yield  # Windows' console has no such modes
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    changed = termios.tcgetattr(descriptor)
    changed[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(descriptor, termios.TCSADRAIN, changed)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


Lines = PipedLines | PromptedLines


def lines_of(stream: Any, *, interactive: bool) -> Lines:
    """The lines of `stream`, normally `sys.stdin`; with a prompt when someone sits there.

    The prompt needs prompt_toolkit, from the extra ``tieline[cli]``, and a terminal that can move
    its cursor. Without either the terminal's own line editing has to do.
    """
    if interactive and os.environ.get("TERM", "dumb") != "dumb":
        try:
            return PromptedLines()
        except ImportError:
            pass
    if stream is None:
        return PipedLines(None, "utf-8")
    return PipedLines(stream.fileno(), stream.encoding or "utf-8")
